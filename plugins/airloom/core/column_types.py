"""The names of the types that columns have in the lake: what a declaration may state, and what commits record."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

#: Every type without parameters. A decimal has its digits: decimal(18,2).
NAMES = (
    *("bool", "int8", "int16", "int32", "int64", "float32", "float64"),
    *("text", "bytes", "date", "timestamp"),
)
DECIMAL = re.compile(r"decimal\((\d{1,2}), ?(\d{1,2})\)")
MOST_DIGITS = 38


def _known(value: str) -> str:
    digits = DECIMAL.fullmatch(value)
    if value not in NAMES and not (digits and 1 <= int(digits[1]) <= MOST_DIGITS and int(digits[2]) <= int(digits[1])):
        raise ValueError(f"a column's type is one of {', '.join(NAMES)}, or decimal(18,2) with up to 38 digits")
    return value


ColumnType = Annotated[str, AfterValidator(_known)]
