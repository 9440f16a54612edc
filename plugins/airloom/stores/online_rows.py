"""The bytes of an online row: all features of one entity in one compact blob, and the key it is found by."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from feast import Field
from feast.protos.feast.types.Value_pb2 import Value as ValueProto
from feast.value_type import ValueType

from airloom.core.errors import SetupError


@dataclass(frozen=True)
class _Kind:
    """How values of one Feast type are kept; `code` is numpy's and struct's, empty for text of any length."""

    value: str
    arrow: pa.DataType
    code: str = ""


_KINDS = {
    ValueType.DOUBLE: _Kind("double_val", pa.float64(), "d"),
    ValueType.FLOAT: _Kind("float_val", pa.float32(), "f"),
    ValueType.INT64: _Kind("int64_val", pa.int64(), "q"),
    ValueType.INT32: _Kind("int32_val", pa.int32(), "i"),
    ValueType.BOOL: _Kind("bool_val", pa.uint8(), "B"),
    ValueType.UNIX_TIMESTAMP: _Kind("unix_timestamp_val", pa.int64(), "q"),
    ValueType.STRING: _Kind("string_val", pa.binary()),
    ValueType.BYTES: _Kind("bytes_val", pa.binary()),
}
_KEY_CODES = {ValueType.INT64: "<q", ValueType.INT32: "<i", ValueType.UNIX_TIMESTAMP: "<q"}
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Layout:
    """The order and types of the features in a blob: missing flags, then numbers, then texts with their lengths.

    Args:
        fields: Names and names of Feast types; rows written under an older layout stay readable.
    """

    fields: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, view: str, features: Sequence[Field]) -> Layout:
        """Return the layout of a feature view.

        Raises:
            SetupError: The online store has no place for a feature's type.
        """
        for field in features:
            if field.dtype.to_value_type() not in _KINDS:
                raise SetupError(
                    "The online store cannot keep features of this type.",
                    where=f"feature view {view}, feature {field.name}",
                    found=str(field.dtype),
                    expected=", ".join(sorted(kind.name for kind in _KINDS)),
                )
        return cls(tuple((field.name, field.dtype.to_value_type().name) for field in features))

    @property
    def text(self) -> str:
        """The layout as stores keep it."""
        return json.dumps(self.fields)

    @classmethod
    @lru_cache(maxsize=256)
    def parse(cls, text: str) -> Layout:
        """Read back what `text` was."""
        return cls(tuple((name, kind) for name, kind in json.loads(text)))

    @cached_property
    def _kinds(self) -> list[tuple[str, _Kind]]:
        return [(name, _KINDS[ValueType[kind]]) for name, kind in self.fields]

    @cached_property
    def _numbers(self) -> list[tuple[int, str, _Kind]]:
        return [(place, name, kind) for place, (name, kind) in enumerate(self._kinds) if kind.code]

    @cached_property
    def _texts(self) -> list[tuple[int, str, _Kind]]:
        return [(place, name, kind) for place, (name, kind) in enumerate(self._kinds) if not kind.code]

    @cached_property
    def _places(self) -> dict[str, tuple[int, str]]:
        return {name: (place, kind.value) for place, (name, kind) in enumerate(self._kinds)}

    @cached_property
    def _flag_bytes(self) -> int:
        return (len(self.fields) + 7) // 8

    @cached_property
    def _fixed(self) -> struct.Struct:
        return struct.Struct(f"<{self._flag_bytes}s" + "".join(kind.code for _, _, kind in self._numbers))

    def encode(self, rows: pa.Table) -> list[bytes]:
        """Return one blob for each row of a table that has the layout's columns."""
        columns = [_plain(rows.column(name), kind) for name, kind in self._kinds]
        missing = np.column_stack([column.is_null().to_numpy(zero_copy_only=False) for column in columns])
        fixed = np.zeros(
            rows.num_rows,
            dtype=[
                ("missing", "u1", (self._flag_bytes,)),
                *((name, f"<{kind.code}") for _, name, kind in self._numbers),
            ],
        )
        fixed["missing"] = np.packbits(missing, axis=1, bitorder="little")
        for place, name, _ in self._numbers:
            fixed[name] = columns[place].fill_null(0).to_numpy(zero_copy_only=False)
        content, width = fixed.tobytes(), fixed.dtype.itemsize
        blobs = [content[start : start + width] for start in range(0, len(content), width)]
        for place, _, _ in self._texts:
            texts = columns[place].fill_null(b"").to_pylist()
            blobs = [blob + _LENGTH.pack(len(text)) + text for blob, text in zip(blobs, texts, strict=True)]
        return blobs

    def encode_protos(self, rows: Iterable[Mapping[str, ValueProto]]) -> list[bytes]:
        """Return one blob for each row given as Feast's values."""
        kept = list(rows)
        columns = {name: pa.array([_python(row.get(name)) for row in kept], _given(kind)) for name, kind in self._kinds}
        return self.encode(pa.table(columns)) if kept else []

    def decode(self, blob: bytes, wanted: Sequence[str] = ()) -> dict[str, ValueProto]:
        """Return features of a blob as Feast's values; a missing feature is an empty value.

        Args:
            blob: What `encode` gave.
            wanted: The features, all by default; one that the layout does not have is missing.
        """
        flags, *numbers = self._fixed.unpack_from(blob)
        missing = int.from_bytes(flags, "little")
        values: dict[int, Any] = {place: value for (place, _, _), value in zip(self._numbers, numbers, strict=True)}
        offset = self._fixed.size
        for place, _, kind in self._texts:
            (length,) = _LENGTH.unpack_from(blob, offset)
            offset += _LENGTH.size + length
            text = blob[offset - length : offset]
            values[place] = text.decode() if kind.value == "string_val" else text
        present = {
            name: ValueProto(**{field: values[place]})
            for name, (place, field) in self._places.items()
            if not missing >> place & 1
        }
        return {name: present.get(name) or ValueProto() for name in wanted or self._places}


