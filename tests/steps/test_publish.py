from datetime import timedelta

import pandas as pd
import pyarrow as pa
import pytest

from airloom.core.errors import DataError, Unavailable
from airloom.steps.gone_columns import require_used_columns_in_newest
from airloom.steps.publish import publish
from airloom.steps.readiness import readiness
from airloom.stores.content import NO_ROWS
from airloom.stores.lake import Lake
from airloom.stores.quarantine import Quarantine
from airloom.stores.staging import Staging
from tests.overtaken import before_the_next_commit
from tests.worlds import trips as toy
from tests.worlds.older_tables import begin_older

NEXT = toy.DAY + timedelta(days=1)
COLUMN = "- {expectation: expect_column_to_exist, severity: critical, column: trip_id}\n"

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")


@pytest.fixture
def settings(tmp_path):
    return toy.installation(tmp_path)


@pytest.fixture
def lake(settings):
    return Lake(settings.lake / "toy")


def trips(**columns) -> pd.DataFrame:
    return toy.ordinary_day(toy.DAY)["trips"].assign(**columns)


def minutes(*wrong: float) -> list[float]:
    return [*wrong, *([20.0] * (40 - len(wrong)))]


def ingest(settings, monkeypatch, **tables: pd.DataFrame):
    with monkeypatch.context() as patch:
        toy.returning(patch, **tables)
        toy.staged(settings)
    return publish(toy.trips_pipeline(), toy.DAY, settings, toy.audits(settings))


def ingest_next(settings, monkeypatch, rows: pd.DataFrame):
    with monkeypatch.context() as patch:
        patch.setattr(toy, "DAY", NEXT)
        return ingest(settings, patch, trips=rows)


def query(settings, sql: str) -> None:
    (settings.include / "toy" / "v.sql").write_text(sql)


def test_an_audited_partition_becomes_readable(settings, lake, monkeypatch):
    published = ingest(settings, monkeypatch)
    assert published.headline == "published 2 tables, 40 trips"
    assert (published.changed, published.degraded) == (2, False)
    assert [each.name for each in published.outputs] == ["raw.trips", "raw.stations"]
    version = lake.partitions("raw.trips")[toy.DAY]
    assert (version.version, version.degraded) == (published.outputs[0].version, False)
    assert list(lake.read("raw.trips", [toy.DAY])["trip_id"]) == sorted(trips()["trip_id"])


def own_row_pipeline():
    pipeline = toy.trips_pipeline()
    label = pipeline.label.model_copy(update={"table": "trips", "column": "minutes"})
    return pipeline.model_copy(
        update={"label": label, "score": pipeline.score.model_copy(update={"entities": "trips"})}
    )


