from datetime import UTC, datetime

import pyarrow as pa
import pytest
from feast import Field
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Array, Bool, Bytes, Float32, Float64, Int32, Int64, String, UnixTimestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from airloom.core.errors import SetupError
from airloom.stores.online_rows import Layout, encode_keys

TYPES = {
    "double": (Float64, "double_val", pa.float64(), st.floats(allow_nan=False)),
    "single": (Float32, "float_val", pa.float32(), st.floats(width=32, allow_nan=False)),
    "long": (Int64, "int64_val", pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "short": (Int32, "int32_val", pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    "flag": (Bool, "bool_val", pa.bool_(), st.booleans()),
    "text": (String, "string_val", pa.string(), st.text(max_size=20)),
    "bytes": (Bytes, "bytes_val", pa.binary(), st.binary(max_size=20)),
    "words": (String, "string_val", pa.large_string(), st.text(max_size=5)),
    "other": (Float64, "double_val", pa.float64(), st.floats(allow_nan=False)),
}
LAYOUT = Layout.of("view", [Field(name=name, dtype=dtype) for name, (dtype, *_) in TYPES.items()])
rows = st.lists(
    st.fixed_dictionaries({name: st.none() | values for name, (_, _, _, values) in TYPES.items()}), max_size=4
)


def protos(row):
    return {name: Value() if row[name] is None else Value(**{TYPES[name][1]: row[name]}) for name in TYPES}


def arrow(some):
    return pa.table({name: pa.array([row[name] for row in some], kind) for name, (_, _, kind, _) in TYPES.items()})


@settings(max_examples=60, deadline=None)
@given(rows)
def test_every_value_comes_back_as_it_was(some):
    assert [LAYOUT.decode(blob) for blob in LAYOUT.encode(arrow(some))] == [protos(row) for row in some]


@settings(max_examples=30, deadline=None)
@given(rows)
def test_columns_and_messages_give_the_same_bytes(some):
    assert LAYOUT.encode_protos(protos(row) for row in some) == LAYOUT.encode(arrow(some))


def test_instants_are_kept_in_seconds():
    layout = Layout.of("view", [Field(name="at", dtype=UnixTimestamp)])
    table = pa.table({"at": pa.array([datetime(2024, 3, 1, tzinfo=UTC), None], pa.timestamp("us", "UTC"))})
    first, second = (layout.decode(blob)["at"] for blob in layout.encode(table))
    assert first == Value(unix_timestamp_val=1709251200)
    assert second == Value()


def test_a_type_without_a_place_is_refused_by_name():
    with pytest.raises(SetupError) as refused:
        Layout.of("view", [Field(name="many", dtype=Array(Float64))])
    assert refused.value.where == "feature view view, feature many"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=9), st.integers(-(2**63), 2**63 - 1)), max_size=4))
def test_keys_are_those_that_feast_looks_up(pairs):
    table = pa.table(
        {"z": pa.array([a for a, _ in pairs], pa.string()), "b": pa.array([b for _, b in pairs], pa.int64())}
    )
    keys = [EntityKey(join_keys=["z", "b"], entity_values=[Value(string_val=a), Value(int64_val=b)]) for a, b in pairs]
    fields = [Field(name="z", dtype=String), Field(name="b", dtype=Int64)]
    assert encode_keys(table, fields) == [serialize_entity_key(key) for key in keys]
