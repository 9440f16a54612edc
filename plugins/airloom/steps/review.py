"""review: once labels have arrived, whether promotions were right, and whether the champion is worth having."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from airloom.core.errors import AirloomError, Unavailable
from airloom.core.partitions import day_range, require_ended
from airloom.core.pipeline import Pipeline
from airloom.core.records import Dataset, Record
from airloom.core.settings import Settings
from airloom.core.verdict import Effect, Verdict
from airloom.core.wording import counted
from airloom.steps.alerts import send_alert
from airloom.steps.baselines import predict_constant_beside
from airloom.steps.columns import input_columns, join_features
from airloom.steps.compare import compare_after
from airloom.steps.examples import add_labels, as_ofs, scored_rows
from airloom.steps.label_inputs import current_labels
from airloom.steps.outputs import predicted, to_columns
from airloom.steps.readiness import usable_days
from airloom.steps.staleness import Staleness
from airloom.steps.standing import Standing, standing
from airloom.stores.lake import Lake
from airloom.stores.ledger import Ledger
from airloom.stores.models import ModelRegistry
from airloom.stores.notes import Kind, Notes

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: On so many labelled days after it a promotion is judged.
FOLLOWED = 28


def review(pipeline: Pipeline, partition: date, settings: Settings, actor: str) -> Record:
    """Judge every promotion once its 28th labelled day exists, and say when the champion is worse than the average.

    Both are kept as notes beside the ledger, and neither moves a champion.

    Args:
        pipeline: The declaration.
        partition: The day whose labels are the newest to count.
        settings: Where ledger, lake and models are.
        actor: The run that does it.

    Returns:
        What was found.

    Raises:
        Unavailable: A server does not answer.
    """
    require_ended(partition, pipeline.schedule.timezone)
    ledger, notes = Ledger(settings.state_url), Notes(settings.state_url)
    reviewed = {note.subject for note in notes.of(pipeline.name, "reviewed")}
    applied = [row.verdict for row in ledger.history(pipeline.name) if row.verdict and row.verdict not in reviewed]
    told, read = [], []
    for verdict in map(ledger.verdict, applied):
        days = _days_after(pipeline, verdict.partition, partition, settings)
        if len(days) < FOLLOWED:
            continue
        found = _compare(pipeline, verdict, days, partition, settings)
        notes.add(pipeline.name, "reviewed", verdict.partition, verdict.id, actor, found)
        told.append(f"version {verdict.challenger.version}, promoted as of {verdict.partition}: {found}")
        read.append(Dataset(name="verdict", partition=verdict.partition, version=verdict.id))
    now = standing(pipeline, settings)
    if now:
        _note(pipeline, partition, now, notes, settings, actor)
        told.append(f"champion version {now.version} is {now}")
    headline = "; ".join(told) or "nothing to look back on yet"
    return Record(pipeline=pipeline.name, partition=partition, headline=headline, inputs=tuple(read))


def _days_after(pipeline: Pipeline, night: date, partition: date, settings: Settings) -> list[date]:
    """Return the first labelled days after a night, as many as a promotion is judged on, or those that there are."""
    days = day_range(night + timedelta(days=1), partition - pipeline.label.matures_after)
    return usable_days(pipeline, days, partition, _current(pipeline, days, settings))[:FOLLOWED]


def _current(pipeline: Pipeline, days: Sequence[date], settings: Settings) -> Lake:
    """Return the lake without features and labels of some days that are stale."""
    return current_labels(pipeline, Staleness.read(pipeline, settings).current(days), settings)


def _compare(pipeline: Pipeline, verdict: Verdict, days: Sequence[date], partition: date, settings: Settings) -> str:
    """Say whether a champion was better than the one before it, or than a constant, on the days that followed."""
    before = f"version {verdict.champion.version}" if verdict.champion else "a constant"
    try:
        effects = compare_after(pipeline, _followed(pipeline, verdict, days, partition, settings))
    except Unavailable:
        raise
    except AirloomError as error:
        return f"not compared with {before}: {error.brief}"
    better = [effect.gain > 0 for effect in effects]
    word = "better" if all(better) else "not better" if not any(better) else "better in part"
    return f"{word} than {before}: {', '.join(map(_shown, effects))} on {counted(len(days), 'day')} that followed"


def _shown(effect: Effect) -> str:
    ends = "" if effect.lower is None or effect.upper is None else f" [{effect.lower:+.4f}, {effect.upper:+.4f}]"
    return f"{effect.metric} {effect.gain:+.4f}{ends}"


def _followed(
    pipeline: Pipeline, verdict: Verdict, days: Sequence[date], partition: date, settings: Settings
) -> pd.DataFrame:
    """Return the labelled rows of some days with what the promoted champion and the one before it predict for them."""
    lake = _current(pipeline, days, settings)
    rows, _ = scored_rows(pipeline, days, lake)
    labelled, _ = add_labels(pipeline, rows, partition, lake)
    joined = join_features(pipeline, settings, labelled, as_ofs(pipeline, labelled), lake)
    outputs = {"challenger": _predict(pipeline, verdict.challenger.version, joined, settings)}
    outputs["champion"] = (
        _predict(pipeline, verdict.champion.version, joined, settings)
        if verdict.champion
        else predict_constant_beside(pipeline, verdict, joined, settings)
    )
    for name, each in outputs.items():
        joined = joined.assign(**to_columns(pipeline.label, name, each))
    return joined


def _predict(pipeline: Pipeline, version: int, rows: pd.DataFrame, settings: Settings) -> np.ndarray:
    model, inputs = ModelRegistry(settings, pipeline.name).load(version), rows[input_columns(pipeline, settings)]
    return predicted(pipeline.label, model, inputs, f"Version {version}")


def _note(pipeline: Pipeline, partition: date, now: Standing, notes: Notes, settings: Settings, actor: str) -> None:
    """Keep that the champion has become worse than the average, or better again, and tell the former once."""
    version = str(now.version)
    earlier = [note for note in notes.of(pipeline.name, "worse", "recovered") if note.subject == version]
    kind: Kind = "worse" if now.since else "recovered"
    if kind == (earlier[-1].kind if earlier else "recovered"):
        return
    since = now.since or partition
    new = notes.add(pipeline.name, kind, since, version, actor, str(now), number=len(earlier) + 1)
    if new and now.since:
        send_alert(pipeline, since, f"champion version {version} is {now}", settings)
