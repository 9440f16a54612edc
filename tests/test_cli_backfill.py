"""What `airloom backfill` reports at its end."""

from datetime import date

import pytest

from airloom.cli.backfill import require_no_failure
from airloom.core.errors import DataError
from airloom.launcher.api import FailedTask
from airloom.launcher.backfill import Progress


def failed(days, task_id="assemble", map_index=-1, index=""):
    return tuple(FailedTask(f"run {day}", task_id, map_index, date(2013, 2, day), index) for day in days)


def test_nothing_failed():
    require_no_failure([Progress("ingest", 3, ended=3)])


def test_failed_tasks_are_named_by_stage_day_and_name():
    train = Progress("train", 3, ended=3, failed=2, failures=failed([1]) + failed([3], "fit", 1, "boosting"))
    with pytest.raises(DataError) as caught:
        require_no_failure([Progress("ingest", 3, ended=3), train])
    assert caught.value.exit_code == 3
    assert str(caught.value).splitlines()[:4] == [
        "Some runs failed.",
        "  found:    train: 2 of its days",
        "            train 2013-02-01 assemble",
        "            train 2013-02-03 fit[boosting]",
    ]


def test_of_many_failed_tasks_ten_are_named():
    train = Progress("train", 12, ended=12, failed=12, failures=failed(range(1, 13)))
    with pytest.raises(DataError) as caught:
        require_no_failure([train])
    assert caught.value.found.splitlines()[-1].strip() == "and 2 more"
    assert caught.value.found.count("assemble") == 10
