"""What an audit found in a table, and the pure judgement of what becomes of the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from airloom.core.expectations import Expectation
from airloom.core.records import Failure

Kind = Literal["held", "failed", "vacuous", "could not run"]
Outcome = Literal["passed", "degraded", "quarantined", "blocked"]


_NO_ROWS = "there are no rows"


@dataclass(frozen=True)
class Finding:
    """What became of one expectation; holds counts and types, never a value of the data.

    Args:
        expectation: The expectation.
        kind: Whether it held. One that had nothing to check is vacuous and counts as failed.
        found: What was found, in words; empty when it held.
        rows: Positions of the rows that did not meet it, where rows can be told.
        statistics: Counts and shares.
    """

    expectation: Expectation
    kind: Kind
    found: str = ""
    rows: tuple[int, ...] = ()
    statistics: dict[str, Any] = field(default_factory=dict)

    @property
    def critical(self) -> bool:
        """Whether it failed so that rows or the whole table must be held back.

        A check that could not run is critical whatever its severity: nobody knows what it would have found.
        """
        return self.kind == "could not run" or (self.kind != "held" and self.expectation.severity == "critical")


@dataclass(frozen=True)
class Judgement:
    """What becomes of an audited table.

    Args:
        outcome: `passed`, `degraded` (warnings), `quarantined` (some rows held back) or `blocked`.
        held_back: Positions of the rows to hold back.
        failures: Every expectation that did not hold.
        reasons: Why the table is blocked or rows are held back.
    """

    outcome: Outcome
    held_back: tuple[int, ...]
    failures: tuple[Failure, ...]
    reasons: tuple[str, ...]

    @property
    def degraded(self) -> bool:
        """Whether a warning stands against the table."""
        return any(failure.severity == "warning" for failure in self.failures)


def judge(findings: Sequence[Finding], rows: int, max_share: float) -> Judgement:
    """Decide what becomes of a table.

    Args:
        findings: What became of each expectation.
        rows: How many rows the table has.
        max_share: The share of rows that may be held back.

    Returns:
        Blocked when a critical failure is about the table as a whole or about more rows than allowed.
    """
    failures = tuple(_failure(each) for each in findings if each.kind != "held")
    critical = [each for each in findings if each.critical]
    reasons = tuple(_reason(each) for each in critical)
    bad = sorted({row for each in critical for row in each.rows})
    too_many = len(bad) > max_share * rows or len(bad) == rows
    if any(not each.rows for each in critical):
        return Judgement("blocked", (), failures, reasons)
    if bad and too_many:
        share = f"{len(bad)} of {rows} rows fail, at most {max_share:.1%} may be quarantined"
        return Judgement("blocked", (), failures, (share, *reasons))
    if bad:
        return Judgement("quarantined", tuple(bad), failures, reasons)
    warned = any(each.severity == "warning" for each in failures)
    return Judgement("degraded" if warned else "passed", (), failures, ())


def judge_empty(allowed: bool) -> Judgement:
    """Decide what becomes of a table without a single row, about which no expectation can say anything.

    Args:
        allowed: Whether the table may have days without rows.

    Returns:
        Passed with a note, or blocked.
    """
    severity = "info" if allowed else "critical"
    note = Failure(expectation="rows", column=None, severity=severity, expected="at least one", found=_NO_ROWS)
    if allowed:
        return Judgement("passed", (), (note,), ())
    return Judgement("blocked", (), (note,), (f"{_NO_ROWS}; expected at least one",))


def _failure(finding: Finding) -> Failure:
    expectation = finding.expectation
    return Failure(
        expectation=expectation.expectation,
        column=", ".join(expectation.columns) or None,
        severity=expectation.severity,
        expected=_expected(expectation),
        found=finding.found,
    )


def _expected(expectation: Expectation) -> str:
    hidden = {"column", "column_A", "column_B", "column_list"}
    return ", ".join(f"{name} {value}" for name, value in expectation.declared.items() if name not in hidden)


def _reason(finding: Finding) -> str:
    columns = ", ".join(finding.expectation.columns)
    subject = f"{finding.expectation.expectation} ({columns})" if columns else finding.expectation.expectation
    expected = _expected(finding.expectation)
    return f"{subject}: {finding.found}" + (f"; expected {expected}" if expected else "")
