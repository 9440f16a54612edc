from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from airloom.core.declaration import find_pipeline
from airloom.core.gate import decide
from airloom.core.settings import Settings
from airloom.core.verdict import Case, Head, Judged, Proof
from airloom.launcher.api import Range
from airloom.launcher.status import read_status
from airloom.launcher.summary import judge, summarize
from airloom.stores.content import content_version
from airloom.stores.lake import Lake, PartitionVersion
from airloom.stores.ledger import Ledger
from airloom.stores.quarantine import Quarantine

PROJECT = Path(__file__).parents[2]
FLIGHTS = find_pipeline(PROJECT / "include", "flight_delays")
D = date(2013, 2, 10)
NEXT = D + timedelta(days=1)


@pytest.fixture
def settings(tmp_path):
    return replace(
        Settings.from_environment(), var=tmp_path, state_url=f"sqlite:///{tmp_path / 'state' / 'airloom.db'}"
    )


@pytest.fixture
def lake(settings):
    return Lake(settings.lake / FLIGHTS.name)


def publish(lake, table, day, rows, **facts):
    rows = pa.table(rows)
    lake.replace(table, PartitionVersion(day, content_version(rows), **facts), rows)


def publish_flights(lake, day, flights):
    publish(lake, "raw.flights", day, {"flight_id": list(flights), "late": pa.array(flights.values(), pa.float64())})


def publish_scores(lake, day, scores):
    publish(lake, "predictions", day, {"flight_id": list(scores), "score": list(scores.values())})


def verdict(version, auc, head=None):
    challenger = Judged(
        version=version, as_of=D, rows=2000, rows_digest="r", metrics={"roc_auc": auc, "neg_log_loss": -0.5}
    )
    champion = None
    if head:
        champion = Judged(version=head.version, as_of=head.as_of, rows=2000, rows_digest="r", metrics={"roc_auc": 0.7})
    case = Case(
        pipeline=FLIGHTS.name,
        partition=D,
        challenger=challenger,
        champion=champion,
        head=head,
        proof=Proof(version=version, rows=500, artifact_bytes=1),
        training_digest="t",
        pipeline_digest="p",
    )
    return decide(case, FLIGHTS.gate)


def test_predictions_are_judged_by_the_labels_of_the_day_after(lake):
    publish_scores(lake, D, {"a": 0.9, "b": 0.1, "c": 0.4, "cancelled": 0.5})
    publish_flights(lake, NEXT, {"a": 1.0, "b": 0.0, "c": 0.0, "cancelled": None, "not predicted": 1.0})
    quality = judge(FLIGHTS, lake, [D])
    assert (quality.days, quality.rows, quality.value) == (1, 3, 1.0)
    assert quality.predicted == pytest.approx((0.9 + 0.1 + 0.4) / 3)
    assert quality.happened == pytest.approx(1 / 3)


def test_the_labels_of_the_same_day_do_not_judge(lake):
    publish_scores(lake, D, {"a": 0.9, "b": 0.1})
    publish_flights(lake, D, {"a": 1.0, "b": 0.0})
    assert judge(FLIGHTS, lake, [D]) is None


def test_labels_of_one_kind_only_do_not_judge(lake):
    publish_scores(lake, D, {"a": 0.9, "b": 0.1})
    publish_flights(lake, NEXT, {"a": 0.0, "b": 0.0})
    assert judge(FLIGHTS, lake, [D]) is None


def test_labels_after_the_range_count_once_they_have_arrived(lake, settings):
    publish_scores(lake, D, {"a": 0.9, "b": 0.1})
    publish_flights(lake, NEXT, {"a": 1.0, "b": 0.0})
    assert summarize(FLIGHTS, settings, Range(D, D)).quality.days == 1


def test_an_installation_that_has_done_nothing_yet_has_an_empty_summary(settings):
    summary = summarize(FLIGHTS, settings, Range(D, NEXT))
    assert (summary.predictions, summary.quality, summary.champion, summary.events) == (0, None, None, 0)
    assert summary.trained == {}
    assert {table.published for table in summary.tables} == {0}


def test_the_summary_counts_what_was_published_and_what_was_held_back(lake, settings):
    publish_flights(lake, D, {"a": 1.0, "b": 0.0})
    quarantine = Quarantine(settings.quarantine / FLIGHTS.name)
    quarantine.hold_back("flights", D, pa.table({"flight_id": ["bad"]}), ["impossible"], "x.json")
    quarantine.block("weather", D, pa.table({"origin": [None]}), ["no key"], "y.json")
    settings.delivery.mkdir(parents=True)
    settings.lineage.write_text("{}\n{}\n")
    summary = summarize(FLIGHTS, settings, Range(D, D))
    tables = {table.table: table for table in summary.tables}
    assert (tables["flights"].published, tables["flights"].rows, tables["flights"].quarantined_rows) == (1, 2, 1)
    assert (tables["weather"].published, tables["weather"].blocked) == (0, 1)
    assert summary.events == 2


def test_the_summary_tells_the_champion_with_the_metrics_it_was_accepted_with(settings):
    ledger = Ledger(settings.state_url)
    first = verdict(1, 0.7)
    ledger.record(first)
    ledger.promote(
        FLIGHTS.name, expected_epoch=0, effective_from=D, version=1, verdict=first.id, actor="train", reason="first"
    )
    summary = summarize(FLIGHTS, settings, Range(D, D))
    assert summary.champion.version == 1
    assert summary.champion_metrics == {"roc_auc": 0.7, "neg_log_loss": -0.5}
    assert [each.outcome for each in summary.verdicts] == ["first"]


def test_status_shows_a_stage_as_complete_only_where_every_table_is_published(lake, settings):
    for table in FLIGHTS.tables:
        publish(lake, f"raw.{table}", D, {"x": [1]}, degraded=table == "weather")
    publish(lake, "raw.flights", NEXT, {"x": [1]})
    stages = {stage.stage: stage for stage in read_status(FLIGHTS, settings).stages}
    assert (stages["ingest"].latest, stages["ingest"].partitions, stages["ingest"].degraded) == (D, 1, 1)
    assert stages["features"].latest is None


def test_status_shows_the_champion_and_the_last_verdict(settings):
    ledger = Ledger(settings.state_url)
    for each in (verdict(1, 0.7), verdict(2, 0.7, Head(epoch=1, version=1, as_of=D - timedelta(days=1)))):
        ledger.record(each)
    ledger.promote(
        FLIGHTS.name, expected_epoch=0, effective_from=D, version=1, verdict=None, actor="train", reason="first"
    )
    status = read_status(FLIGHTS, settings)
    assert (status.champion.version, status.champion.epoch) == (1, 1)
    assert status.verdict.partition == D
    assert {stage.stage: stage.latest for stage in status.stages}["train"] == D
