"""Airflow's own door to its database and logs: it imports this module at start and uses what it defines."""

from airloom.launcher.logs import quiet
from airloom.launcher.metadata import create_metadata_engine

__all__ = ["create_metadata_engine"]

quiet()
