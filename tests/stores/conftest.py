"""Feast comes in through its one door before any test module imports it."""

from airloom.stores.feast_loading import load_feast

load_feast()
