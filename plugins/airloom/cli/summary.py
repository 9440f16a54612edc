"""Prints what a range of days has brought."""

from __future__ import annotations

from rich.table import Table

from airloom.cli.console import console
from airloom.core.pipeline import Pipeline
from airloom.core.verdict import Verdict
from airloom.launcher.api import AirflowApi
from airloom.launcher.backfill import Request
from airloom.launcher.summary import Summary, TableFacts
from airloom.steps.outcomes import Quality


def print_stages(api: AirflowApi, request: Request) -> None:
    """Print runs, task instances and time of each stage, as Airflow counted them."""
    table = Table("stage", "runs", "failed", "task instances", "seconds", title="Stages", title_justify="left")
    total = 0
    for stage in request.stages:
        dag_id, days = request.dag_id(stage), request.days_of(stage)
        tasks, span = api.count_tasks(dag_id, days), api.span(dag_id, days)
        runs, failed = api.count_runs(dag_id, days), api.count_runs(dag_id, days, ["failed"])
        table.add_row(stage, str(runs), str(failed), str(tasks), f"{span.seconds:.0f}" if span else "-")
        total += tasks
    console.print(table)
    console.print(f"{total} task instances", highlight=False)


def print_summary(pipeline: Pipeline, summary: Summary) -> None:
    """Print the facts of a range of days."""
    console.print(_tables(summary.tables))
    console.print(_verdicts(pipeline, summary.verdicts))
    for name, text in _lines(pipeline, summary).items():
        console.print(f"{name:<12}{text}", highlight=False, markup=False, soft_wrap=True)


def _tables(facts: tuple[TableFacts, ...]) -> Table:
    table = Table(
        "table", "days published", "rows", "rows quarantined", "days blocked", title="Data", title_justify="left"
    )
    for each in facts:
        counts = (each.published, each.rows, each.quarantined_rows, each.blocked)
        table.add_row(each.table, *(f"{count:,}" for count in counts))
    return table


def _verdicts(pipeline: Pipeline, verdicts: tuple[Verdict, ...]) -> Table:
    metric = pipeline.gate.metric
    table = Table("night", "verdict", "challenger", f"{metric}", "champion", f"{metric}", "why", title="Verdicts")
    table.title_justify = "left"
    for verdict in verdicts:
        champion = verdict.champion
        table.add_row(
            str(verdict.partition),
            verdict.outcome,
            f"v{verdict.challenger.version}",
            _number(verdict.challenger.metrics.get(metric)),
            f"v{champion.version}" if champion else "-",
            _number(champion.metrics.get(metric)) if champion else "-",
            verdict.reasons,
        )
    return table


def _lines(pipeline: Pipeline, summary: Summary) -> dict[str, str]:
    views, champion = summary.views, summary.champion
    trained = ", ".join(f"{count} {name}" for name, count in sorted(summary.trained.items()))
    metrics = ", ".join(f"{name} {_number(value)}" for name, value in summary.champion_metrics.items())
    since = f"version {champion.version} since {champion.effective_from}: {metrics}" if champion else "none yet"
    return {
        "features": f"{len(views)} views, {sum(views.values())} partitions",
        "trained": f"{trained or 'nothing'} on {summary.nights} nights",
        "champion": since,
        "predictions": f"{summary.predictions:,} for {summary.predicted_days} days",
        "how good": _quality(pipeline, summary.quality),
        **({"standing": f"version {found.version} is {found}"} if (found := summary.standing) else {}),
        "lineage": f"{summary.events:,} events",
    }


def _quality(pipeline: Pipeline, quality: Quality | None) -> str:
    """Tell what predictions were worth, and the baselines beside them, in the metrics in which one must be beaten."""
    if quality is None:
        return "no labels have arrived yet"
    metrics = list(dict.fromkeys((pipeline.gate.metric, *pipeline.gate.skill)))
    told = f"on {quality.days} days whose labels have arrived ({quality.rows:,} predictions): " + "; ".join(
        f"{metric} {_number(quality.metrics[metric])}"
        + "".join(f", {name} {_number(found[metric])}" for name, found in quality.baselines.items())
        for metric in metrics
    )
    if quality.predicted is None or quality.happened is None:
        return told
    return f"{told}; {quality.predicted:.3f} predicted and {quality.happened:.3f} happened, on average"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
