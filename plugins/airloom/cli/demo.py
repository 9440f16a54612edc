"""`airloom demo`: everything at once, and what came of it."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Annotated

import typer

from airloom.cli.backfill import require_no_failure, watch
from airloom.cli.console import console, services
from airloom.cli.summary import print_stages, print_summary
from airloom.cli.up import print_addresses, start
from airloom.core.declaration import find_pipeline
from airloom.core.partitions import parse_partition
from airloom.launcher.api import AirflowApi, Range
from airloom.launcher.backfill import Request, check
from airloom.launcher.services import Services
from airloom.launcher.summary import summarize


def demo(
    pipeline: Annotated[str, typer.Argument(help="Name of the pipeline.")] = "flight_delays",
    first: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD.")] = "2013-01-01",
    last: Annotated[str, typer.Option("--to", help="Last day, YYYY-MM-DD.")] = "2013-03-12",
    nights: Annotated[int, typer.Option(min=1, help="Train and score only so many of the newest days.")] = 14,
) -> None:
    """Start Airflow, run every stage over real days by its backfills, and print what happened."""
    servers = services()
    days = Range(parse_partition(first), parse_partition(last))
    request = Request(
        pipeline=find_pipeline(servers.settings.include, pipeline),
        days=days,
        reprocess="failed",
        nights=Range(max(days.first, days.last - timedelta(days=nights - 1)), days.last),
    )
    check(request)
    began = time.monotonic()
    started = start(servers)
    try:
        _run(servers, request, began)
    except KeyboardInterrupt:
        if started:
            console.print("\nstopping what this command has started; `make demo` continues where it stopped")
            servers.stop()
        raise


def _run(servers: Services, request: Request, began: float) -> None:
    ready = time.monotonic()
    api = AirflowApi(servers.settings, servers.ports)
    stages = watch(api, request)
    ended = time.monotonic()
    print_stages(api, request)
    print_summary(request.pipeline, summarize(request.pipeline, servers.settings, request.days))
    console.print(
        f"\n{ended - began:.0f} s in all: {ready - began:.0f} s to start, {ended - ready:.0f} s for the days.\n",
        highlight=False,
    )
    print_addresses(servers)
    require_no_failure(stages)
