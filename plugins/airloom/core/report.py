"""A verdict as a page that people read, in Markdown: in MLflow beside the version, and where they approve it."""

from __future__ import annotations

from airloom.core.verdict import Judged, Verdict


def markdown(verdict: Verdict) -> str:
    """Write a verdict with every rule, what was found and what was expected."""
    rows = [f"| {check.rule} | {_mark(check.passed)} | {check.found} | {check.expected} |" for check in verdict.checks]
    sides = [("challenger", verdict.challenger), *([("champion", verdict.champion)] if verdict.champion else [])]
    return "\n".join(
        [
            f"**{verdict.pipeline} {verdict.partition}: {verdict.outcome}.** {verdict.reasons}",
            "",
            *(f"- {name}: {_judged(judged)}" for name, judged in sides),
            f"- judged on {verdict.challenger.rows:,} rows"
            + (", **trained on data with warnings**" if verdict.degraded else ""),
            "",
            "| rule | | found | expected |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            f"Verdict `{verdict.id}`, training set `{verdict.training_digest}`, "
            f"declaration `{verdict.pipeline_digest}`.",
        ]
    )


def _judged(judged: Judged) -> str:
    values = (f"{name} {value:.4f}" for name, value in judged.metrics.items() if value is not None)
    return f"version {judged.version} as of {judged.as_of}: {', '.join(values) or 'could not be scored'}"


def _mark(passed: bool) -> str:
    return "passed" if passed else "**failed**"
