"""A server that is away for a while: a task may be tried again, a waiting one waits on."""

import asyncio

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airloom.core.errors import DataError, DeclarationError, SetupError, Unavailable
from airloom.operators.ingest import ExtractOperator
from airloom.scheduling.triggers import Look, WaitTrigger


class Failing(ExtractOperator):
    """An operator whose step raises what it is told."""

    raised: Exception

    def run_step(self, pipeline, partition, settings, context):
        raise self.raised


class Away(WaitTrigger):
    """A trigger whose first look finds nobody there."""

    seconds = 0.0
    looks = 0

    def look(self, pipeline, partition, settings):
        self.looks += 1
        if self.looks == 1:
            raise Unavailable("S3 cannot be reached.")
        return Look(True, "everything is there")


@pytest.mark.parametrize(
    ("raised", "seen"),
    [
        (Unavailable("away"), Unavailable),
        (SetupError("no bucket"), AirflowFailException),
        (DataError("a key seen before"), AirflowFailException),
        (DeclarationError("the clock in a view"), AirflowFailException),
    ],
)
def test_only_what_may_pass_is_left_to_retries(raised, seen):
    task = Failing(task_id="task", pipeline="parcels", partition="2013-02-10")
    task.raised = raised
    with pytest.raises(seen, match=str(raised)):
        task.execute({})


def test_who_waits_goes_on_waiting():
    trigger = Away("parcels", "2013-02-10")

    async def events():
        return [event async for event in trigger.run()]

    assert [type(event).__name__ for event in asyncio.run(events())] == ["TaskSuccessEvent"]
    assert trigger.looks == 2
