"""What Airloom adds to Airflow's web server."""
