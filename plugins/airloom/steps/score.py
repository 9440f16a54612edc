"""score: predictions for a partition by the champion as of it, in one atomic commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from airloom.core.errors import AirloomError, DataError, GateError, NotDue
from airloom.core.fingerprint import fingerprint
from airloom.core.partitions import as_of, has_ended, require_ended
from airloom.core.pipeline import Pipeline
from airloom.core.records import Dataset, Scored
from airloom.core.reserved import PREFIX
from airloom.core.settings import Settings
from airloom.core.wording import counted
from airloom.steps.alerts import send_alert
from airloom.steps.columns import join_features
from airloom.steps.examples import scored_rows
from airloom.steps.heal import heal_features
from airloom.steps.predict import AS_OF, CURRENT, predict
from airloom.steps.skew import compare_online, count_expired, count_without_key
from airloom.steps.staleness import Staleness
from airloom.stores.content import content_version
from airloom.stores.lake import Lake, PartitionVersion
from airloom.stores.ledger import Champion, Ledger, effective
from airloom.stores.ledger_mark import require_ledger
from airloom.stores.prediction_columns import has_prefix, renamed, without_prefix
from airloom.stores.sink import open_sink
from airloom.stores.withdrawals import Withdrawals

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

TABLE = "predictions"
SCORED_AT, RUN_ID = f"{PREFIX}scored_at", f"{PREFIX}run_id"
_WORDS = {AS_OF: "", CURRENT: ", today's champion"}


@dataclass(frozen=True)
class _Published:
    """What predictions are computed from and what they are, read once: versions by table and day, and the champions.

    A partition of features that is stale is none.
    """

    pipeline: Pipeline
    versions: dict[str, dict[date, PartitionVersion]]
    champions: list[Champion]
    staleness: Staleness

    @classmethod
    def read(cls, pipeline: Pipeline, settings: Settings) -> _Published:
        # Predictions first: whoever scores with newer inputs from here on is not overwritten.
        lake = Lake(settings.lake / pipeline.name)
        tables = (TABLE, f"raw.{pipeline.score.entities}", *(f"features.{name}" for name in pipeline.features.views))
        require_ledger(pipeline.name, settings)
        champions = Ledger(settings.state_url).history(pipeline.name)
        versions = {table: lake.partitions(table) for table in tables}
        return cls(pipeline, versions, champions, Staleness.read(pipeline, settings))

    def champion(self, day: date) -> Champion | None:
        return effective(self.champions, day)

    def models(self, day: date) -> dict[str, int | None]:
        """The version by column set: the champion as of the day and, where it is asked for, that of now."""
        champion = self.champion(day)
        models = {AS_OF: champion.version if champion else None}
        if self.pipeline.score.model == "current":
            models[CURRENT] = self.champions[-1].version if self.champions else None
        return models

    def can_score(self, day: date) -> bool:
        return any(version is not None for version in self.models(day).values())

    def tables(self, day: date) -> list[Dataset]:
        """The rows to score and the features of the day."""
        stale = {f"features.{name}" for name, _ in self.staleness.on(day)}
        tables = [table for table in self.versions if table not in (TABLE, *stale) and day in self.versions[table]]
        return [Dataset(name=table, partition=day, version=self.versions[table][day].version) for table in tables]

    def inputs(self, day: date) -> tuple[Dataset, ...]:
        """The rows to score, the features of the day, the model, and the row of the ledger that made it champion."""
        versions = dict.fromkeys(version for version in self.models(day).values() if version is not None)
        champion = self.champion(day)
        return (
            *self.tables(day),
            *(Dataset(name="model", version=str(version)) for version in versions),
            *((Dataset.champion(champion.epoch, champion.effective_from),) if champion else ()),
        )

    def fingerprint(self, day: date) -> str:
        facts = {f"{each.name} {each.partition}": each.version for each in self.tables(day)}
        return fingerprint({**facts, "models": self.models(day), "pipeline": self.pipeline.digest})

    def degraded(self, day: date) -> bool:
        versions = [days.get(day) for table, days in self.versions.items() if table != TABLE]
        return any(version is None or version.degraded for version in versions) or bool(self.staleness.before([day]))

    def is_current(self, day: date) -> bool:
        """Whether predictions are of these inputs, and as good: the same rows may have got a warning, or lost one."""
        present = self.versions[TABLE].get(day)
        expected = self.fingerprint(day), self.degraded(day)
        return present is not None and (present.inputs, present.degraded) == expected

    def stale(self, partition: date) -> list[date]:
        """Other predictions whose inputs have changed: all later ones, and earlier ones within the look-back.

        Those of a day whose features are stale stay until they are healed, and those whose rows were taken back.
        """
        rows = self.versions[f"raw.{self.pipeline.score.entities}"]
        oldest, zone = partition - timedelta(days=self.pipeline.look_back), self.pipeline.schedule.timezone
        others = (day for day in self.versions[TABLE] if day != partition and day >= oldest and has_ended(day, zone))
        ready = (day for day in others if day in rows and self.can_score(day) and not self.staleness.on(day))
        return [day for day in ready if not self.is_current(day)]


def score(pipeline: Pipeline, partition: date, settings: Settings, run_id: str) -> Scored:
    """Predict for one partition, and again for those other days whose inputs have changed.

    Stale features that the partition would be joined with are healed first. What cannot be healed within a minute is
    not used, and the predictions are degraded.

    Args:
        pipeline: The declaration.
        partition: The day as of which to predict.
        settings: Where lake, ledger and models are.
        run_id: The run that does it.

    Returns:
        What was predicted.

    Raises:
        NotDue: There is no champion as of the partition, or nothing to score, and no other day to score again.
        GateError: The champion's files were changed or are gone; nothing is published for its days.
        DataError: The online store has other features than the predictions would be made from; or the champion predicts
            what it must not, or is not what was promoted: nothing is published for its days, and the `alert` is sent.
        Unavailable: Another run has scored the day since this one began; its predictions are kept.
        SetupError: The pipeline copies predictions to a table, and that cannot be written to.
    """
    require_ended(partition, pipeline.schedule.timezone)
    sink = open_sink(pipeline, settings)
    healed = heal_features(pipeline, [partition], settings)
    published = _Published.read(pipeline, settings)
    stale, others = published.stale(partition), list[Dataset]()
    failed: list[AirloomError] = []
    for day in stale:
        try:
            joined = rows_to_score(pipeline, day, settings, published.staleness)
            others.append(_score_day(published, day, joined, settings, run_id))
        except (DataError, GateError) as error:
            failed.append(error)  # Another day may have another champion, and keeps no predictions from this one.
    try:
        done = _score_partition(published, partition, settings, run_id)
    except NotDue as reason:
        if not stale:
            raise
        done = _Done(headline=str(reason))
    copied = sink.follow(Lake(settings.lake / pipeline.name), TABLE) if sink else []
    if done.predictions:
        Withdrawals.of(pipeline.name, settings).end(TABLE, partition, "score")
    if failed:
        raise failed[0]
    again = f"; {counted(len(stale), 'other day')} scored again" if stale else ""
    also = f"; {counted(len(copied), 'day')} copied to {sink.name}" if sink and copied else ""
    return Scored(
        pipeline=pipeline.name,
        partition=partition,
        headline=done.headline + again + also + str(healed),
        champion_version=done.champion,
        rows=done.rows,
        healed=tuple(stale),
        expired=done.expired,
        without_key=done.without_key,
        compared=done.compared,
        inputs=(*healed.inputs, *published.inputs(partition)),
        outputs=(*healed.outputs, *others, *done.predictions),
    )


@dataclass(frozen=True)
class _Done:
    """What came of the partition itself."""

    headline: str
    champion: int | None = None
    rows: int = 0
    predictions: tuple[Dataset, ...] = ()
    expired: dict[str, int] = field(default_factory=dict)
    without_key: dict[str, int] = field(default_factory=dict)
    compared: int = 0


def _score_partition(published: _Published, partition: date, settings: Settings, run_id: str) -> _Done:
    """Score the partition, also where its inputs are the same: what was published of them may have been wrong."""
    pipeline, models = published.pipeline, published.models(partition)
    if not published.can_score(partition):
        raise NotDue(
            f"{pipeline.name} has no champion as of {partition}.", do="train first; nothing is scored until then"
        )
    joined = rows_to_score(pipeline, partition, settings, published.staleness)
    late = len(Lake(settings.lake / pipeline.name).read(f"raw.{pipeline.score.entities}", [partition])) - len(joined)
    compared = (
        0
        if joined.empty
        else compare_online(pipeline, partition, joined, published.staleness.current([partition]), settings)
    )
    expired = {} if joined.empty else count_expired(pipeline, partition, joined, published.staleness, settings)
    keyless = {} if joined.empty else count_without_key(pipeline, joined, settings)
    predictions = _score_day(published, partition, joined, settings, run_id)
    if predictions.unchanged:
        headline = f"{counted(len(joined), 'row')} scored before, unchanged"
        return _Done(headline, models[AS_OF], len(joined), (predictions,), expired, keyless, compared)
    old = "".join(f"; {view} expired for {count} of them" for view, count in expired.items())
    old += "".join(f"; {counted(count, 'row')} without a key of {view}" for view, count in keyless.items())
    versions = " and ".join(f"{version}{_WORDS[prefix]}" for prefix, version in models.items() if version is not None)
    too_late = f"; {counted(late, 'row')} known too late to be scored" if late else ""
    headline = f"{counted(len(joined), 'row')} scored by version {versions}{old}{too_late}"
    return _Done(headline, models[AS_OF], len(joined), (predictions,), expired, keyless, compared)


def _score_day(published: _Published, day: date, joined: pd.DataFrame, settings: Settings, run_id: str) -> Dataset:
    """Score one day's rows, replace its partition and describe it."""
    pipeline, models = published.pipeline, published.models(day)
    rows = _predictions(pipeline, day, joined, models, settings, run_id)
    version = PartitionVersion(day, predictions_version(rows), published.fingerprint(day), published.degraded(day))
    facts = {f"{prefix}model": number for prefix, number in models.items()}
    lake = Lake(settings.lake / pipeline.name)
    if not has_prefix(lake.schema(TABLE).names):
        rows = renamed(rows, without_prefix(rows.column_names, f"table {TABLE} of {pipeline.name}"))
    new = lake.replace(TABLE, version, rows, {**facts, "run": run_id}, seen=published.versions[TABLE])
    return Dataset(
        name=TABLE,
        partition=day,
        version=version.version,
        rows=rows.num_rows,
        columns={field.name: str(field.type) for field in rows.schema},
        commit=lake.commit(TABLE),
        unchanged=not new,
        made_of=tuple(_read(each, joined) for each in published.inputs(day)),
    )


