"""A question to a person, answered through Airflow's REST API as other programs do it."""

from dataclasses import dataclass
from functools import cached_property

import httpx
from installation import PIPELINE, Installation, wait_until


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
    def api(self):
        user, password = self.installation.login()
        credentials = {"username": user, "password": password}
        token = httpx.post(f"{self.installation.airflow_url}/auth/token", json=credentials).raise_for_status().json()
        return httpx.Client(
            base_url=f"{self.installation.airflow_url}/api/v2/dags/{self.dag}",
            headers={"Authorization": f"Bearer {token['access_token']}"},
        )

    def wait_for(self, state, task="approve"):
        query = (
            "select t.state from task_instance t join dag_run r using (dag_id, run_id) "
            "where t.dag_id = ? and r.logical_date like ? and t.task_id = ?"
        )
        wait_until(lambda: self.installation.ask(query, self.dag, f"{self.day}%", task), state)

    def answer(self, option):
        """Answer the question."""
        path = f"/dagRuns/{self.run}/taskInstances/approve/-1/hitlDetails"
        self.api.patch(path, json={"chosen_options": [option]}).raise_for_status()

    def clear(self):
        """Let the question be asked again."""
        wish = {
            "dry_run": False,
            "only_failed": False,
            "include_downstream": True,
            "task_ids": ["approve"],
            "dag_run_id": self.run,
        }
        self.api.post("/clearTaskInstances", json=wish).raise_for_status()
