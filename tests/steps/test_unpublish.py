"""Taking a published day back, on customers that leave and on sales that are forecast: what is gone, kept and stale."""

import dataclasses
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import date, timedelta

import pandas as pd
import pyarrow as pa
import pytest

from airloom.core import failpoints
from airloom.core.errors import DataError, Unavailable, UsageError
from airloom.core.failpoints import ARMED, FailpointReached
from airloom.core.pipeline import Sink
from airloom.launcher.status import read_status
from airloom.launcher.withdrawal import tell_lineage
from airloom.lineage.events import read_events, runs_of
from airloom.lineage.graph import Graph
from airloom.steps.built_on import built_on
from airloom.steps.compute import compute
from airloom.steps.heal import heal_features
from airloom.steps.inputs import FeatureInputs
from airloom.steps.materialize import materialize
from airloom.steps.readiness import readiness
from airloom.steps.staleness import Staleness
from airloom.steps.unpublish import find_table, preview, unpublish
from airloom.stores.features import open_feature_store
from airloom.stores.lake import Lake
from airloom.stores.sink import open_sink
from airloom.stores.withdrawals import Withdrawals
from tests.worlds.installation import publish, settings_at
from tests.worlds.late_labels.days import PROJECT, arrive, declared, ingest, installed

pytestmark = pytest.mark.usefixtures("module_include")

CHURN, DEMAND, SPAM = declared("churn"), declared("demand"), declared("spam")


def days(pipeline, count):
    return [pipeline.schedule.start + timedelta(days=later) for later in range(count)]


def lake_of(pipeline, settings):
    return Lake(settings.lake / pipeline.name)


def take_back(pipeline, table, day, settings, reason="wrong", actor="ann", tell=lambda _: None):
    return unpublish(pipeline, find_table(pipeline, table), day, actor, reason, settings, tell)


@pytest.fixture(scope="module")
def arrived(tmp_path_factory, module_include):
    """Four days of two pipelines, which every test gets as a copy."""
    folder = tmp_path_factory.mktemp("arrived")
    for pipeline in (CHURN, DEMAND):
        settings = installed(pipeline.name, folder / pipeline.name)
        arrive(pipeline, days(pipeline, 4), settings)
    for day in days(DEMAND, 4)[2:]:
        materialize(DEMAND, day, settings)
    return folder


def copy(arrived, tmp_path, name):
    shutil.copytree(arrived / name, tmp_path, dirs_exist_ok=True)
    return settings_at(tmp_path, project=PROJECT)


@pytest.fixture
def churn(arrived, tmp_path):
    return copy(arrived, tmp_path, "churn")


@pytest.fixture
def demand(arrived, tmp_path):
    """The last two days are online too."""
    return copy(arrived, tmp_path, "demand")


def test_a_raw_day_is_gone_and_what_was_computed_from_it_is_named_and_stale(churn):
    second = days(CHURN, 2)[-1]
    version = lake_of(CHURN, churn).partitions("raw.customers")[second].version
    found = take_back(CHURN, "customers", second, churn, "shifted by a day")
    assert second not in lake_of(CHURN, churn).partitions("raw.customers")
    assert (found.table, found.version, found.actor, found.reason) == (
        "raw.customers",
        version,
        "ann",
        "shifted by a day",
    )
    assert found.rows
    assert found.built == tuple(f"features.habits {day}" for day in days(CHURN, 4)[1:])
    inputs = FeatureInputs.read(CHURN, churn)
    assert not any(inputs.is_current("habits", day) for day in days(CHURN, 4)[1:])
    assert inputs.is_current("habits", CHURN.schedule.start)
    assert inputs.is_current("profile", second)


