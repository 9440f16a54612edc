"""What every part of a declaration is made of: a frozen model without unknown keys, names and durations."""

from __future__ import annotations

import keyword
import re
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticCustomError


def _without_dots(value: str) -> str:
    if "." in value:
        raise ValueError(
            f"a table or view has no dots in its name: in the lake it would lie inside {value.partition('.')[0]!r}"
        )
    return value


def _named(value: str) -> str:
    if keyword.iskeyword(value):
        raise ValueError(f"{value!r} is a word of Python, and no module can have this name")
    return value


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
#: A name that Python's modules, Feast's projects and DAGs can have.
PipelineName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$", description="letters, digits and underscores, a letter first"),
    AfterValidator(_named),
]
#: A dot in the name of a table of the lake is a folder.
TableName = Annotated[Name, AfterValidator(_without_dots)]
_REFERENCE = re.compile(r"[A-Za-z_][\w.]*(:[A-Za-z_]\w*)?")
_DURATION = re.compile(r"(\d+)\s*([smhd])")
_ISO_DURATION = TypeAdapter(timedelta)
#: No window of a pipeline is longer, and days this far from any date are still dates.
_LONGEST = timedelta(days=36_500)
_TOO_LONG = f"a duration is at most {_LONGEST.days}d"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _reference(value: str) -> str:
    if not _REFERENCE.fullmatch(value):
        raise ValueError("a reference is a module, or a function of one after a colon, for example package.module:name")
    return value


def _function(value: str) -> str:
    if ":" not in value:
        raise ValueError("a function is named after its module and a colon, for example package.module:name")
    return value


def _duration(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("P"):  # ISO 8601, as a declaration is written when it is kept
        with suppress(ValidationError):
            return _bounded(_ISO_DURATION.validate_python(value))
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a duration is a number and a unit (s, m, h or d), for example 28d")
    with suppress(OverflowError, ValueError):
        return _bounded(timedelta(**{_UNITS[match[2]]: int(match[1])}))
    raise ValueError(_TOO_LONG)


def _bounded(value: timedelta) -> timedelta:
    if value > _LONGEST:
        raise ValueError(_TOO_LONG)
    return value


def _whole_days(value: timedelta) -> timedelta:
    if value < timedelta(days=1) or value % timedelta(days=1):
        raise ValueError("the value must be a whole number of days, at least 1d")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number is expected, and YAML reads yes, no, on and off as true and false")
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            share = float(value.strip().removesuffix("%")) / 100
        except ValueError:
            return value  # pydantic says what it is
        raise PydanticCustomError("declaration", "write {share}", {"share": f"{share:g}"})
    try:
        return float(value)
    except OverflowError:
        raise ValueError("the number is too large") from None
    except (TypeError, ValueError):
        return value  # pydantic says what it is


def _within(value: Path) -> Path:
    if value.is_absolute() or ".." in value.parts:
        raise ValueError("a file is named from the pipeline's folder, and lies in it")
    return value


#: A finite number, as people write one.
Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
#: A file of the pipeline's folder.
File = Annotated[Path, AfterValidator(_within)]
Reference = Annotated[str, AfterValidator(_reference)]
Function = Annotated[Reference, AfterValidator(_function)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Days = Annotated[timedelta, BeforeValidator(lambda value: _whole_days(_duration(value)))]


def is_absent(value: Any) -> bool:
    """A key that came later is no part of a declaration that does not have it, and changes no digest."""
    return value is None


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _each_once(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value or len(set(value)) < len(value):
        raise ValueError("at least one name is needed, and each once")
    return value


def _as_declared(value: tuple[str, ...]) -> str | list[str]:
    return value[0] if len(value) == 1 else list(value)


#: One name, or several in a list. One is written as before there could be several.
Names = Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_each_once), PlainSerializer(_as_declared)]
#: Tables that a query reads.
Tables = Annotated[
    tuple[Name, ...], BeforeValidator(_listed), AfterValidator(_each_once), PlainSerializer(_as_declared)
]


class Declared(BaseModel):
    """What every part of a declaration has in common: frozen, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
