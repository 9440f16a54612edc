"""circuit: training pauses when it has not helped for many nights, and is tried again after a while or on new data."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from airloom.core.circuit import Night, Pause, pause
from airloom.core.errors import NotDue
from airloom.core.pipeline import Pipeline
from airloom.core.records import Record, TrainingSet
from airloom.core.settings import Settings
from airloom.steps.drift import population_stability
from airloom.steps.provenance import recipe
from airloom.steps.references import load_reference
from airloom.steps.training_sets import read_file, training_files
from airloom.stores.ledger import Ledger
from airloom.stores.notes import Notes

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Alert:
    """What a pipeline's `alert` function is told, once a pause.

    Args:
        pipeline: Name of the pipeline.
        partition: The night that made training pause.
        message: What happened and what comes next.
    """

    pipeline: str
    partition: date
    message: str


def current_pause(pipeline: Pipeline, partition: date | None, settings: Settings) -> Pause | None:
    """Return the pause that holds for a night, by what came of the nights before it.

    Args:
        pipeline: The declaration.
        partition: The night; None for the one after all that were judged.
        settings: Where the ledger is.
    """
    rules = pipeline.train.circuit
    nights = _nights(pipeline, partition, settings) if rules else []
    if rules is None or not nights or pause(nights, nights[-1].recipe, rules) is None:
        return None
    return pause(nights, recipe(pipeline, settings), rules)


def require_training(pipeline: Pipeline, training: TrainingSet, settings: Settings) -> None:
    """Let a night be trained unless training is paused, it is not yet time, and the data is what it was.

    Args:
        pipeline: The declaration.
        training: The night's training set.
        settings: Where ledger and training sets are.

    Raises:
        NotDue: Training is paused.
    """
    found = current_pause(pipeline, training.partition, settings)
    if found is None:
        return
    if training.partition >= found.until:
        _log.warning("Training was paused and is tried again: %s.", found)
        return
    changed = _changed(pipeline, training, found, settings)
    if not changed:
        raise NotDue(f"{str(found)[0].upper()}{str(found)[1:]}.", do="correct the candidates or the data")
    _log.warning("Training was paused and is tried again, because the data has changed: %s.", changed)


def note_failure(pipeline: Pipeline, partition: date, settings: Settings, actor: str) -> Record:
    """Keep that a night's training has failed, which counts like one that was rejected.

    Args:
        pipeline: The declaration.
        partition: The night.
        settings: Where the ledger is.
        actor: The run that failed.
    """
    what = "the training failed; the tasks of its run say why"
    Notes(settings.state_url).add(pipeline.name, "failed", partition, recipe(pipeline, settings), actor, what)
    announce_pause(pipeline, partition, settings)
    return Record(pipeline=pipeline.name, partition=partition, headline=f"noted: {what}")


def announce_pause(pipeline: Pipeline, partition: date, settings: Settings) -> None:
    """Tell once that training pauses: in the log, in the ledger's notes and through the pipeline's `alert`."""
    found = current_pause(pipeline, None, settings)
    if found is None or found.nights[-1].partition != partition:
        return
    since = found.nights[0]
    if Notes(settings.state_url).add(
        pipeline.name, "paused", since.partition, since.recipe, f"{pipeline.name}.train", str(found)
    ):
        _log.error("%s: %s.", pipeline.name, found)
        _alert(pipeline, Alert(pipeline.name, partition, str(found)), settings)


def _alert(pipeline: Pipeline, alert: Alert, settings: Settings) -> None:
    if pipeline.alert is None:
        return
    try:
        load_reference(pipeline.alert, settings.project)(alert)
    except Exception:  # noqa: BLE001 - an alert that cannot be sent must not fail what it tells about
        _log.exception("The alert of %s could not be sent.", pipeline.name)


def _nights(pipeline: Pipeline, partition: date | None, settings: Settings) -> list[Night]:
    """Return what came of every night before a partition, oldest first; of a night that ran twice, the last."""
    found: dict[date, tuple[datetime, Night]] = {}
    verdicts = [
        (at, Night(each.partition, each.outcome, each.recipe))
        for at, each in Ledger(settings.state_url).decisions(pipeline.name)
    ]
    failed = [
        (each.decided_at, Night(each.partition, each.kind, each.subject))
        for each in Notes(settings.state_url).of(pipeline.name, "failed")
    ]
    for at, night in sorted([*verdicts, *failed], key=lambda entry: entry[0]):
        if partition is None or night.partition < partition:
            found[night.partition] = at, night
    return [found[day][1] for day in sorted(found)]


def _changed(pipeline: Pipeline, training: TrainingSet, found: Pause, settings: Settings) -> str:
    """Name what has changed since the last useless night that has a training set; empty when nothing has."""
    reference = _reference(pipeline, found, settings)
    if reference is None or pipeline.train.circuit is None:
        return ""
    before, now = read_file(reference), read_file(settings.training / training.path)
    columns = [name for name in (*now.columns.all, pipeline.label.column) if name in before.frame]
    indices = population_stability(before.frame, now.frame, columns)
    name = max(indices, key=lambda each: indices[each])
    return f"{name} by {indices[name]:.2f}" if indices[name] > pipeline.train.circuit.drift else ""


def _reference(pipeline: Pipeline, found: Pause, settings: Settings) -> Path | None:
    for night in reversed(found.nights):
        if files := training_files(pipeline, night.partition, settings):
            return files[-1]
    return None
