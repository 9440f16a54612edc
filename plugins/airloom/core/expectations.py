"""Reads the expectations about a table: what must hold, and how bad it is when it does not."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from airloom.core.documents import Document, did_you_mean, problem_at, read_document, validated
from airloom.core.errors import DeclarationError
from airloom.core.fingerprint import fingerprint
from airloom.core.partitions import as_of

Severity = Literal["critical", "warning", "info"]

#: What `{$PARAMETER: name}` may name in a suite.
PARAMETERS = ("day_start", "day_end", "next_day_end")

_PARAMETER = "$PARAMETER"
_COLUMN_KEYS = ("column", "column_A", "column_B", "column_list")
#: A row_condition compares columns with values. It never calls, looks anything up or computes.
_CONDITION_PARTS = (
    ast.Expression, ast.BoolOp, ast.boolop, ast.UnaryOp, ast.Not, ast.USub, ast.Compare, ast.cmpop,
    ast.Name, ast.Constant, ast.List, ast.Tuple, ast.expr_context,
)  # fmt: skip


class Expectation(BaseModel):
    """One expectation: its Great Expectations name, how bad a failure is, and the arguments.

    Args:
        expectation: Name, such as `expect_column_values_to_be_between`.
        severity: `critical` stops rows or the partition, `warning` marks it as degraded, `info` is recorded.
        mostly: The share of rows that must meet it.
        row_condition: Which rows it is about.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    expectation: str = Field(pattern=r"^(expect|unexpected)_[a-z0-9_]+$")
    severity: Severity
    mostly: float | None = Field(default=None, gt=0, le=1)
    row_condition: str | None = None

    @field_validator("row_condition")
    @classmethod
    def _compares_only(cls, value: str | None) -> str | None:
        if value is not None:
            _require_comparison(value)
        return value

    @model_validator(mode="after")
    def _meaningful(self) -> Expectation:
        extra = self.model_extra or {}
        for name, value in extra.items():
            _require_known_parameter(name, value)
        _require_range(self.expectation, extra.get("min_value"), extra.get("max_value"))
        if "value_set" in extra:
            _require_uniform(extra["value_set"])
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it is about, none for an expectation about the whole table."""
        named = [(self.model_extra or {}).get(key) for key in _COLUMN_KEYS]
        return tuple(str(each) for name in named if name for each in (name if isinstance(name, list) else [name]))

    @property
    def declared(self) -> dict[str, Any]:
        """The arguments as they were written."""
        own = {"mostly": self.mostly, "row_condition": self.row_condition}
        return {**(self.model_extra or {}), **{name: value for name, value in own.items() if value is not None}}

    def arguments(self, parameters: Mapping[str, datetime]) -> dict[str, Any]:
        """Return the arguments with every parameter's value in its place."""
        return {
            name: parameters[value[_PARAMETER]] if _is_parameter(value) else value
            for name, value in self.declared.items()
        }


@dataclass(frozen=True)
class Suite:
    """The expectations about one table.

    Args:
        document: The file that declares them.
        expectations: The expectations, in the file's order; never empty.
    """

    document: Document
    expectations: tuple[Expectation, ...]

    @property
    def digest(self) -> str:
        """The suite's fingerprint, the same for the same meaning."""
        return fingerprint([each.model_dump(mode="json") for each in self.expectations])


def read_suite(file: Path) -> Suite:
    """Read the expectations about a table.

    Args:
        file: A YAML list with one expectation per item.

    Returns:
        The suite.

    Raises:
        DeclarationError: The file is missing, is empty or declares something that cannot be checked.
    """
    document = read_document(file)
    content = document.content
    if content is None or content == []:
        raise DeclarationError(
            "The suite is empty: it would let everything pass.",
            where=str(file),
            expected="at least one expectation",
            do="declare what must hold, for example expect_column_values_to_not_be_null of the key",
        )
    if not isinstance(content, list):
        raise DeclarationError(
            "A suite is a list of expectations.",
            where=document.where(),
            found=type(content).__name__,
            expected="items that start with '- expectation: expect_…'",
        )
    expectations = tuple(validated(document, Expectation, item, index) for index, item in enumerate(content))
    _require_distinct(document, expectations)
    return Suite(document, expectations)