def test_what_was_taken_back_can_be_read_as_of_its_commit(churn):
    second = days(CHURN, 2)[-1]
    rows = lake_of(CHURN, churn).read("raw.customers", [second])
    found = take_back(CHURN, "raw.customers", second, churn)
    then = lake_of(CHURN, churn).at({"raw.customers": found.commit}).read("raw.customers", [second])
    key = ["customer_id"]
    pd.testing.assert_frame_equal(then.sort_values(key, ignore_index=True), rows.sort_values(key, ignore_index=True))
    assert found.rows == len(rows)


def test_nothing_waits_for_the_day_and_the_next_night_does_without_it(churn):
    *_, third, fourth = days(CHURN, 4)
    take_back(CHURN, "customers", third, churn)
    waiting = readiness(CHURN, "features", fourth, churn)
    assert (waiting.settled, waiting.blocked) == (True, (f"raw.customers {third}",))
    computed = compute(CHURN, fourth, churn)
    assert computed.degraded
    assert third not in lake_of(CHURN, churn).partitions("raw.customers")


def test_ingest_ends_it_and_the_day_is_as_it_was(churn):
    second = days(CHURN, 2)[-1]
    before = lake_of(CHURN, churn).partitions("raw.customers")
    take_back(CHURN, "customers", second, churn)
    ingest(CHURN, second, churn)
    assert lake_of(CHURN, churn).partitions("raw.customers") == before
    withdrawals = Withdrawals.of("churn", churn)
    assert withdrawals.lasting() == {}
    [kept] = withdrawals.history()
    assert (kept.actor, kept.reason, kept.done, kept.lasts) == ("ann", "wrong", True, False)


def test_the_same_content_can_be_taken_back_again_and_again(churn):
    second = days(CHURN, 2)[-1]
    for actor in ("ann", "bob"):
        take_back(CHURN, "customers", second, churn, actor=actor)
        ingest(CHURN, second, churn)
    history = Withdrawals.of("churn", churn).history()
    assert [(each.number, each.actor, each.lasts) for each in history] == [(1, "ann", False), (2, "bob", False)]
    assert history[0].version == history[1].version


def test_a_view_is_not_healed_by_other_days_but_by_a_run_for_its_own(churn):
    *_, third, fourth = days(CHURN, 4)
    take_back(CHURN, "habits", third, churn)
    compute(CHURN, fourth, churn)
    assert third not in lake_of(CHURN, churn).partitions("features.habits")
    assert readiness(CHURN, "score", third, churn).blocked == (f"features.habits {third}",)
    compute(CHURN, third, churn)
    assert third in lake_of(CHURN, churn).partitions("features.habits")
    assert Withdrawals.of("churn", churn).lasting() == {}


def test_a_training_heals_what_is_stale_and_not_what_was_taken_back(churn):
    first, second, third, fourth = days(CHURN, 4)
    take_back(CHURN, "customers", first, churn)
    take_back(CHURN, "habits", third, churn)
    take_back(CHURN, "profiles", fourth, churn)
    healed = heal_features(CHURN, days(CHURN, 4), churn)
    assert (healed.days, healed.left, healed.refused) == ((second,), (), ())
    assert third not in lake_of(CHURN, churn).partitions("features.habits")
    assert Staleness.read(CHURN, churn).everywhere() == [("habits", first), ("profile", fourth)]


def online(pipeline, settings, feature, key):
    answer = open_feature_store(pipeline, settings).get_online_features([feature], [key]).to_dict()
    return answer[feature.partition(":")[2]][0]


def test_the_online_rows_of_a_view_become_the_newest_that_remain(demand):
    *_, third, fourth = days(DEMAND, 4)
    rows = lake_of(DEMAND, demand).read("features.recent_sales", [third])
    feature = next(name for name in rows.columns if name not in ("shop", "product", "as_of", "known_at"))
    row = rows.dropna(subset=[feature]).iloc[0]
    take_back(DEMAND, "recent_sales", fourth, demand)
    key = {name: row[name] for name in ("shop", "product") if name in row}
    assert online(DEMAND, demand, f"recent_sales:{feature}", key) == pytest.approx(row[feature])


