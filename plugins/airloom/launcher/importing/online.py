"""The online features, written from the lake: an online store has nothing that the lake does not know."""

from __future__ import annotations

from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.core.wording import counted
from airloom.launcher.brought import Brought
from airloom.steps.materialize import materialize
from airloom.stores.lake import Lake


def fill_online(pipeline: Pipeline, settings: Settings) -> Brought:
    """Make the online store what the lake says of all days of a pipeline."""
    part, lake = f"online features of {pipeline.name}", Lake(settings.lake / pipeline.name)
    days = sorted({day for view in pipeline.features.views for day in lake.partitions(f"features.{view}")})
    if not days:
        return Brought(part, changed=False, outcome="none were computed")
    done = materialize(pipeline, days[-1], settings, days)
    return Brought(part, changed=True, outcome=f"{len(done.rows)} views, {counted(len(days), 'day')}")
