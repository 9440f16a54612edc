"""The few calls of Airflow's public REST API that the launcher makes, through Airflow's own client."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from airloom.core.errors import AirloomError, SetupError, UsageError
from airloom.core.settings import Settings
from airloom.core.urls import without_credentials
from airloom.launcher.environment import secrets_of
from airloom.launcher.given import ELSEWHERE, on_servers
from airloom.launcher.ports import Ports
from airloom.launcher.secrets import USER

if TYPE_CHECKING:
    from airflow_client.client import ApiClient
    from airflow_client.client.api.dag_run_api import DagRunApi

Reprocess = Literal["none", "failed", "completed"]

_PAGE = 100
_TIMEOUT = 60.0
#: About 75 seconds in all: so long the API server may take to be started again.
_RETRIES = 8
_CONFLICT = 409
_NOT_FOUND = 404
_REFUSED = (400, 422)


@dataclass(frozen=True)
class Range:
    """The days of a backfill, both included.

    Args:
        first: The first day.
        last: The last day.
    """

    first: date
    last: date

    def instants(self) -> tuple[datetime, datetime]:
        """Return the logical dates of the first and the last day."""
        return datetime.combine(self.first, time(), UTC), datetime.combine(self.last, time(), UTC)


@dataclass(frozen=True)
class Span:
    """From when to when something ran."""

    started: datetime
    ended: datetime

    @property
    def seconds(self) -> float:
        """How long that was."""
        return (self.ended - self.started).total_seconds()


@dataclass(frozen=True)
class DayRun:
    """A DAG's run of one day.

    Args:
        run_id: Its id.
        state: `queued`, `running`, `success` or `failed`.
    """

    run_id: str
    state: str


@dataclass(frozen=True)
class FailedTask:
    """A task instance that Airflow calls failed.

    Args:
        run_id: Its run.
        task_id: Its task.
        map_index: Which of a mapped task, -1 for any other.
        day: The partition of its run.
        index: Name of which of a mapped task, empty for any other.
    """

    run_id: str
    task_id: str
    map_index: int
    day: date
    index: str = ""

    def __str__(self) -> str:
        return f"{self.day} {self.task_id}" + (f"[{self.index}]" if self.index else "")


@dataclass(frozen=True)
class AirflowApi:
    """Airflow's REST API as the one user of an installation.

    Args:
        settings: The places of the installation, among them the file with the password.
        ports: Where the API server answers.
    """

    settings: Settings
    ports: Ports

    @property
    def url(self) -> str:
        """The address of the API server: `AIRLOOM_AIRFLOW_URL` where it runs on another machine."""
        return os.environ.get(ELSEWHERE) or self.ports.airflow_url

    @property
    def pages(self) -> str:
        """The address of its pages, as a browser reaches them: another one behind a proxy."""
        return os.environ.get("AIRFLOW__API__BASE_URL") or without_credentials(self.url)

    def pools(self) -> set[str]:
        """Return the names of all pools."""
        from airflow_client.client.api.pool_api import PoolApi

        with self._calling("listing the pools"):
            return {pool.name for pool in PoolApi(self._client).get_pools(limit=_PAGE).pools}

    def create_pool(self, name: str, slots: int, description: str) -> None:
        """Create a pool."""
        from airflow_client.client import PoolBody
        from airflow_client.client.api.pool_api import PoolApi

        with self._calling(f"creating the pool {name}"):
            PoolApi(self._client).post_pool(PoolBody(name=name, slots=slots, description=description))

    def dags(self, prefix: str) -> set[str]:
        """Return the ids of the DAGs that start with a prefix."""
        from airflow_client.client.api.dag_api import DAGApi

        with self._calling("listing the DAGs"):
            found = DAGApi(self._client).get_dags(limit=_PAGE, dag_id_prefix_pattern=prefix)
        return {dag.dag_id for dag in found.dags if dag.dag_id.startswith(prefix)}

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run a DAG."""
        from airflow_client.client import DAGPatchBody
        from airflow_client.client.api.dag_api import DAGApi

        with self._calling(f"unpausing {dag_id}"):
            DAGApi(self._client).patch_dag(dag_id, DAGPatchBody(is_paused=False), update_mask=["is_paused"])

    def import_errors(self) -> dict[str, str]:
        """Return the error of every DAG file that cannot be imported, by its name."""
        from airflow_client.client.api.import_error_api import ImportErrorApi

        with self._calling("listing the import errors"):
            found = ImportErrorApi(self._client).get_import_errors(limit=_PAGE)
        return {str(each.filename): str(each.stack_trace).strip() for each in found.import_errors}

    def has_active_backfill(self, dag_id: str) -> bool:
        """Tell whether Airflow still calls a backfill of a DAG active."""
        from airflow_client.client.api.backfill_api import BackfillApi

        with self._calling(f"listing the backfills of {dag_id}"):
            newest = BackfillApi(self._client).list_backfills(dag_id, limit=1, order_by=["-id"]).backfills
        return any(backfill.completed_at is None for backfill in newest)

    def create_backfill(
        self, dag_id: str, days: Range, *, max_active_runs: int, reprocess: Reprocess, backwards: bool
    ) -> bool:
        """Create one of Airflow's own backfills.

        Args:
            dag_id: The DAG.
            days: The days to run.
            max_active_runs: How many of them may run at once.
            reprocess: What to do with days that have run before.
            backwards: Whether to start with the newest day.

        Returns:
            Whether it was created; Airflow allows one active backfill per DAG.

        Raises:
            UsageError: Airflow refuses such a backfill.
        """
        from airflow_client.client import BackfillPostBody, ReprocessBehavior
        from airflow_client.client.api.backfill_api import BackfillApi
        from airflow_client.client.exceptions import ConflictException

        first, last = days.instants()
        body = BackfillPostBody(
            dag_id=dag_id,
            from_date=first,
            to_date=last,
            max_active_runs=max_active_runs,
            reprocess_behavior=ReprocessBehavior(reprocess),
            run_backwards=backwards,
        )
        try:
            with self._calling(f"creating a backfill of {dag_id}"):
                BackfillApi(self._client).create_backfill(body)
        except ConflictException:
            return False
        return True

    def trigger(self, dag_id: str, params: dict[str, Any]) -> str:
        """Start a run of a DAG that has no schedule, with its params.

        Returns:
            The run's id.
        """
        from airflow_client.client import TriggerDAGRunPostBody

        body = TriggerDAGRunPostBody(conf=params, logical_date=None)
        with self._calling(f"triggering {dag_id}"):
            return str(self._runs.trigger_dag_run(dag_id, body).dag_run_id)

    def create_run(self, dag_id: str, day: date) -> None:
        """Create the run of a day; where somebody else just has, that one is it."""
        from airflow_client.client import TriggerDAGRunPostBody
        from airflow_client.client.exceptions import ConflictException

        body = TriggerDAGRunPostBody(logical_date=Range(day, day).instants()[0])
        with self._calling(f"running {dag_id} for {day}"), suppress(ConflictException):
            self._runs.trigger_dag_run(dag_id, body)

    def run_of(self, dag_id: str, day: date) -> DayRun | None:
        """Return the run of a day, None when there is none."""
        first, last = Range(day, day).instants()
        with self._calling(f"reading the run of {dag_id} for {day}"):
            found = self._runs.get_dag_runs(dag_id, limit=1, logical_date_gte=first, logical_date_lte=last).dag_runs
        return DayRun(found[0].dag_run_id, str(found[0].state.value)) if found else None

    def clear_run(self, dag_id: str, run_id: str) -> None:
        """Run all tasks of a run again, as its DAG is now."""
        from airflow_client.client import DAGRunClearBody

        body = DAGRunClearBody(dry_run=False, only_failed=False, run_on_latest_version=True)
        with self._calling(f"clearing the run {run_id} of {dag_id}"):
            self._runs.clear_dag_run(dag_id, run_id, body)

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of one run."""
        with self._calling(f"reading a run of {dag_id}"):
            return str(self._runs.get_dag_run(dag_id, run_id).state.value)

    def task_states(self, dag_id: str, run_id: str) -> list[tuple[str, int, str]]:
        """Return name, map index and state of every task of one run."""
        from airflow_client.client.api.task_instance_api import TaskInstanceApi

        with self._calling(f"reading a run of {dag_id}"):
            found = TaskInstanceApi(self._client).get_task_instances(dag_id, run_id, limit=_PAGE).task_instances
        return sorted((each.task_id, each.map_index, each.state.value if each.state else "") for each in found)

    def count_runs(self, dag_id: str, days: Range, states: list[str] | None = None) -> int:
        """Count the days of a range that a DAG has a run for, in any state or in given ones.

        A run whose logical date is not the start of a day, triggered by hand, is of no day.
        """
        first, last = days.instants()
        found: set[datetime | None] = set()
        read = 0
        with self._calling(f"counting the runs of {dag_id}"):
            while True:
                page = self._runs.get_dag_runs(
                    dag_id,
                    limit=_PAGE,
                    offset=read,
                    logical_date_gte=first,
                    logical_date_lte=last,
                    state=states,
                    order_by=["logical_date"],
                ).dag_runs
                # A set: while runs change their state, one may come twice.
                found.update(each.logical_date for each in page if _is_day(each.logical_date))
                read += len(page)
                if len(page) < _PAGE:
                    return len(found)

    def count_tasks(self, dag_id: str, days: Range, states: list[str] | None = None) -> int:
        """Count the task instances of a DAG for a range of days, all of them or those in given states."""
        from airflow_client.client.api.task_instance_api import TaskInstanceApi

        first, last = days.instants()
        with self._calling(f"counting the task instances of {dag_id}"):
            found = TaskInstanceApi(self._client).get_task_instances(
                dag_id, "~", limit=1, logical_date_gte=first, logical_date_lte=last, state=states
            )
        return found.total_entries or 0

    def failed_tasks(self, dag_id: str, days: Range) -> list[FailedTask]:
        """Return the failed task instances of a DAG for a range of days, the earliest first."""
        from airflow_client.client.api.task_instance_api import TaskInstanceApi

        first, last = days.instants()
        found: list[Any] = []
        with self._calling(f"listing the failed tasks of {dag_id}"):
            while True:
                page = TaskInstanceApi(self._client).get_task_instances(
                    dag_id,
                    "~",
                    limit=_PAGE,
                    offset=len(found),
                    logical_date_gte=first,
                    logical_date_lte=last,
                    state=["failed"],
                    order_by=["logical_date"],
                )
                found += page.task_instances
                if len(page.task_instances) < _PAGE:
                    break
        return [
            FailedTask(
                run_id=each.dag_run_id,
                task_id=each.task_id,
                map_index=each.map_index,
                day=each.logical_date.date(),
                index=each.rendered_map_index or (str(each.map_index) if each.map_index >= 0 else ""),
            )
            for each in found
            if _is_day(each.logical_date)
        ]

    def has_record(self, dag_id: str, task: FailedTask) -> bool:
        """Tell whether the last attempt of a task has left its record: each attempt begins by clearing it."""
        from airflow_client.client.api.x_com_api import XComApi

        with self._calling(f"reading the record of {task.task_id}"):
            found = XComApi(self._client).get_xcom_entries(
                dag_id, task.run_id, task.task_id, xcom_key="return_value", map_index=task.map_index, limit=1
            )
        return bool(found.total_entries)

    def clear(self, dag_id: str, run_id: str, tasks: list[FailedTask]) -> None:
        """Run tasks of one run again, and all that come after them."""
        from airflow_client.client import ClearTaskInstancesBody, ClearTaskInstancesBodyTaskIdsInner
        from airflow_client.client.api.task_instance_api import TaskInstanceApi

        chosen: list[Any] = [task.task_id if task.map_index < 0 else [task.task_id, task.map_index] for task in tasks]
        body = ClearTaskInstancesBody(
            dry_run=False,
            dag_run_id=run_id,
            task_ids=[ClearTaskInstancesBodyTaskIdsInner(each) for each in chosen],
            include_downstream=True,
            only_failed=False,
        )
        with self._calling(f"clearing tasks of {dag_id}"):
            TaskInstanceApi(self._client).post_clear_task_instances(dag_id, body)

    def span(self, dag_id: str, days: Range) -> Span | None:
        """Return from when to when the runs of a range of days ran, None when none has ended."""
        started = self._edge(dag_id, days, "start_date")
        ended = self._edge(dag_id, days, "-end_date")
        if started is None or ended is None or started.start_date is None or ended.end_date is None:
            return None
        return Span(started.start_date, ended.end_date)

    def _edge(self, dag_id: str, days: Range, order: str) -> Any | None:
        first, last = days.instants()
        with self._calling(f"reading the runs of {dag_id}"):
            found = self._runs.get_dag_runs(
                dag_id,
                limit=1,
                order_by=[order],
                logical_date_gte=first,
                logical_date_lte=last,
                state=["success", "failed"],
            )
        return found.dag_runs[0] if found.dag_runs else None

    @cached_property
    def _runs(self) -> DagRunApi:
        from airflow_client.client.api.dag_run_api import DagRunApi

        return DagRunApi(self._client)

    @cached_property
    def _client(self) -> ApiClient:
        from airflow_client.client import ApiClient, Configuration
        from urllib3 import Retry

        configuration = Configuration(host=self.url)
        # An answer of 5xx comes after undoing what was begun, so that also a POST may be repeated.
        configuration.retries = Retry(
            total=_RETRIES, backoff_factor=0.3, status_forcelist=[500, 502, 503, 504], allowed_methods=None
        )
        configuration.access_token = self._token()
        return ApiClient(configuration)

    def _token(self) -> str:
        import httpx

        login = {"username": USER, "password": secrets_of(self.settings).password()}
        try:
            answer = httpx.post(f"{self.url}/auth/token", json=login, timeout=_TIMEOUT)
            return str(answer.raise_for_status().json()["access_token"])
        except httpx.TransportError:
            raise _not_reachable(self.url) from None
        except (httpx.HTTPStatusError, KeyError, ValueError):
            raise SetupError(
                "Airflow does not accept the login of this installation.",
                where=str(secrets_of(self.settings).passwords),
                found=f"a server at {without_credentials(self.url)} that refuses it",
                do="give this container the var of the API server, with its login (docs/production.md, The password)"
                if on_servers()
                else "airloom down && airloom up",
            ) from None

    @contextmanager
    def _calling(self, doing: str) -> Iterator[None]:
        """Turn what goes wrong in a call into an error that a person can act on."""
        from airflow_client.client.exceptions import ApiException, ConflictException
        from urllib3.exceptions import HTTPError

        try:
            yield
        except ConflictException:
            raise
        except ApiException as error:
            raise _refused(doing, error) from None
        except HTTPError:
            raise _not_reachable(self.url) from None


def _is_day(logical_date: datetime | None) -> bool:
    """Return whether a logical date is the start of a day, and so one of a backfill."""
    return logical_date is not None and logical_date.astimezone(UTC).time() == time()


def _refused(doing: str, error: Any) -> AirloomError:
    if error.status in (*_REFUSED, _NOT_FOUND):
        return UsageError(f"Airflow refused {doing}.", found=_detail(error))
    return SetupError(f"Airflow could not answer while {doing}.", found=f"{error.status}: {_detail(error)}")


def _detail(error: Any) -> str:
    import json

    try:
        detail = json.loads(error.body)["detail"]
    except (TypeError, ValueError, KeyError):
        return str(error.reason)
    return "; ".join(str(each.get("msg", each)) for each in detail) if isinstance(detail, list) else str(detail)


def _not_reachable(url: str) -> SetupError:
    do = f"see that its API server runs, and is at {ELSEWHERE}" if on_servers() else "airloom up"
    return SetupError("Airflow does not answer.", where=without_credentials(url), do=do)
