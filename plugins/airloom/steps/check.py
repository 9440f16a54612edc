"""The door to Great Expectations: checks a frame against a suite and returns findings without values of the data."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from airloom.core.audit import Finding
from airloom.core.errors import DeclarationError
from airloom.core.expectations import Expectation, Suite, unknown_argument, unknown_name

if TYPE_CHECKING:
    import pandas as pd

# Its import tells of every function that it does not document.
logging.getLogger("great_expectations").setLevel(logging.WARNING)

_COUNTS = (
    "element_count",
    "unexpected_count",
    "unexpected_percent",
    "unexpected_percent_nonmissing",
    "missing_count",
    "missing_percent",
)
#: Observed values that are counts, shares, moments or types; others, such as a maximum, are values of the data.
_HARMLESS = re.compile(
    r"expect_(table_(row|column)_count|column_(mean|stdev|unique_value_count|proportion_of)|column_values_to_be_(of|in)_type)"
)
#: Expectations that have something to say about a column without a single value.
_JUDGES_NULLS = frozenset(
    {
        "expect_column_to_exist",
        "expect_column_values_to_be_null",
        "expect_column_values_to_not_be_null",
        "expect_column_proportion_of_non_null_values_to_be_between",
    }
)
_ERROR_NAME = re.compile(r"^(?:[\w.]*\.)?(\w*(?:Error|Exception))\b", re.MULTILINE)


def check(frame: pd.DataFrame, suite: Suite, parameters: Mapping[str, datetime]) -> list[Finding]:
    """Check a frame against a suite.

    Args:
        frame: The rows, numbered from 0.
        suite: What must hold.
        parameters: Values of the parameters that the suite may name.

    Returns:
        What became of each expectation, in the suite's order.

    Raises:
        DeclarationError: The suite names an expectation or an argument that does not exist.
    """
    built = [_build(suite, index, parameters) for index in range(len(suite.expectations))]
    results = _run(frame, built, "BASIC")
    findings = [_finding(frame, each, results[index]) for index, each in enumerate(suite.expectations)]
    return _with_rows(frame, findings, built)


def version() -> str:
    """Return the version of Great Expectations that checks."""
    import great_expectations

    return str(great_expectations.__version__)


def _build(suite: Suite, index: int, parameters: Mapping[str, datetime]) -> Any:
    from great_expectations.compatibility.pydantic import ValidationError
    from great_expectations.expectations.row_conditions import PassThroughCondition

    expectation = suite.expectations[index]
    kind = _implementation(suite, index)
    arguments = expectation.arguments(parameters)
    for name in arguments:
        if name not in kind.__fields__:
            raise unknown_argument(suite, index, name, list(kind.__fields__))
    if expectation.row_condition is not None:
        # Reading the suite has made sure that this text only compares columns with values.
        arguments["row_condition"] = PassThroughCondition(pass_through_filter=expectation.row_condition)
    try:
        return kind(**arguments, severity=expectation.severity, meta={"index": index})
    except (ValidationError, ValueError, TypeError) as error:
        raise DeclarationError(
            f"{expectation.expectation} cannot be declared like this.",
            where=suite.document.where(index),
            found=str(error),
        ) from None


def _implementation(suite: Suite, index: int) -> Any:
    import great_expectations.expectations  # noqa: F401 - registers the expectations
    from great_expectations.expectations import registry

    known = registry.list_registered_expectation_implementations()
    name = suite.expectations[index].expectation
    if name not in known:
        raise unknown_name(suite, index, known)
    return registry.get_expectation_impl(name)


@cache
def _batches() -> Any:
    """Set up Great Expectations once per process, in memory and silent."""
    import great_expectations
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = great_expectations.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    asset = context.data_sources.add_pandas("staging").add_dataframe_asset("table")
    return asset.add_batch_definition_whole_dataframe("partition")


def _run(frame: pd.DataFrame, built: Sequence[Any], result_format: str) -> dict[int, Any]:
    """Return Great Expectations' results by the expectation's place in the suite: it returns them in its own order."""
    from great_expectations import ExpectationSuite

    batch = _batches().get_batch(batch_parameters={"dataframe": frame})
    outcome = batch.validate(ExpectationSuite(name="suite", expectations=list(built)), result_format=result_format)
    return {result.expectation_config.meta["index"]: result for result in outcome.results}


def _finding(frame: pd.DataFrame, expectation: Expectation, result: Any) -> Finding:
    trouble = _exception(result)
    if trouble is not None:
        return Finding(expectation, "could not run", _could_not_run(frame, expectation, trouble))
    statistics = _statistics(expectation, result.result)
    emptiness = _vacuous(frame, expectation)
    if emptiness:
        return Finding(expectation, "vacuous", f"vacuous: {emptiness}", statistics=statistics)
    if result.success:
        return Finding(expectation, "held", statistics=statistics)
    return Finding(expectation, "failed", _found(expectation, result.result), statistics=statistics)


def _with_rows(frame: pd.DataFrame, findings: list[Finding], built: Sequence[Any]) -> list[Finding]:
    """Ask again, for the rows, where rows would be held back: naming rows costs as much as the check itself."""
    asked = [index for index, each in enumerate(findings) if each.kind == "failed" and each.critical]
    asked = [index for index in asked if "unexpected_count" in findings[index].statistics]
    if not asked:
        return findings
    results = _run(frame, [built[index] for index in asked], "COMPLETE")
    named = {index: _positions(results[index].result) for index in asked}
    return [
        Finding(each.expectation, each.kind, each.found, named.get(index, ()), each.statistics)
        for index, each in enumerate(findings)
    ]


def _positions(result: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(int(position) for position in result.get("unexpected_index_list") or ())


def _exception(result: Any) -> str | None:
    """Return the traceback of a check that could not run, None when it ran."""
    info = result.exception_info or {}
    each = [info] if "raised_exception" in info else [entry for entry in info.values() if isinstance(entry, dict)]
    raised = [entry for entry in each if entry.get("raised_exception")]
    return str(raised[0].get("exception_traceback")) if raised else None


def _could_not_run(frame: pd.DataFrame, expectation: Expectation, traceback: str) -> str:
    """Describe by names and types: the exception's own message may hold a value of the data."""
    missing = [name for name in expectation.columns if name not in frame.columns]
    if missing:
        return f"could not run: no column {', '.join(missing)}; there are {', '.join(frame.columns)}"
    types = ", ".join(f"{name} of type {frame[name].dtype}" for name in expectation.columns)
    name = _ERROR_NAME.search(traceback)
    return f"could not run: {name[1] if name else 'an error'}" + (f" on {types}" if types else "")


