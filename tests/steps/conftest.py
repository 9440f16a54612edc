"""Feast comes in through its one door before any test module imports it: no metrics folder is left behind."""

from airloom.stores.feast_loading import load_feast

load_feast()
