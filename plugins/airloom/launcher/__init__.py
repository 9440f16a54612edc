"""The launcher: an embedded Airflow and MLflow on this machine, and what people ask of it."""
