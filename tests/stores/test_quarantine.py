from datetime import date

import pyarrow as pa
import pytest

from airloom.core.errors import DataError
from airloom.stores.files import files_below, replaced_file
from airloom.stores.quarantine import Quarantine, Reason

DAY, NEXT = date(2013, 2, 10), date(2013, 2, 11)
ROWS = pa.table({"flight_id": ["a", "b"]})


@pytest.fixture
def quarantine(place):
    return Quarantine(place / "quarantine")


def test_nothing_is_blocked_at_first(quarantine):
    assert not quarantine.is_blocked("flights", DAY)
    assert quarantine.reason("flights", DAY) is None
    assert quarantine.blocked_days("flights") == set()
    with pytest.raises(DataError, match="Nothing of flights"):
        quarantine.rows("flights", DAY)


def test_a_blocked_partition_keeps_its_rows_and_the_reason(quarantine):
    quarantine.block("flights", DAY, ROWS, ["too few rows"], "a.json")
    assert quarantine.blocked_days("flights") == {DAY}
    assert quarantine.reason("flights", DAY) == Reason("blocked", 2, ("too few rows",), "a.json")
    assert quarantine.rows("flights", DAY) == ROWS


def test_held_back_rows_block_nothing(quarantine):
    quarantine.block("flights", DAY, ROWS, ["all wrong"], "a.json")
    quarantine.hold_back("flights", DAY, ROWS.slice(1), ["one wrong"], "b.json")
    quarantine.block("flights", NEXT, ROWS, ["all wrong"], "c.json")
    assert quarantine.blocked_days("flights") == {NEXT}
    assert quarantine.blocked_days("flights", {DAY}) == set()
    assert quarantine.rows("flights", DAY).num_rows == 1


def test_lifting_forgets_and_may_be_repeated(quarantine):
    quarantine.block("flights", DAY, ROWS, ["too few rows"], "a.json")
    quarantine.lift("flights", DAY)
    quarantine.lift("flights", DAY)
    assert not quarantine.is_blocked("flights", DAY)
    assert list(files_below(quarantine.root)) == []


def test_a_reason_that_cannot_be_read_is_an_error_and_not_a_pass(quarantine):
    quarantine.block("flights", DAY, ROWS, ["too few rows"], "a.json")
    with replaced_file(quarantine.folder("flights", DAY) / "reason.json") as file:
        file.write_text("{")
    with pytest.raises(DataError, match="reason for the quarantine"):
        quarantine.is_blocked("flights", DAY)
