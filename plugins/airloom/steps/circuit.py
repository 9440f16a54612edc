"""circuit: training pauses when it has not helped for many nights, and is tried again after a while or on new data."""

from __future__ import annotations

import logging
from datetime import date

from airloom.core.circuit import Night, Pause, pause
from airloom.core.errors import NotDue
from airloom.core.partitions import require_ended
from airloom.core.pipeline import Pipeline
from airloom.core.places import Place
from airloom.core.records import Record, TrainingSet
from airloom.core.settings import Settings
from airloom.steps.alerts import send_alert
from airloom.steps.drift import population_stability
from airloom.steps.provenance import recipe
from airloom.steps.training_sets import read_file, training_files, training_path
from airloom.stores.ledger import Ledger
from airloom.stores.notes import Notes

_log = logging.getLogger(__name__)


def current_pause(pipeline: Pipeline, partition: date | None, settings: Settings) -> Pause | None:
    """Return the pause that holds for a night, by what came of the nights before it.

    Args:
        pipeline: The declaration.
        partition: The night; None for the one after all that were judged.
        settings: Where the ledger is.
    """
    rules = pipeline.train.circuit
    if rules is None:
        return None
    nights = _nights(pipeline, settings)
    pauses = {each: pause(nights, each, rules, partition) for each in {night.recipe for night in nights}}
    # The candidates are imported for their recipe only when it matters.
    return pauses.get(recipe(pipeline, settings)) if any(pauses.values()) else None


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
        _log.warning("Training was paused and is tried again: %s.", found.why)
        return
    if changed := _changed(pipeline, training, found, settings):
        _log.warning("Training was paused and is tried again, because the data has changed: %s.", changed)
        return
    # Nights may have been judged in any order: no night is left out before somebody was told.
    _announce(pipeline, found, settings)
    raise NotDue(f"{str(found)[0].upper()}{str(found)[1:]}.", do="correct the candidates or the data")


def note_failure(pipeline: Pipeline, partition: date, settings: Settings, actor: str) -> Record:
    """Keep that a night's training has failed, which counts like one that was rejected.

    Args:
        pipeline: The declaration.
        partition: The night.
        settings: Where the ledger is.
        actor: The run that failed.
    """
    require_ended(partition, pipeline.schedule.timezone)
    what = "the training failed; the tasks of its run say why"
    Notes(settings.state_url).add(pipeline.name, "failed", partition, recipe(pipeline, settings), actor, what)
    announce_pause(pipeline, settings)
    return Record(pipeline=pipeline.name, partition=partition, headline=f"noted: {what}")


def announce_pause(pipeline: Pipeline, settings: Settings) -> None:
    """Tell once that training pauses: in the log, in the ledger's notes and through the pipeline's `alert`."""
    if found := current_pause(pipeline, None, settings):
        _announce(pipeline, found, settings)


def _announce(pipeline: Pipeline, found: Pause, settings: Settings) -> None:
    notes, since = Notes(settings.state_url), found.nights[0]
    nights = {(night.partition, night.recipe) for night in found.nights}
    # A pause that has grown since, at either end, is the same one.
    if any((note.partition, note.subject) in nights for note in notes.of(pipeline.name, "paused")):
        return
    if notes.add(pipeline.name, "paused", since.partition, since.recipe, f"{pipeline.name}.train", str(found)):
        send_alert(pipeline, found.nights[-1].partition, str(found), settings)


def _nights(pipeline: Pipeline, settings: Settings) -> list[Night]:
    """Return what came of every night by every recipe: its last verdict, or that it has only failed."""
    failed = [
        Night(note.partition, note.kind, note.subject) for note in Notes(settings.state_url).of(pipeline.name, "failed")
    ]
    judged = [
        Night(each.partition, each.outcome, each.recipe, each.training_digest)
        for each in Ledger(settings.state_url).verdicts(pipeline.name)
    ]
    return list({(night.partition, night.recipe): night for night in [*failed, *judged]}.values())


def _changed(pipeline: Pipeline, training: TrainingSet, found: Pause, settings: Settings) -> str:
    """Name what has changed since the last useless night that has a training set; empty when nothing has."""
    reference = _reference(pipeline, found, settings)
    if reference is None or pipeline.train.circuit is None:
        return ""
    before, now = read_file(reference), read_file(settings.training / training.path)
    if only := sorted({*before.columns.all} ^ {*now.columns.all}):
        return f"the column {only[0]} is {'new' if only[0] in now.columns.all else 'gone'}"
    indices = population_stability(before.frame, now.frame, [*now.columns.all, pipeline.label.column])
    name = max(indices, key=lambda each: indices[each])
    return f"{name} by {indices[name]:.2f}" if indices[name] > pipeline.train.circuit.drift else ""


def _reference(pipeline: Pipeline, found: Pause, settings: Settings) -> Place | None:
    """Return the training set of the last useless night that has one: the one that was judged, or else the newest."""
    for night in reversed(found.nights):
        judged = settings.training / training_path(pipeline.name, night.partition, night.training)
        if files := training_files(pipeline, night.partition, settings):
            return judged if judged in files else files[-1]
    return None