def day_parameters(partition: date, timezone: str) -> dict[str, datetime]:
    """Return the values of the parameters that a suite may name, for one partition.

    Args:
        partition: The day.
        timezone: Name of the pipeline's time zone.
    """
    days = (partition - timedelta(days=1), partition, partition + timedelta(days=1))
    return dict(zip(PARAMETERS, (as_of(day, timezone) for day in days), strict=True))


def _is_parameter(value: Any) -> bool:
    return isinstance(value, dict) and _PARAMETER in value


def _require_known_parameter(key: str, value: Any) -> None:
    if _is_parameter(value) and value[_PARAMETER] not in PARAMETERS:
        name = str(value[_PARAMETER])
        raise problem_at(f"no parameter {name!r}; there are {', '.join(PARAMETERS)}", key)


def _require_range(expectation: str, low: Any, high: Any) -> None:
    if low is None and high is None and expectation.endswith("_to_be_between"):
        raise problem_at("neither min_value nor max_value is given: it would let everything pass", "expectation")
    for key, bound in (("min_value", low), ("max_value", high)):
        if isinstance(bound, float) and not math.isfinite(bound):
            raise problem_at(f"{key} must be a finite number", key)
    if low is None or high is None or _is_parameter(low) or _is_parameter(high):
        return
    try:
        reversed_ = low > high
    except TypeError:
        raise problem_at("min_value and max_value cannot be compared with each other", "max_value") from None
    if reversed_:
        raise problem_at(f"min_value {low} is above max_value {high}: nothing could pass", "min_value")


def _require_uniform(values: Any) -> None:
    if not isinstance(values, list) or not values:
        raise problem_at("value_set is a list with at least one value", "value_set")
    kinds = {"number" if type(value) in (int, float) else type(value).__name__ for value in values}
    if len(kinds) > 1:
        raise problem_at(
            f"value_set mixes {' and '.join(sorted(kinds))}; quote words such as no, yes, on and off", "value_set"
        )


def _require_comparison(condition: str) -> None:
    try:
        tree = ast.parse(condition, mode="eval")
    except (SyntaxError, ValueError):
        raise ValueError("row_condition is not a comparison, for example: cancelled == False") from None
    for part in ast.walk(tree):
        if isinstance(part, ast.Call):
            raise ValueError("row_condition must not call anything; compare columns with values")
        if isinstance(part, ast.Name) and "__" in part.id:
            raise ValueError("row_condition must not name anything with two underscores")
        if not isinstance(part, _CONDITION_PARTS):
            raise ValueError("row_condition may only compare columns with values, joined by and, or, not")


def _require_distinct(document: Document, expectations: tuple[Expectation, ...]) -> None:
    seen: dict[str, int] = {}
    for index, each in enumerate(expectations):
        meaning = fingerprint(each.model_dump(mode="json", exclude={"severity"}))
        if meaning in seen:
            first = document.lines.get((seen[meaning],), 1)
            raise DeclarationError(
                "The same expectation is declared twice.",
                where=document.where(index),
                found=f"{each.expectation}, as in line {first}",
                do="keep one of them",
            )
        seen[meaning] = index


def unknown_name(suite: Suite, index: int, known: list[str]) -> DeclarationError:
    """Describe an expectation that the installed Great Expectations does not have."""
    name = suite.expectations[index].expectation
    return DeclarationError(
        f"There is no expectation {name!r}.{did_you_mean(name, known)}",
        where=suite.document.where(index, "expectation"),
        expected="the name of an expectation of Great Expectations",
    )


def unknown_argument(suite: Suite, index: int, argument: str, known: list[str]) -> DeclarationError:
    """Describe an argument that an expectation does not take."""
    name = suite.expectations[index].expectation
    return DeclarationError(
        f"{name} takes no {argument!r}.{did_you_mean(argument, known)}",
        where=suite.document.where(index, argument),
    )
