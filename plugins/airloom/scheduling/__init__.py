"""What Airflow needs besides operators: the timetable, the stages' DAGs, the triggers that wait, preloading."""