def predictions_version(rows: pa.Table) -> str:
    """Return the version of predictions, whatever their table calls them, and whenever they were made and by whom.

    It is of the names without the prefix, unless columns of the user's have these.
    """
    predicted = rows.select([name for name in rows.column_names if name not in (SCORED_AT, RUN_ID)])
    names = [name.removeprefix(PREFIX) for name in predicted.column_names]
    return content_version(predicted.rename_columns(names) if len(set(names)) == len(names) else predicted)


def _predictions(
    pipeline: Pipeline,
    day: date,
    joined: pd.DataFrame,
    models: Mapping[str, int | None],
    settings: Settings,
    run_id: str,
) -> pa.Table:
    """Predict for rows; a day without rows has none, where that is allowed."""
    import pyarrow as pa

    entities = pipeline.score.entities
    if joined.empty and pipeline.allows_empty(entities):
        return pa.table({})
    if joined.empty:
        raise DataError(
            f"There is not one row of {entities} to score for {day}.",
            found="0 rows that were known at the end of the day",
            do=f"correct `known_at` in the source, or declare `tables.{entities}.empty: allow`",
        )
    try:
        predictions = predict(pipeline, joined, models, settings)
    except (DataError, GateError) as error:
        send_alert(pipeline, day, f"no predictions are published for {day}: {error.brief}", settings)
        raise
    predictions[f"{PREFIX}pipeline_digest"] = pipeline.digest
    predictions = predictions.sort_values(list(pipeline.tables[entities].key), ignore_index=True)
    predictions[SCORED_AT] = datetime.now(UTC)
    predictions[RUN_ID] = run_id
    # What pandas notes about its own types is not in the lake, and the version is of what is there.
    return pa.Table.from_pandas(predictions, preserve_index=False).replace_schema_metadata(None)


