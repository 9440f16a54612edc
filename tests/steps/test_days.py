"""One rule for every step: a day that has not ended does not run."""

import importlib
import inspect
import pkgutil
from datetime import date
from types import SimpleNamespace

import pyarrow as pa
import pytest

import airloom.steps
from airloom.core.declaration import find_pipeline
from airloom.core.errors import NotDue, UsageError
from airloom.core.pipeline import Schedule
from airloom.steps.inputs import FeatureInputs
from airloom.steps.materialize import materialize
from airloom.steps.reconcile import current_partition
from airloom.steps.unpublish import unpublish
from tests.worlds.installation import publish, settings_at
from tests.worlds.prepared import INCLUDE

PARCELS = find_pipeline(INCLUDE, "parcels")
APIA = Schedule(nightly="02:00", timezone="Pacific/Apia", start=date(2011, 1, 1))


def every_step():
    """Every public function that runs for a pipeline and a partition, or what was chosen for one, on settings."""
    for module in pkgutil.iter_modules(airloom.steps.__path__, "airloom.steps."):
        for name, member in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction):
            own = member.__module__ == module.name and not name.startswith("_")
            if own and member.__annotations__["return"] in RECORDS and takes(member) & {"partition", "chosen"}:
                if member is unpublish:  # A day that lies ahead is what it takes back.
                    continue
                yield pytest.param(member, id=name)


def takes(function):
    return set(inspect.signature(function).parameters)


RECORDS = {
    name
    for name, record in inspect.getmembers(importlib.import_module("airloom.core.records"), inspect.isclass)
    if "headline" in getattr(record, "model_fields", {})
}
STEPS = list(every_step())


def run(step, pipeline, day):
    """Nothing else of what a step is given is looked at before the day."""
    given = {"pipeline": pipeline, "partition": day, "chosen": SimpleNamespace(partition=day)}
    needed = (each.name for each in inspect.signature(step).parameters.values() if each.default is each.empty)
    return step(**{name: given.get(name) for name in needed})


def test_there_are_steps():
    assert {"extract", "publish", "compute", "assemble", "apply", "score", "choose"} <= {each.id for each in STEPS}
    assert len(STEPS) >= 17


@pytest.mark.parametrize("step", STEPS)
def test_a_day_that_has_not_ended_does_not_run(step, now):
    now("2024-01-10T05:00")
    pipeline = PARCELS.model_copy(update={"schedule": PARCELS.schedule.model_copy(update={"end": None})})
    with pytest.raises(UsageError, match=f"2024-01-10 has not ended in {PARCELS.schedule.timezone}"):
        run(step, pipeline, date(2024, 1, 10))


@pytest.mark.parametrize("step", STEPS)
def test_a_day_that_the_zone_never_had_has_nothing_to_run(step):
    with pytest.raises(NotDue, match="never had 2011-12-30"):
        run(step, PARCELS.model_copy(update={"schedule": APIA}), date(2011, 12, 30))


def test_a_published_day_that_lies_ahead_is_not_computed_again_and_is_no_newest_day(tmp_path, now, own_include):
    settings = settings_at(tmp_path, project=INCLUDE.parent)
    today, ahead = date(2024, 1, 10), date(2024, 1, 11)
    for day in (today, ahead):
        for table in ("raw.parcels", "raw.traffic", "raw.orders", "features.depot_delays"):
            publish(settings, "parcels", table, day, pa.table({"id": [1]}))
    now("2024-01-11T01:00")
    assert {day for _, day in FeatureInputs.read(PARCELS, settings).stale(today)} == {today}
    assert current_partition(PARCELS, settings) == today
    now("2024-01-12T01:00")
    assert {day for _, day in FeatureInputs.read(PARCELS, settings).stale(today)} == {today, ahead}
    assert current_partition(PARCELS, settings) == ahead


def test_no_other_day_that_lies_ahead_is_brought_online(now):
    now("2024-01-11T01:00")
    with pytest.raises(UsageError, match="2024-01-11 has not ended"):
        materialize(PARCELS, date(2024, 1, 10), None, [date(2024, 1, 11)])