def test_a_raw_day_takes_the_labels_that_were_split_off_with_it(tmp_path):
    settings = installed("spam", tmp_path)
    arrive(SPAM, days(SPAM, 2), settings)
    first, second = days(SPAM, 2)
    take_back(SPAM, "messages", second, settings)
    assert list(lake_of(SPAM, settings).partitions("labels")) == [first]
    assert f"labels {second}" in readiness(SPAM, "train", second + timedelta(days=4), settings).blocked


def test_predictions_are_taken_back_from_the_lake_and_from_where_they_were_copied_to(demand, tmp_path):
    copies = tmp_path / "predictions.db"
    settings = dataclasses.replace(demand, predictions_url=f"sqlite:///{copies}")
    score = DEMAND.score.model_copy(update={"sink": Sink(table="forecasts")})
    pipeline = DEMAND.model_copy(update={"score": score})
    first, second = days(DEMAND, 2)
    for day in (first, second):
        keys = {"shop": ["s"], "product": ["p"], "target_day": [day.isoformat()], "score": [1.5]}
        publish(settings, "demand", "predictions", day, pa.table(keys))
    open_sink(pipeline, settings).follow(lake_of(pipeline, settings), "predictions")
    found = take_back(pipeline, "predictions", second, settings)
    assert (list(lake_of(pipeline, settings).partitions("predictions")), found.built) == ([first], ())
    with closing(sqlite3.connect(copies)) as connection:
        assert connection.execute("SELECT DISTINCT airloom_partition FROM forecasts").fetchall() == [
            (first.isoformat(),)
        ]


def test_predictions_of_features_that_were_taken_back_are_named(demand):
    second = days(DEMAND, 2)[-1]
    publish(demand, "demand", "predictions", second, pa.table({"score": [1.0]}))
    version = lake_of(DEMAND, demand).partitions("features.recent_sales")[second].version
    assert built_on(DEMAND, "features.recent_sales", second, version, demand) == [f"predictions {second}"]


def test_what_was_built_on_another_content_of_the_day_is_not_named(churn):
    assert built_on(CHURN, "raw.customers", days(CHURN, 2)[-1], "another", churn) == []


def test_a_day_of_the_future_can_be_taken_back(churn):
    ahead = date(2042, 1, 2)
    publish(churn, "churn", "raw.customers", ahead, pa.table({"customer_id": ["c"]}))
    take_back(CHURN, "customers", ahead, churn)
    assert ahead not in lake_of(CHURN, churn).partitions("raw.customers")


def arm(monkeypatch, point):
    """Let the next passing of a failpoint raise, however often it was passed by other tests."""
    monkeypatch.setattr(failpoints, "_passed", Counter())
    monkeypatch.setenv(ARMED, f"{point}:raise")


POINTS = [
    "withdrawing.before_commit",
    "unpublish.after_intent",
    "unpublish.after_lake",
    "online.before_commit",
    "unpublish.after_lineage",
]


@pytest.mark.parametrize("point", POINTS)
def test_what_is_left_after_a_death_is_done_by_the_same_again(point, demand, monkeypatch):
    *_, third, fourth = days(DEMAND, 4)
    # The failpoint of every note has the same name.
    arm(monkeypatch, point.replace("withdrawing.", "note."))
    with pytest.raises(FailpointReached):
        take_back(DEMAND, "recent_sales", fourth, demand, "first try")
    monkeypatch.delenv(ARMED)
    if point != "withdrawing.before_commit":
        [begun] = Withdrawals.of("demand", demand).history()
        assert (begun.actor, begun.reason, begun.done) == ("ann", "first try", False)
    found = take_back(DEMAND, "recent_sales", fourth, demand, "first try", actor="bob")
    [kept] = Withdrawals.of("demand", demand).history()
    assert (kept.done, kept.version) == (True, found.version)
    assert kept.actor == ("bob" if point == "withdrawing.before_commit" else "ann")
    assert fourth not in lake_of(DEMAND, demand).partitions("features.recent_sales")
    assert found.rows
    assert _events(demand) == {third}


