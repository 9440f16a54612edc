"""Airloom: an Apache Airflow distribution for continuous training."""

__version__ = "0.1.0"
