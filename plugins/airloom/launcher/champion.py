"""A person's move of the champion, as a run of the champion DAG: Airflow authorises, serialises and records it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date

from airloom.core.errors import GateError, SetupError
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.launcher.api import AirflowApi
from airloom.launcher.ports import Ports
from airloom.launcher.secrets import USER
from airloom.launcher.waiting import Waiting
from airloom.steps.choose import choose
from airloom.steps.reconcile import current_partition
from airloom.stores.ledger import Champion, Ledger

_PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class Wish:
    """What a person wants.

    Args:
        action: `rollback`, `promote`, `pin` or `unpin`.
        version: The version; only a promotion needs one.
        first: The day from which it is to be champion, None for the newest one that can be scored.
        reason: Why.
        rescore: Whether to predict again at once.
    """

    action: str
    version: int | None
    first: date | None
    reason: str
    rescore: bool = False


def move(settings: Settings, ports: Ports, pipeline: Pipeline, wish: Wish) -> Champion:
    """Run the champion DAG and wait for it.

    Args:
        settings: The places of the installation.
        ports: Where Airflow answers.
        pipeline: The pipeline.
        wish: What is wanted; it is checked here first, so that a mistake is told at once.

    Returns:
        The champion afterwards.

    Raises:
        UsageError: The wish makes no sense.
        GateError: It cannot be fulfilled, or the run failed.
        SetupError: Airflow does not answer, or its run makes no progress.
    """
    day = wish.first or current_partition(pipeline, settings)
    wanted = choose(pipeline, day, wish.action, wish.version, USER, wish.reason, settings)
    api, dag_id = AirflowApi(settings, ports), f"{pipeline.name}.champion"
    api.unpause(dag_id)
    # A move names its version: what was checked here is what is applied.
    params = {
        "action": wish.action,
        "version": wanted.version if wish.action in ("rollback", "promote") else None,
        "effective_from": day.isoformat(),
        "reason": wish.reason,
        "rescore": wish.rescore,
    }
    run_id = api.trigger(dag_id, params)
    _wait(api, dag_id, run_id)
    return Ledger(settings.state_url).history(pipeline.name)[-1]


def _wait(api: AirflowApi, dag_id: str, run_id: str) -> None:
    waiting = Waiting()
    where = f"{api.pages}/dags/{dag_id}/runs/{run_id}"
    while (state := api.run_state(dag_id, run_id)) != "success":
        if state == "failed":
            raise GateError("The champion was not moved.", where=where, do="the log of the failed task says why")
        waiting.look(api.task_states(dag_id, run_id))
        if waiting.stalled:
            raise SetupError("The run makes no progress.", where=where, found=state, do="look there how it goes on")
        time.sleep(_PAUSE_SECONDS)