def _read(dataset: Dataset, joined: pd.DataFrame) -> Dataset:
    """Name the columns that were read of a feature view."""
    prefix = f"{dataset.name.removeprefix('features.')}__"
    kinds = {str(name): str(kind) for name, kind in joined.dtypes.items()}
    columns = {name.removeprefix(prefix): kind for name, kind in kinds.items() if name.startswith(prefix)}
    return dataset.model_copy(update={"columns": columns})


def rows_to_score(
    pipeline: Pipeline, day: date, settings: Settings, staleness: Staleness | None = None
) -> pd.DataFrame:
    """Return the rows to score of a day, with what was known of their entities at its end; no feature is stale.

    Args:
        pipeline: The declaration.
        day: The day.
        settings: Where lake and feature store are.
        staleness: Which features are stale; by default it is looked up.

    Raises:
        NotDue: The day has none that are published.
    """
    table = f"raw.{pipeline.score.entities}"
    lake = (staleness or Staleness.read(pipeline, settings)).current([day])
    if day not in lake.partitions(table):
        raise NotDue(f"{table} of {day} is not published: there is nothing to score.", do="run ingest for the day")
    rows, _ = scored_rows(pipeline, [day], lake)
    if rows.empty:
        return rows
    return join_features(pipeline, settings, rows, as_of(day, pipeline.schedule.timezone), lake)
