import hashlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airloom.core.errors import DataError
from airloom.stores.content import NO_ROWS, content_version

ROWS = pa.table({"id": [1, 2, 3], "name": ["a", None, "c"]})


@given(st.permutations(range(20)))
def test_the_version_does_not_depend_on_the_order_of_rows(order):
    rows = pa.table({"id": list(range(20)), "value": [None if i % 3 else i / 7 for i in range(20)]})
    assert content_version(rows.take(list(order))) == content_version(rows)


def test_the_version_ignores_what_it_is_told_to_ignore():
    stamped = ROWS.append_column("run", pa.array(["x"] * 3))
    assert content_version(stamped, ignore=["run"]) == content_version(ROWS)
    assert content_version(stamped) != content_version(ROWS)


@pytest.mark.parametrize("rows", [ROWS.slice(0, 0), pa.table({}), pa.table({"id": pa.array([], pa.null())})])
def test_the_version_without_rows_depends_on_no_column(rows):
    assert content_version(rows) == NO_ROWS
    assert content_version(ROWS) != NO_ROWS


BEYOND_FLOATS = 2**53 + 1


@pytest.mark.parametrize(
    ("kind", "number", "another"),
    [
        (pa.int64(), BEYOND_FLOATS, BEYOND_FLOATS - 1),
        (pa.int64(), -BEYOND_FLOATS, -BEYOND_FLOATS + 1),
        (pa.int64(), -(2**63), -(2**63) + 1),
        (pa.uint64(), 2**64 - 1, 2**64 - 2),
    ],
)
def test_the_version_tells_large_whole_numbers_apart_also_where_one_is_missing(kind, number, another):
    versions = {content_version(pa.table({"id": pa.array(ids, kind)})) for ids in ([number, None], [another, None])}
    assert len(versions) == 2


@pytest.mark.parametrize("kind", [pa.int64(), pa.int32(), pa.uint64(), pa.float64()])
@pytest.mark.parametrize("numbers", [[1, 2, None], [None, None], [1, 2, 2**31 - 1]])
def test_the_version_of_numbers_that_floats_hold_is_what_it_was_before(kind, numbers):
    rows = pa.table({"id": pa.array(numbers, kind)})
    frame = rows.to_pandas()
    before = hashlib.sha256(repr([("id", str(frame["id"].dtype))]).encode())
    before.update(np.sort(pd.util.hash_pandas_object(frame, index=False).to_numpy()).tobytes())
    assert content_version(rows) == before.hexdigest()[:16]


@pytest.mark.parametrize("values", [[[1, 2], None], [{"a": 1}, None]])
def test_a_column_of_lists_or_structures_is_refused_by_its_name(values):
    with pytest.raises(DataError, match="holds lists, maps or structures") as refused:
        content_version(pa.table({"id": [1, 2], "tags": values}))
    assert refused.value.where == "column tags"
