"""Labels that come late, through the real scheduler: the order in which days run changes no training set."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from airloom.core.declaration import find_pipeline
from airloom.steps.assemble import assemble
from airloom.steps.training_sets import read_file, training_files
from airloom.stores.lake import Lake
from tests.system.installation import Installation
from tests.worlds.late_labels.days import PROJECT, arrive, days_until, declared, first_night, installed

pytestmark = [pytest.mark.system, pytest.mark.long, pytest.mark.timeout(3600)]

#: How a copy of a pipeline runs its days: one night after the other, the newest first, or several at once.
ORDERS = {
    "nightly": ("--max-active-runs", "1"),
    "backwards": ("--backwards", "--max-active-runs", "4"),
    "parallel": ("--max-active-runs", "8"),
}
COPIES = [(name, order) for name in ("churn", "demand") for order in ORDERS]


def nights(name):
    """The first two days that have a training set."""
    first = first_night(declared(name))
    return [first, first + timedelta(days=1)]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """What each copy has made, by pipeline and order; all copies run in one installation, at the same time."""
    copies = {f"{name}_{order}": PROJECT / "include" / name for name, order in COPIES}
    installation = Installation.with_copies(tmp_path_factory.mktemp("late_labels") / "installation", copies)
    try:
        installation.airloom("up")
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda each: backfill(installation, *each), COPIES))
    finally:
        installation.airloom("down")
    return {each: made(installation.settings, "_".join(each), nights(each[0])) for each in COPIES}


def backfill(installation, name, order):
    """Run all days of a copy, in its order."""
    first, last = str(declared(name).schedule.start), str(nights(name)[-1])
    installation.airloom("backfill", f"{name}_{order}", "--from", first, "--to", last, *ORDERS[order])


@pytest.fixture(scope="module")
def expected(tmp_path_factory, module_include):
    """What the plain steps make, by pipeline: day after day."""
    found = {}
    for name in ("churn", "demand"):
        pipeline, settings = declared(name), installed(name, tmp_path_factory.mktemp(name))
        arrive(pipeline, days_until(pipeline, nights(name)[-1]), settings)
        for night in nights(name):
            assemble(pipeline, night, settings)
        found[name] = made(settings, name, nights(name))
    return found


def made(settings, name, nights):
    """Return the digests of a pipeline's training sets by night, and its raw days and features."""
    pipeline, lake = find_pipeline(settings.include, name), Lake(settings.lake / name)
    training = {
        night: {read_file(file).digest for file in training_files(pipeline, night, settings)} for night in nights
    }
    tables = [*(f"raw.{table}" for table in pipeline.tables), *(f"features.{view}" for view in pipeline.features.views)]
    return {"training": training, "lake": {table: lake.partitions(table) for table in tables}}


@pytest.mark.parametrize("what", ["training", "lake"])
def test_every_order_makes_what_the_plain_steps_make(ran, expected, what):
    for (name, order), found in ran.items():
        assert found[what] == expected[name][what], f"{name}, {order}"