def _events(settings):
    """The days of the rows that are online."""
    with closing(sqlite3.connect(settings.online)) as connection:
        found = {event for (event,) in connection.execute("SELECT DISTINCT event_us FROM entities")}
    moments = pd.to_datetime(sorted(found), unit="us", utc=True).tz_convert(DEMAND.schedule.timezone)
    return {moment.date() - timedelta(days=1) for moment in moments}


def test_what_was_published_meanwhile_is_kept(churn, monkeypatch):
    second = days(CHURN, 2)[-1]
    arm(monkeypatch, "unpublish.after_intent")
    with pytest.raises(FailpointReached):
        take_back(CHURN, "customers", second, churn)
    monkeypatch.delenv(ARMED)
    lake = lake_of(CHURN, churn)
    before = lake.partitions("raw.customers")[second]
    publish(churn, "churn", "raw.customers", second, lake.read("raw.customers", [second]).head(3))
    with pytest.raises(Unavailable, match="Another run has published"):
        lake.withdraw("raw.customers", before, {})
    assert len(lake.read("raw.customers", [second])) == 3


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("customers", "raw.customers"),
        ("raw.customers", "raw.customers"),
        ("habits", "features.habits"),
        ("features.habits", "features.habits"),
        ("predictions", "predictions"),
    ],
)
def test_a_table_is_found_by_its_name_with_or_without_its_kind(name, found):
    assert find_table(CHURN, name) == found


@pytest.mark.parametrize(
    ("name", "near"), [("custmers", "customers"), ("habit", "habits"), ("prediction", "predictions")]
)
def test_an_unknown_table_is_refused_with_the_nearest(name, near):
    with pytest.raises(UsageError, match=f"no table or view {name!r}. Did you mean {near!r}") as refused:
        find_table(CHURN, name)
    assert refused.value.expected.endswith("features.habits, features.profile, predictions")


def test_a_day_that_is_not_published_is_refused(churn):
    with pytest.raises(DataError, match=r"raw\.customers of 2024-04-20 is not published"):
        preview(CHURN, "raw.customers", date(2024, 4, 20), churn)


def test_the_same_again_changes_nothing_and_tells_who_was_first(churn):
    second = days(CHURN, 2)[-1]
    first = take_back(CHURN, "customers", second, churn)
    commit, history = lake_of(CHURN, churn).commit("raw.customers"), Withdrawals.of("churn", churn).history()
    assert take_back(CHURN, "customers", second, churn, "another", actor="bob") == first
    assert lake_of(CHURN, churn).commit("raw.customers") == commit
    assert Withdrawals.of("churn", churn).history() == history


def test_status_shows_what_was_taken_back(churn):
    second = days(CHURN, 2)[-1]
    take_back(CHURN, "customers", second, churn)
    status = read_status(CHURN, churn)
    [kept] = status.withdrawn
    assert (kept.table, kept.partition, kept.actor, kept.done) == ("raw.customers", second, "ann", True)
    assert {stage.stage: stage.blocked for stage in status.stages} == {
        "ingest": 1,
        "features": 0,
        "train": 0,
        "score": 0,
    }


def test_lineage_tells_it_until_the_day_is_published_again(churn):
    second = days(CHURN, 2)[-1]
    found = take_back(CHURN, "customers", second, churn, tell=lambda record: tell_lineage(record, churn))
    runs = runs_of(read_events(churn.lineage))
    [run] = runs
    assert (run.job, run.partition, run.outputs) == ("churn.unpublish", str(second), ())
    assert f"by {found.actor}: wrong" in run.headline
    [version] = run.withdrawn
    assert (version.name, version.version) == ("churn/raw.customers", found.version)
    assert Graph(runs).withdrawn(version) == run