def encode_keys(rows: pa.Table, keys: Sequence[Field]) -> list[bytes]:
    """Return each row's entity key as Feast serialises it (version 3), column by column.

    Args:
        rows: Rows without missing keys.
        keys: The join keys.
    """
    ordered = sorted(keys, key=lambda field: str(field.name))
    names = [field.name.encode() for field in ordered]
    head = _LENGTH.pack(ValueType.STRING.value)
    prefix = _LENGTH.pack(len(names)) + b"".join(head + _LENGTH.pack(len(name)) + name for name in names)
    encoded = [prefix] * rows.num_rows
    for field in ordered:
        values = _key_values(rows.column(field.name), field.dtype.to_value_type())
        encoded = [key + value for key, value in zip(encoded, values, strict=True)]
    return encoded


def _key_values(column: pa.ChunkedArray, kind: ValueType) -> list[bytes]:
    head = _LENGTH.pack(kind.value)
    if kind in _KEY_CODES:
        number = struct.Struct(_KEY_CODES[kind])
        head += _LENGTH.pack(number.size)
        return [head + number.pack(value) for value in column.cast(pa.int64()).to_pylist()]
    return [head + _LENGTH.pack(len(text)) + text for text in _plain(column, _KINDS[kind]).to_pylist()]


def _plain(column: pa.ChunkedArray, kind: _Kind) -> pa.Array:
    """Return a column as one array of the type that is kept; instants are kept in whole seconds, as Feast does."""
    if pa.types.is_timestamp(column.type):
        column = pc.cast(column, pa.timestamp("s", column.type.tz), safe=False).cast(pa.int64())
    if kind.arrow == pa.binary() and not pa.types.is_binary(column.type):
        column = column.cast(pa.string())
    column = column.cast(kind.arrow)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _given(kind: _Kind) -> pa.DataType:
    """Return the type in which Feast's messages hold values of a kind."""
    return pa.bool_() if kind.value == "bool_val" else kind.arrow


def _python(value: ValueProto | None) -> Any:
    name = value.WhichOneof("val") if value is not None else None
    if name is None or name == "null_val":
        return None
    found = getattr(value, name)
    return found.encode() if isinstance(found, str) else found
