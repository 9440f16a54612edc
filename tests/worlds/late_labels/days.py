"""The days of these pipelines, run by the plain steps in whatever order, without Airflow."""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import cache
from pathlib import Path

from airloom.core.declaration import find_pipeline
from airloom.core.partitions import day_range
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.launcher.features import apply_pipeline
from airloom.steps.compute import compute
from tests.worlds import plain_steps
from tests.worlds.installation import settings_at

PROJECT = Path(__file__).parent
NAMES = ("churn", "demand", "spam")


def declared(name: str) -> Pipeline:
    return find_pipeline(PROJECT / "include", name)


def first_night(pipeline: Pipeline) -> date:
    """Return the first day that has a training set."""
    newest = pipeline.schedule.start + pipeline.train.window.min - timedelta(days=1)
    return newest + pipeline.label.matures_after


def days_until(pipeline: Pipeline, night: date) -> list[date]:
    """Return the days that a training set as of a night is made of."""
    return day_range(pipeline.schedule.start, night)


def installed(name: str, folder: Path) -> Settings:
    """Return the settings of an installation that knows the features of a pipeline, and has no data."""
    shutil.copytree(_applied(name) / "var" / "state", folder / "var" / "state")
    return settings_at(folder, project=PROJECT)


@cache
def _applied(name: str) -> Path:
    folder = Path(tempfile.mkdtemp(dir=os.environ["AIRFLOW_HOME"]))
    apply_pipeline(settings_at(folder, project=PROJECT), declared(name))
    return folder


def ingest(pipeline: Pipeline, day: date, settings: Settings, source: str = "extract") -> None:
    """Extract, validate and publish a day, by a function of the pipeline's source."""
    module = pipeline.source.partition(":")[0]
    plain_steps.ingest(pipeline.model_copy(update={"source": f"{module}:{source}"}), day, settings)


def arrive(
    pipeline: Pipeline,
    order: Sequence[date],
    settings: Settings,
    mistaken: Iterable[date] = (),
    features_later: Iterable[date] = (),
    source: str = "extract",
) -> None:
    """Ingest days in an order and compute their features.

    Args:
        pipeline: The declaration.
        order: The days, some of them more than once.
        settings: Where everything is.
        mistaken: Days that are wrong until they come for the last time.
        features_later: Days whose features are computed after everything has arrived, in this order.
        source: The function of the pipeline's source.
    """
    left = Counter(order)
    for day in order:
        left[day] -= 1
        ingest(pipeline, day, settings, "mistaken" if left[day] and day in mistaken else source)
        if day not in features_later:
            compute(pipeline, day, settings)
    for day in features_later:
        compute(pipeline, day, settings)
