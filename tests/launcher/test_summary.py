from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from airloom.core.declaration import find_pipeline
from airloom.core.gate import decide
from airloom.core.partitions import as_of
from airloom.core.pipeline import Pipeline
from airloom.core.verdict import Case, Head, Judged, Proof
from airloom.launcher.api import Range
from airloom.launcher.status import read_status
from airloom.launcher.summary import summarize
from airloom.steps.baselines import constant
from airloom.steps.columns import ModelColumns
from airloom.steps.outcomes import judge
from airloom.steps.training_sets import write_training_set
from airloom.stores.ledger import Ledger
from airloom.stores.models import ModelRegistry
from airloom.stores.quarantine import Quarantine
from airloom.stores.runs import RunKey, TrainingRuns
from tests.worlds.candidates import training_data
from tests.worlds.installation import project_at, publish, settings_at
from tests.worlds.prepared import INCLUDE

PARCELS = find_pipeline(INCLUDE, "parcels")
D = date(2024, 1, 10)
NEXT = D + timedelta(days=1)
ROWS = pa.table({"x": [1]})


@pytest.fixture
def settings(tmp_path):
    return settings_at(tmp_path)


def publish_parcels(settings, day, late):
    """Publish a day's parcels, and the orders of the day before: those that were ordered."""
    ordered = as_of(day - timedelta(days=1), PARCELS.schedule.timezone)
    moments = {"sent_at": ordered + timedelta(hours=8), "delivered_at": ordered + timedelta(hours=12)}
    columns = {name: [moment] * len(late) for name, moment in moments.items()}
    rows = {"parcel_id": list(late), **columns, "late": pa.array(late.values(), pa.float64())}
    publish(settings, PARCELS.name, "raw.parcels", day, pa.table(rows))
    orders = {"parcel_id": [name for name in late if name != "not predicted"], "sent_at": columns["sent_at"][0]}
    known = pd.DataFrame(orders).assign(announced_at=ordered, courier="Ann", depot="north", weight=1.0)
    publish(settings, PARCELS.name, "raw.orders", day - timedelta(days=1), known)


def publish_scores(settings, day, scores):
    rows = pa.table({"parcel_id": list(scores), "score": list(scores.values()), "model_version": [1] * len(scores)})
    publish(settings, PARCELS.name, "predictions", day, rows)


def verdict(version, auc, head=None):
    challenger = Judged(
        version=version, as_of=D, rows=2000, rows_digest="r", metrics={"roc_auc": auc, "neg_log_loss": -0.5}
    )
    champion = None
    if head:
        champion = Judged(version=head.version, as_of=head.as_of, rows=2000, rows_digest="r", metrics={"roc_auc": 0.7})
    case = Case(
        pipeline=PARCELS.name,
        partition=D,
        challenger=challenger,
        champion=champion,
        head=head,
        proof=Proof(version=version, rows=500, artifact_bytes=1),
        training_digest="t",
        pipeline_digest="p",
    )
    return decide(case, PARCELS.gate)


def test_predictions_are_judged_by_the_labels_of_the_day_after(settings):
    publish_scores(settings, D, {"a": 0.9, "b": 0.1, "c": 0.4, "cancelled": 0.5})
    publish_parcels(settings, NEXT, {"a": 1.0, "b": 0.0, "c": 0.0, "cancelled": None, "not predicted": 1.0})
    quality = judge(PARCELS, settings, [D])
    assert (quality.days, quality.rows, quality.metrics["roc_auc"]) == (1, 3, 1.0)
    assert quality.predicted == pytest.approx((0.9 + 0.1 + 0.4) / 3)
    assert quality.happened == pytest.approx(1 / 3)


def test_predictions_are_judged_by_the_labels_that_a_query_has_computed(tmp_path):
    settings = project_at(tmp_path)
    (settings.include / "parcels").mkdir(parents=True)
    (settings.include / "parcels" / "late.sql").write_text("SELECT parcel_id, late FROM parcels")
    label = {"sql": "late.sql", "reads": "parcels", "column": "late", "horizon": "1d"}
    by_query = Pipeline.model_validate(PARCELS.model_dump(mode="json") | {"label": label})
    publish_scores(settings, D, {"a": 0.9, "b": 0.1})
    publish_parcels(settings, NEXT, {"a": 0.0, "b": 0.0})
    assert judge(by_query, settings, [D]) is None
    publish(settings, PARCELS.name, "labels", D, pa.table({"parcel_id": ["a", "b"], "late": [1.0, 0.0]}))
    quality = judge(by_query, settings, [D, NEXT])
    assert (quality.days, quality.rows, quality.metrics["roc_auc"]) == (1, 2, 1.0)


def test_the_baselines_are_told_beside_and_are_those_of_the_version_that_has_predicted(settings):
    register(settings, late=0.25)
    publish_scores(settings, D, {"a": 0.9, "b": 0.1, "c": 0.4})
    publish_parcels(settings, NEXT, {"a": 1.0, "b": 0.0, "c": 0.0})
    quality = judge(PARCELS, settings, [D])
    share = (0.25 * 40 + 0.5) / (40 + 1)
    assert quality.baselines["constant"]["roc_auc"] == 0.5
    assert quality.baselines["constant"]["neg_log_loss"] == pytest.approx((np.log(share) + 2 * np.log(1 - share)) / 3)
    assert quality.baselines["linear"]["neg_log_loss"] < quality.metrics["neg_log_loss"]
    (settings.training / PARCELS.name).rename(settings.training / "elsewhere")
    assert judge(PARCELS, settings, [D]).baselines == {}


