import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def test_an_airflow_that_loads_the_libraries_of_tasks_logs_no_chatter(tmp_path):
    """Also after its logging was configured anew, as a task does."""
    code = (
        "import airflow.settings, logging, great_expectations\n"
        "from airflow.logging_config import configure_logging\n"
        "configure_logging()\n"
        "import great_expectations.expectations.registry\n"
        "for name in ('airflow.providers.openlineage.utils.emission_policy', 'openlineage.client.client'):\n"
        "    logging.getLogger(name).info('chatter of %s', name)\n"
        "    logging.getLogger(name).warning('what matters')\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path), "PYTHONPATH": f"{PROJECT}/plugins:{PROJECT}/config"},
        capture_output=True,
        text=True,
        check=True,
    )
    logged = done.stdout + done.stderr
    assert logged.count("what matters") == 2
    assert "chatter" not in logged
    assert "Skipping registering" not in logged
    assert len(logged.splitlines()) == 2, logged
