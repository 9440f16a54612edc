"""Airflow's own door to how it opens its database: it imports this module at start and uses what it defines."""

from airloom.launcher.metadata import create_metadata_engine

__all__ = ["create_metadata_engine"]
