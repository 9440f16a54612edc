"""A verdict as a page that people read, in Markdown: in MLflow beside the version, and where they approve it."""

from __future__ import annotations

from datetime import timedelta

from airloom.core.verdict import Check, Judged, Verdict
from airloom.core.wording import lasting


def markdown(verdict: Verdict) -> str:
    """Write a verdict with every metric, and every rule with what was found and what was expected."""
    sides = [verdict.challenger, *([verdict.champion] if verdict.champion else [])]
    names = [f"{role}, version {side.version}" for role, side in zip(("challenger", "champion"), sides, strict=False)]
    names += [f"baseline {name}" for name in verdict.baselines]
    degraded = ", **trained on data with warnings**" if verdict.degraded else ""
    return "\n".join(
        [
            f"**{verdict.pipeline} {verdict.partition}: {verdict.outcome}.** {verdict.reasons}",
            *(f"\n**Warning:** {warning}." for warning in verdict.warnings),
            "",
            *_table(("rule", "", "found", "expected"), [_rule(check) for check in verdict.checks]),
            "",
            *_table((f"on {verdict.challenger.rows:,} rows", *names), _metrics(sides, [*verdict.baselines.values()])),
            "",
            f"Verdict `{verdict.id}`, training set `{verdict.training_digest}`{degraded}, "
            f"declaration `{verdict.pipeline_digest}`.",
        ]
    )


def question(verdict: Verdict, timeout: timedelta) -> tuple[str, str]:
    """Write what a person is asked, in one line, and all that helps to answer it.

    Args:
        verdict: A verdict that would move the champion.
        timeout: How long an answer is awaited.
    """
    version, day = verdict.challenger.version, verdict.partition
    return (
        f"Shall version {version} be the champion of {verdict.pipeline} from {day} on?",
        f"{markdown(verdict)}\n\nWithout an answer within {lasting(timeout)} it will not be.",
    )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return [_line(head), _line(tuple("---" for _ in head)), *(_line(row) for row in rows)]


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _rule(check: Check) -> tuple[str, ...]:
    return check.rule, "passed" if check.passed else "**failed**", check.found, check.expected


def _metrics(sides: list[Judged], baselines: list[dict[str, float | None]]) -> list[tuple[str, ...]]:
    found = [*(side.metrics for side in sides), *baselines]
    rows = [("as of", *(str(side.as_of) for side in sides), *("" for _ in baselines))]
    return rows + [(name, *(_value(each.get(name)) for each in found)) for name in sides[0].metrics]


def _value(value: float | None) -> str:
    return "could not be scored" if value is None else f"{value:.4f}"