def _vacuous(frame: pd.DataFrame, expectation: Expectation) -> str:
    """Say why a check had nothing to check; Great Expectations lets most of these pass."""
    if frame.empty:
        return "there are no rows"
    checked = frame.query(expectation.row_condition) if expectation.row_condition else frame
    if checked.empty:
        return "no row meets the row_condition"
    if expectation.expectation in _JUDGES_NULLS:
        return ""
    empty = [name for name in expectation.columns if checked[name].isna().all()]
    return f"every value of {', '.join(empty)} is null" if empty else ""


def _found(expectation: Expectation, result: Mapping[str, Any]) -> str:
    if "element_count" in result:
        return f"{result['unexpected_count']:,} of {result['element_count']:,} rows"
    mismatched = (result.get("details") or {}).get("mismatched")
    if expectation.expectation.startswith("expect_table_columns") and isinstance(mismatched, dict):
        return "; ".join(f"{kind} {', '.join(map(str, names))}" for kind, names in sorted(mismatched.items()))
    if _HARMLESS.match(expectation.expectation):
        observed = _plain(result.get("observed_value"))
        return f"observed {observed:,.4g}" if isinstance(observed, float) else f"observed {observed}"
    return "it did not hold"


def _statistics(expectation: Expectation, result: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what Great Expectations counted, and none of the values that it sampled."""
    kept = {name: _plain(result[name]) for name in _COUNTS if name in result}
    if _HARMLESS.match(expectation.expectation) and "observed_value" in result:
        kept["observed_value"] = _plain(result["observed_value"])
    return kept


def _plain(value: Any) -> Any:
    """Return a plain Python number or text for numpy's."""
    return value.item() if hasattr(value, "item") else value