def test_a_label_in_the_scored_rows_is_split_off_and_published_apart(settings, lake):
    toy.staged(settings)
    published = publish(own_row_pipeline(), toy.DAY, settings, toy.audits(settings))
    assert published.headline == "published 2 tables, 40 trips"
    assert [each.name for each in published.outputs] == ["labels", "raw.trips", "raw.stations"]
    rows, labels = lake.read("raw.trips", [toy.DAY]), lake.read("labels", [toy.DAY])
    assert "minutes" not in rows
    expected = trips().sort_values("trip_id")[["trip_id", "minutes"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(labels, expected, check_dtype=False)
    assert publish(own_row_pipeline(), toy.DAY, settings, toy.audits(settings)).changed == 0


def test_a_label_that_the_scored_rows_do_not_have_is_refused(settings, lake):
    pipeline = own_row_pipeline()
    pipeline = pipeline.model_copy(update={"label": pipeline.label.model_copy(update={"column": "cost"})})
    toy.staged(settings)
    with pytest.raises(DataError, match="has no column 'cost', which is the label"):
        publish(pipeline, toy.DAY, settings, toy.audits(settings))
    assert lake.tables() == []


def test_a_new_table_takes_columns_that_older_ones_use_and_an_older_one_blocks_the_day(settings, lake, monkeypatch):
    taken = {"quality": 6, "version": "a", "inputs": 0.5, "partition": "x"}
    stations = toy.ordinary_day(toy.DAY)["stations"]
    begin_older(lake, "raw.stations", NEXT, pa.Table.from_pandas(stations, preserve_index=False))
    ingest(settings, monkeypatch, trips=trips(**taken))
    assert lake.read("raw.trips", [toy.DAY], [*taken]).iloc[0].to_dict() == taken
    with pytest.raises(DataError, match="stations was made by an earlier version") as refused:
        ingest(settings, monkeypatch, trips=trips(**taken), stations=stations.assign(quality=6))
    assert (refused.value.found, refused.value.do.startswith("rename them in the source")) == ("quality", True)
    assert Quarantine(settings.quarantine / "toy").is_blocked("stations", toy.DAY)


@pytest.fixture
def quiet(settings, lake, monkeypatch):
    """A pipeline whose days may have no trips, and the function that ingests a day of it."""
    tables = toy.trips_pipeline().model_dump(mode="json")["tables"]
    tables["trips"]["empty"] = "allow"
    pipeline = toy.trips_pipeline(tables=tables)

    def ingest(rows):
        with monkeypatch.context() as patch:
            toy.returning(patch, trips=rows)
            toy.staged(settings, pipeline)
        audits = toy.audits(settings, pipeline)
        return publish(pipeline, toy.DAY, settings, audits), audits[0]

    return ingest


@pytest.mark.parametrize("rows", [trips().iloc[:0], pd.DataFrame(), pd.DataFrame({"trip_id": []})])
def test_a_day_without_rows_is_published_where_it_is_allowed(lake, quiet, rows):
    published, audit = quiet(rows)
    assert (audit.outcome, audit.headline) == ("passed", "trips: no rows, which the table allows")
    assert [(each.severity, each.found) for each in audit.failures] == [("info", "there are no rows")]
    assert (published.headline, published.degraded) == ("published 2 tables, 0 trips", False)
    assert lake.partitions("raw.trips")[toy.DAY].version == NO_ROWS
    assert lake.read("raw.trips", [toy.DAY]).empty


def test_a_day_gets_rows_and_loses_them_again(lake, quiet):
    for rows in (trips().iloc[:0], trips(), trips().iloc[:0], trips(minutes=21.0)):
        published, _ = quiet(rows)
        assert published.changed == (2 if lake.commit("raw.trips") == 0 else 1)
        assert len(lake.read("raw.trips", [toy.DAY])) == len(rows)
        assert quiet(rows)[0].changed == 0


def test_a_day_without_rows_that_was_audited_while_it_was_allowed_is_not_published_later(settings, monkeypatch, quiet):
    _, audit = quiet(trips().iloc[:0])
    with pytest.raises(DataError, match="not of what would be published") as refused:
        publish(toy.trips_pipeline(), toy.DAY, settings, [audit, *toy.audits(settings)[1:]])
    assert refused.value.found == "outcome passed"
    with pytest.raises(DataError, match="1 of 2 tables") as blocked:
        publish(toy.trips_pipeline(), toy.DAY, settings, toy.audits(settings))
    assert "there are no rows; expected at least one" in blocked.value.found
    assert Quarantine(settings.quarantine / "toy").is_blocked("trips", toy.DAY)


def test_publishing_twice_changes_nothing(settings, lake, monkeypatch):
    first = ingest(settings, monkeypatch)
    commit = lake.commit("raw.trips")
    second = ingest(settings, monkeypatch, trips=trips().sample(frac=1, random_state=1))
    assert (second.headline, second.inputs) == (first.headline, first.inputs)
    assert [each.unchanged for each in (*first.outputs, *second.outputs)] == [False, False, True, True]
    assert second.changed == 0
    assert lake.commit("raw.trips") == commit


def test_a_run_that_stood_still_leaves_the_correction_that_came_meanwhile(settings, lake, monkeypatch):
    ingest(settings, monkeypatch)
    toy.returning(monkeypatch, trips=trips(minutes=21.0))
    toy.staged(settings)
    validations = toy.audits(settings)
    before_the_next_commit(monkeypatch, lambda: ingest(settings, monkeypatch, trips=trips(minutes=22.0)))
    with pytest.raises(Unavailable, match="Another run has published raw"):
        publish(toy.trips_pipeline(), toy.DAY, settings, validations)
    assert set(lake.read("raw.trips", [toy.DAY])["minutes"]) == {22.0}


def test_quarantined_rows_are_kept_and_not_published(settings, lake, monkeypatch):
    published = ingest(settings, monkeypatch, trips=trips(minutes=minutes(-5, 200)))
    assert published.headline == "published 2 tables, 38 trips; 2 rows quarantined"
    assert (published.quarantined_rows, published.degraded) == (2, False)
    assert set(lake.read("raw.trips", [toy.DAY])["minutes"]) == {20.0}
    quarantine = Quarantine(settings.quarantine / "toy")
    assert sorted(quarantine.rows("trips", toy.DAY)["minutes"].to_pylist()) == [-5, 200]
    assert quarantine.blocked_days("trips") == set()


def test_a_corrected_partition_leaves_nothing_in_quarantine(settings, lake, monkeypatch):
    ingest(settings, monkeypatch, trips=trips(minutes=minutes(-5)))
    ingest(settings, monkeypatch, trips=trips())
    assert Quarantine(settings.quarantine / "toy").reason("trips", toy.DAY) is None
    assert len(lake.read("raw.trips", [toy.DAY])) == 40


def test_a_warning_marks_what_is_published_as_degraded(settings, lake, monkeypatch):
    published = ingest(settings, monkeypatch, trips=trips(rider=["a", None] * 20, minutes=minutes(-5)))
    assert published.degraded
    assert lake.partitions("raw.trips")[toy.DAY].degraded
    assert not lake.partitions("raw.stations")[toy.DAY].degraded


def test_one_blocked_table_keeps_the_whole_partition_back(settings, lake, monkeypatch):
    stations = toy.ordinary_day(toy.DAY)["stations"].assign(station="a")
    with pytest.raises(DataError) as caught:
        ingest(settings, monkeypatch, stations=stations)
    assert caught.value.what == "1 of 2 tables of 2013-02-10 are blocked; nothing is published."
    assert "stations: expect_column_values_to_be_unique (station): 3 of 3 rows" in caught.value.found
    assert lake.partitions("raw.trips") == lake.partitions("raw.stations") == {}


def test_every_blocked_table_is_listed(settings, monkeypatch):
    stations = toy.ordinary_day(toy.DAY)["stations"].assign(station="a")
    with pytest.raises(DataError) as caught:
        ingest(settings, monkeypatch, stations=stations, trips=trips(minutes=-1.0))
    assert caught.value.where == "trips, stations"


def test_a_good_day_that_turns_bad_keeps_what_was_published(settings, lake, monkeypatch):
    ingest(settings, monkeypatch)
    before = lake.partitions("raw.trips")
    with pytest.raises(DataError, match="blocked"):
        ingest(settings, monkeypatch, trips=trips(minutes=-1.0))
    assert lake.partitions("raw.trips") == before
    assert Quarantine(settings.quarantine / "toy").is_blocked("trips", toy.DAY)
    ingest(settings, monkeypatch)
    assert not Quarantine(settings.quarantine / "toy").is_blocked("trips", toy.DAY)


def test_what_was_staged_after_the_audit_is_not_published(settings, lake, monkeypatch):
    toy.staged(settings)
    validations = toy.audits(settings)
    toy.returning(monkeypatch, trips=trips(minutes=21.0))
    toy.staged(settings)
    with pytest.raises(DataError, match="audit of trips of 2013-02-10 is not of what would be published"):
        publish(toy.trips_pipeline(), toy.DAY, settings, validations)
    assert lake.partitions("raw.trips") == {}


def test_an_audit_with_an_older_suite_is_not_enough(settings, tmp_path):
    toy.staged(settings)
    validations = toy.audits(settings)
    toy.installation(tmp_path, trips=toy.TRIPS.replace("max_value: 100", "max_value: 30"))
    with pytest.raises(DataError) as caught:
        publish(toy.trips_pipeline(), toy.DAY, settings, validations)
    assert caught.value.expected.startswith("suite ")


def test_audits_must_cover_every_table_of_this_partition_once(settings):
    toy.staged(settings)
    trips_audit, stations_audit = toy.audits(settings)
    yesterday = stations_audit.model_copy(update={"partition": toy.DAY - timedelta(days=1)})
    for validations in ([], [trips_audit], [trips_audit, trips_audit], [trips_audit, yesterday]):
        with pytest.raises(DataError, match="not those of every table"):
            publish(toy.trips_pipeline(), toy.DAY, settings, validations)


def test_a_record_cannot_pass_for_another_outcome(settings, lake, monkeypatch):
    toy.returning(monkeypatch, trips=trips(minutes=-1.0))
    toy.staged(settings)
    forged = [each.model_copy(update={"outcome": "passed", "failures": ()}) for each in toy.audits(settings)]
    with pytest.raises(DataError, match="blocked"):
        publish(toy.trips_pipeline(), toy.DAY, settings, forged)


@pytest.mark.parametrize(
    ("changed", "columns"),
    [
        (lambda rows: rows.rename(columns={"rider": "passenger"}), {"rider": "string", "passenger": "string"}),
        (lambda rows: rows.assign(extra=[1, None] * 20), {"extra": "double"}),
        (lambda rows: rows.assign(minutes=rows["minutes"].astype(int)), {"minutes": "double"}),
        (lambda rows: rows.assign(minutes=None, rider=pd.Categorical(rows["rider"])), {"minutes": "double"}),
    ],
)
def test_columns_come_and_go_and_keep_their_type(tmp_path, lake, monkeypatch, changed, columns):
    settings = toy.installation(tmp_path, trips=COLUMN)
    query(settings, "select trip_id, count(*) as trips from trips group by trip_id")
    ingest(settings, monkeypatch)
    before = lake.partitions("raw.trips")[toy.DAY]
    ingest_next(settings, monkeypatch, changed(trips()))
    kept = lake.schema("raw.trips")
    assert {name: str(kept.field(name).type) for name in columns} == columns
    assert lake.partitions("raw.trips")[toy.DAY] == before
    rows = lake.read("raw.trips", [NEXT])
    assert rows["rider"].notna().all() != ("passenger" in columns)


@pytest.mark.parametrize(
    ("sql", "gone", "users"),
    [
        ("select rider, count(*) as trips from trips group by rider", "rider", "the feature view v needs"),
        ("select rider, minutes from trips", "rider", "the feature view v needs"),
        ("select * exclude (rider) from trips", "rider", "the feature view v needs"),
        ("select started_at from trips", "rider", None),
        ("select * from trips", "rider", None),
        ("select nothing from trips", "rider", None),
        ("select started_at from trips", "late", "the label needs"),
    ],
)
def test_a_column_that_is_needed_may_not_go(tmp_path, lake, monkeypatch, sql, gone, users):
    settings = toy.installation(tmp_path, trips=COLUMN)
    query(settings, sql)
    ingest(settings, monkeypatch)
    if users is None:
        ingest_next(settings, monkeypatch, trips().drop(columns=gone))
        require_used_columns_in_newest(toy.trips_pipeline(), settings)
        return
    with pytest.raises(DataError) as refused:
        ingest_next(settings, monkeypatch, trips().drop(columns=gone))
    assert users in str(refused.value)
    assert lake.partitions("raw.trips").keys() == {toy.DAY}
    assert Quarantine(settings.quarantine / "toy").blocked_days("trips") == {NEXT}


def test_apply_names_a_view_that_needs_a_column_which_the_newest_day_does_not_have(tmp_path, monkeypatch):
    settings = toy.installation(tmp_path, trips=COLUMN)
    query(settings, "select started_at from trips")
    ingest(settings, monkeypatch)
    ingest_next(settings, monkeypatch, trips().drop(columns="rider"))
    query(settings, "select rider from trips")
    with pytest.raises(DataError, match="gone") as refused:
        require_used_columns_in_newest(toy.trips_pipeline(), settings)
    assert refused.value.where == "table trips, column rider"
    assert refused.value.found == f"no such column on {NEXT}"


@pytest.mark.parametrize(("ids", "found"), [(["a", "a"], "1 rows"), (["a", None], "null in trip_id")])
def test_a_key_that_does_not_identify_rows_is_refused_whatever_the_suite_says(tmp_path, monkeypatch, ids, found):
    suite = "- {expectation: expect_column_to_exist, severity: critical, column: trip_id}\n"
    with pytest.raises(DataError, match="does not identify its rows") as caught:
        ingest(toy.installation(tmp_path, trips=suite), monkeypatch, trips=trips().iloc[:2].assign(trip_id=ids))
    assert caught.value.found.startswith(found)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (lambda rows: rows.assign(trip_id="a"), "39 rows with a key seen before"),
        (lambda rows: rows.assign(trip_id=[None, *rows["trip_id"][1:]]), "null in trip_id"),
        (lambda rows: rows.assign(minutes=rows["minutes"].astype(str)), "string"),
        (lambda rows: rows.drop(columns="late"), "late no such column"),
    ],
)
def test_a_day_that_cannot_be_published_is_blocked_and_nothing_waits_for_it(tmp_path, monkeypatch, changed, reason):
    settings, pipeline = toy.installation(tmp_path, trips=COLUMN), toy.trips_pipeline()
    query(settings, "select 1")
    ingest(settings, monkeypatch)
    published = Lake(settings.lake / "toy").partitions("raw.trips")
    day = NEXT
    with pytest.raises(DataError):
        ingest_next(settings, monkeypatch, changed(trips()))
    kept, quarantine = Lake(settings.lake / "toy"), Quarantine(settings.quarantine / "toy")
    assert (kept.partitions("raw.trips"), day in kept.partitions("raw.stations")) == (published, False)
    assert reason in quarantine.reason("trips", day).reasons[0]
    assert quarantine.rows("trips", day).num_rows == 40
    ready = readiness(pipeline, "features", day, settings)
    assert ready.blocked == (f"raw.trips {day}",)
    assert f"raw.trips {day}" not in ready.missing
    ingest_next(settings, monkeypatch, trips())
    assert quarantine.reason("trips", day) is None


def test_every_table_that_cannot_be_published_is_blocked_with_its_own_reason(tmp_path, monkeypatch):
    settings = toy.installation(tmp_path, trips=COLUMN, stations=COLUMN.replace("trip_id", "station"))
    stations = toy.ordinary_day(toy.DAY)["stations"]
    with pytest.raises(DataError, match="The key of trips"):
        ingest(settings, monkeypatch, trips=trips(trip_id="a"), stations=stations.assign(station="a"))
    quarantine = Quarantine(settings.quarantine / "toy")
    assert "39 rows" in quarantine.reason("trips", toy.DAY).reasons[0]
    assert "2 rows" in quarantine.reason("stations", toy.DAY).reasons[0]


def test_a_lost_staged_file_is_an_error(settings):
    toy.staged(settings)
    validations = toy.audits(settings)
    Staging(settings.staging / "toy").path(toy.DAY, "stations").unlink()
    with pytest.raises(DataError, match="has not been staged"):
        publish(toy.trips_pipeline(), toy.DAY, settings, validations)
