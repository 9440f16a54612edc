"""One verb, one file: plain functions that do one stage's work and know no Airflow."""
