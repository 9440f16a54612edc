"""score: predictions for a partition by the champion as of it, in one atomic commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from airloom.core.errors import NotDue
from airloom.core.fingerprint import fingerprint
from airloom.core.partitions import as_of
from airloom.core.pipeline import Pipeline
from airloom.core.records import Dataset, Scored
from airloom.core.settings import Settings
from airloom.steps.columns import input_columns, join_features
from airloom.steps.skew import compare_online, count_expired
from airloom.steps.threads import fixed_threads
from airloom.stores.lake import Lake, PartitionVersion, content_version
from airloom.stores.ledger import Champion, Ledger, effective

if TYPE_CHECKING:
    import pandas as pd

TABLE = "predictions"
#: Columns that say when and by whom a prediction was made; they are no part of what was predicted.
VOLATILE = ("scored_at", "run_id")


@dataclass(frozen=True)
class _Published:
    """What predictions are computed from and what they are, read once: versions by table and day, and the champions."""

    pipeline: Pipeline
    versions: dict[str, dict[date, PartitionVersion]]
    champions: list[Champion]

    @classmethod
    def read(cls, pipeline: Pipeline, settings: Settings) -> _Published:
        lake = Lake(settings.lake / pipeline.name)
        tables = (TABLE, f"raw.{pipeline.score.entities}", *(f"features.{name}" for name in pipeline.features.views))
        champions = Ledger(settings.state_url).history(pipeline.name)
        return cls(pipeline, {table: lake.partitions(table) for table in tables}, champions)

    def champion(self, day: date) -> Champion | None:
        return effective(self.champions, day)

    def inputs(self, day: date) -> tuple[Dataset, ...]:
        """The rows to score, the features of the day, and the model."""
        tables = [table for table in self.versions if table != TABLE and day in self.versions[table]]
        champion = self.champion(day)
        model = (Dataset(name="model", version=str(champion.version)),) if champion else ()
        read = (Dataset(name=table, partition=day, version=self.versions[table][day].version) for table in tables)
        return (*read, *model)

    def fingerprint(self, day: date) -> str:
        facts = {f"{each.name} {each.partition}": each.version for each in self.inputs(day)}
        return fingerprint({**facts, "pipeline": self.pipeline.digest})

    def degraded(self, day: date) -> bool:
        versions = [days.get(day) for table, days in self.versions.items() if table != TABLE]
        return any(version is None or version.degraded for version in versions)

    def is_current(self, day: date) -> bool:
        present = self.versions[TABLE].get(day)
        return present is not None and present.inputs == self.fingerprint(day)

    def stale(self, partition: date) -> list[date]:
        """Other predictions whose inputs have changed: all later ones, and earlier ones within the look-back."""
        oldest = partition - timedelta(days=self.pipeline.look_back)
        others = (day for day in self.versions[TABLE] if day != partition and day >= oldest)
        return [day for day in others if self.champion(day) and not self.is_current(day)]


def score(pipeline: Pipeline, partition: date, settings: Settings, run_id: str) -> Scored:
    """Predict for one partition, and again for those later days whose inputs have changed.

    Args:
        pipeline: The declaration.
        partition: The day as of which to predict.
        settings: Where lake, ledger and models are.
        run_id: The run that does it.

    Returns:
        What was predicted.

    Raises:
        NotDue: There is no champion as of the partition, or nothing to score.
        DataError: The online store has other features than the predictions would be made from.
    """
    published = _Published.read(pipeline, settings)
    champion = published.champion(partition)
    if champion is None:
        raise NotDue(
            f"{pipeline.name} has no champion as of {partition}.", do="train first; nothing is scored until then"
        )
    changed = not published.is_current(partition)
    healed = published.stale(partition)
    compared, expired = 0, {}
    if changed:
        joined = _joined(pipeline, partition, settings)
        compared = compare_online(pipeline, partition, joined, settings)
        expired = count_expired(pipeline, partition, joined, settings)
        _score_day(published, partition, joined, settings, run_id)
    for day in healed:
        _score_day(published, day, _joined(pipeline, day, settings), settings, run_id)
    lake = Lake(settings.lake / pipeline.name)
    versions = lake.partitions(TABLE)
    rows = len(lake.read(TABLE, [partition], columns=["score"]))
    return Scored(
        pipeline=pipeline.name,
        partition=partition,
        headline=_headline(rows, champion, changed, healed, expired),
        champion_version=champion.version,
        rows=rows,
        healed=tuple(healed),
        expired=expired,
        compared=compared,
        inputs=published.inputs(partition),
        outputs=tuple(
            Dataset(name=TABLE, partition=day, version=versions[day].version) for day in [*healed, partition]
        ),
    )


def _score_day(published: _Published, day: date, joined: pd.DataFrame, settings: Settings, run_id: str) -> None:
    """Score one day's rows and replace its partition."""
    import pyarrow as pa

    champion = published.champion(day)
    if champion is None:
        return
    predictions = _predict(published.pipeline, joined, champion, settings)
    predictions["scored_at"] = datetime.now(UTC)
    predictions["run_id"] = run_id
    rows = pa.Table.from_pandas(predictions, preserve_index=False)
    version = PartitionVersion(
        day, content_version(rows, VOLATILE), published.fingerprint(day), published.degraded(day)
    )
    lake = Lake(settings.lake / published.pipeline.name)
    lake.replace(TABLE, version, rows, {"model": champion.version, "run": run_id})


def _joined(pipeline: Pipeline, day: date, settings: Settings) -> pd.DataFrame:
    """Return the rows to score of a day, with what was known of their entities at its end."""
    table = f"raw.{pipeline.score.entities}"
    lake = Lake(settings.lake / pipeline.name)
    if day not in lake.partitions(table):
        raise NotDue(f"{table} of {day} is not published: there is nothing to score.", do="run ingest for the day")
    return join_features(pipeline, settings, lake.read(table, [day]), as_of(day, pipeline.schedule.timezone))


def _predict(pipeline: Pipeline, joined: pd.DataFrame, champion: Champion, settings: Settings) -> pd.DataFrame:
    from airloom.stores.models import ModelRegistry

    model = ModelRegistry(settings, pipeline.name).load(champion.version)
    declared = pipeline.tables[pipeline.score.entities]
    predictions = joined[list(dict.fromkeys([*declared.key, declared.time]))].copy()
    with fixed_threads():
        predictions["score"] = model.predict(joined[input_columns(pipeline, settings)])
    predictions["model_version"] = champion.version
    predictions["pipeline_digest"] = pipeline.digest
    return predictions.sort_values(list(declared.key), ignore_index=True)


def _headline(rows: int, champion: Champion, changed: bool, healed: Sequence[date], expired: Mapping[str, int]) -> str:
    done = "scored" if changed else "scored before, unchanged"
    again = f"; {len(healed)} other days scored again" if healed else ""
    old = "".join(f"; {view} expired for {count} of them" for view, count in expired.items())
    return f"{rows} rows {done} by version {champion.version}{old}{again}"