def register(settings, late):
    """Register a version that was trained on forty parcels, a share of them late."""
    label = (np.arange(40) < 40 * late).astype(float)
    rows = pd.DataFrame({"courier": "Ann", "depot": "north", "weight": np.arange(40.0) % 4, "late": label})
    rows = rows.assign(parcel_id=rows.index.astype(str), partition=D - timedelta(days=3), airloom_split="train")
    columns = ModelColumns(categorical=("courier", "depot"), numeric=("weight",))
    digest, _ = write_training_set(PARCELS, D, rows, columns, settings)
    model = constant(training_data(rows[columns.all], label, columns.categorical, columns.numeric), {}, None)
    registry = ModelRegistry(settings, PARCELS.name)
    with TrainingRuns(settings, PARCELS.name).running(RunKey(D, "constant", digest, "p", "s"), {}) as log:
        registry.save(log.run_id, "constant", model, rows[columns.all], model.predict(rows))
    assert registry.register(log.run_id, {}) == 1


def test_the_labels_of_the_same_day_do_not_judge(settings):
    publish_scores(settings, D, {"a": 0.9, "b": 0.1})
    publish_parcels(settings, D, {"a": 1.0, "b": 0.0})
    assert judge(PARCELS, settings, [D]) is None


def test_labels_of_one_kind_only_do_not_judge(settings):
    publish_scores(settings, D, {"a": 0.9, "b": 0.1})
    publish_parcels(settings, NEXT, {"a": 0.0, "b": 0.0})
    assert judge(PARCELS, settings, [D]) is None


def test_labels_after_the_range_count_once_they_have_arrived(settings):
    publish_scores(settings, D, {"a": 0.9, "b": 0.1})
    publish_parcels(settings, NEXT, {"a": 1.0, "b": 0.0})
    assert summarize(PARCELS, settings, Range(D, D)).quality.days == 1


def test_an_installation_that_has_done_nothing_yet_has_an_empty_summary(settings):
    summary = summarize(PARCELS, settings, Range(D, NEXT))
    assert (summary.predictions, summary.quality, summary.champion, summary.events) == (0, None, None, 0)
    assert summary.trained == {}
    assert {table.published for table in summary.tables} == {0}


def test_the_summary_counts_what_was_published_and_what_was_held_back(settings):
    publish_parcels(settings, D, {"a": 1.0, "b": 0.0})
    quarantine = Quarantine(settings.quarantine / PARCELS.name)
    quarantine.hold_back("parcels", D, pa.table({"parcel_id": ["bad"]}), ["impossible"], "x.json")
    quarantine.block("traffic", D, pa.table({"depot": [None]}), ["no key"], "y.json")
    settings.delivery.mkdir(parents=True)
    settings.lineage.write_text("{}\n{}\n")
    summary = summarize(PARCELS, settings, Range(D, D))
    tables = {table.table: table for table in summary.tables}
    assert (tables["parcels"].published, tables["parcels"].rows, tables["parcels"].quarantined_rows) == (1, 2, 1)
    assert (tables["traffic"].published, tables["traffic"].blocked) == (0, 1)
    assert summary.events == 2


def test_the_summary_tells_the_champion_with_the_metrics_it_was_accepted_with(settings):
    ledger = Ledger(settings.state_url)
    first = verdict(1, 0.7)
    ledger.record(first)
    ledger.promote(
        PARCELS.name, expected_epoch=0, effective_from=D, version=1, verdict=first.id, actor="train", reason="first"
    )
    summary = summarize(PARCELS, settings, Range(D, D))
    assert summary.champion.version == 1
    assert summary.champion_metrics == {"roc_auc": 0.7, "neg_log_loss": -0.5}
    assert [each.outcome for each in summary.verdicts] == ["first"]


def test_status_shows_a_stage_as_complete_only_where_every_table_is_published(settings):
    for table in PARCELS.tables:
        publish(settings, PARCELS.name, f"raw.{table}", D, ROWS, degraded=table == "traffic")
    publish(settings, PARCELS.name, "raw.parcels", NEXT, ROWS)
    stages = {stage.stage: stage for stage in read_status(PARCELS, settings).stages}
    assert (stages["ingest"].latest, stages["ingest"].partitions, stages["ingest"].degraded) == (D, 1, 1)
    assert stages["features"].latest is None


def test_status_shows_the_champion_and_the_last_verdict(settings):
    ledger = Ledger(settings.state_url)
    for each in (verdict(1, 0.7), verdict(2, 0.7, Head(epoch=1, version=1, as_of=D - timedelta(days=1)))):
        ledger.record(each)
    ledger.promote(
        PARCELS.name, expected_epoch=0, effective_from=D, version=1, verdict=None, actor="train", reason="first"
    )
    status = read_status(PARCELS, settings)
    assert (status.champion.version, status.champion.epoch) == (1, 1)
    assert status.verdict.partition == D
    assert {stage.stage: stage.latest for stage in status.stages}["train"] == D
