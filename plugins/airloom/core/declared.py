"""What every part of a declaration is made of: a frozen model without unknown keys, names and durations."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
Reference = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*(:[A-Za-z_]\w*)?$")]

_DURATION = re.compile(r"(\d+)\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _duration(value: Any) -> Any:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a duration is a number and a unit (s, m, h or d), for example 28d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _whole_days(value: timedelta) -> timedelta:
    if value < timedelta(days=1) or value % timedelta(days=1):
        raise ValueError("a window is a whole number of days, at least 1d")
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Days = Annotated[timedelta, BeforeValidator(lambda value: _whole_days(_duration(value)))]


class Declared(BaseModel):
    """What every part of a declaration has in common: frozen, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
