"""A question to a person, answered through Airflow's REST API as other programs do it."""

import re
from dataclasses import dataclass
from functools import cached_property

import httpx

from tests.system.installation import PIPELINE, Installation, wait_until

_TIMEOUT = 60


@dataclass
class Approval:
    """The task *approve* of one day's training."""

    installation: Installation
    day: str

    @property
    def dag(self):
        return f"{PIPELINE}.train"

    @cached_property
    def run(self):
        query = "select run_id from dag_run where dag_id = ? and logical_date like ?"
        [(run,)] = self.installation.ask(query, self.dag, f"{self.day}%")
        return run

    @cached_property
    def token(self):
        user, password = self.installation.login()
        credentials = {"username": user, "password": password}
        answer = httpx.post(f"{self.installation.airflow_url}/auth/token", json=credentials, timeout=_TIMEOUT)
        return answer.raise_for_status().json()["access_token"]

    def ask(self, method, path, body):
        """Call Airflow's REST API."""
        url = f"{self.installation.airflow_url}/api/v2/dags/{self.dag}{path}"
        headers = {"Authorization": f"Bearer {self.token}"}
        httpx.request(method, url, json=body, headers=headers, timeout=_TIMEOUT).raise_for_status()

    def wait_for(self, state, task="approve"):
        query = (
            "select t.state from task_instance t join dag_run r using (dag_id, run_id) "
            "where t.dag_id = ? and r.logical_date like ? and t.task_id = ?"
        )
        wait_until(lambda: self.installation.ask(query, self.dag, f"{self.day}%", task), state)

    def wait_until_asked(self):
        """Wait until Airflow has noticed that the process that asked has ended.

        An answer within the moment before that makes Airflow 3.3 take the end for that of the answered task, which
        it then tries again: the person is asked a second time (https://github.com/apache/airflow/issues/72716).
        """
        self.wait_for("awaiting_input")
        query = "select try_number from task_instance where dag_id = ? and run_id = ? and task_id = 'approve'"
        [(attempt,)] = self.installation.ask(query, self.dag, self.run)
        ended = f"task_id=approve, run_id={re.escape(self.run)}, .* executor_state=success, try_number={attempt},"
        wait_until(lambda: [(bool(re.search(ended, self.installation.service_log("scheduler"))),)], True)

    def answer(self, option):
        """Answer the question."""
        path = f"/dagRuns/{self.run}/taskInstances/approve/-1/hitlDetails"
        self.ask("PATCH", path, {"chosen_options": [option]})

    def clear(self):
        """Let the question be asked again."""
        wish = {
            "dry_run": False,
            "only_failed": False,
            "include_downstream": True,
            "task_ids": ["approve"],
            "dag_run_id": self.run,
        }
        self.ask("POST", "/clearTaskInstances", wish)
