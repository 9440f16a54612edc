from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from airloom.core.errors import DataError, DeclarationError, NotDue, SetupError
from airloom.core.fingerprint import fingerprint
from airloom.core.partitions import as_of, day_range
from airloom.steps import compute as compute_step
from airloom.steps.compute import compute
from airloom.steps.inputs import FeatureInputs
from airloom.stores.content import NO_ROWS
from airloom.stores.partition_columns import PARTITION_COLUMNS
from tests.worlds.flights import (
    DAY,
    FOLDER,
    START,
    VIEWS,
    ZONE,
    flight_pipeline,
    flights,
    flights_at,
    lake_of,
    local,
    planes,
    publish_days,
    publish_raw,
    weather,
)


@pytest.fixture
def settings(tmp_path):
    return flights_at(tmp_path)


def features(settings, view, day=DAY):
    rows = lake_of(settings).read(f"features.{view}", [day])
    return rows.sort_values(list(rows.columns), ignore_index=True)


def commits(settings):
    return {view: lake_of(settings).commit(f"features.{view}") for view in VIEWS}


def test_features_are_what_pandas_says(settings):
    publish_days(settings, START, DAY)
    pipeline = flight_pipeline()
    computed = compute(pipeline, DAY, settings)
    history = pd.concat(flights(day) for day in day_range(START, DAY))
    week = history[history["scheduled_at"] >= as_of(DAY - timedelta(days=7), ZONE)]
    carriers = features(settings, "carrier_delays").set_index("carrier")
    assert computed.views == dict(zip(VIEWS, (3, 2, 4, 4, 4, 2), strict=True))
    for column, expected in {
        "carrier_late_rate_28d": history.groupby("carrier")["late"].mean(),
        "carrier_late_rate_7d": week.groupby("carrier")["late"].mean(),
        "carrier_flights_28d": history.groupby("carrier").size(),
        "carrier_flights_1d": flights(DAY).groupby("carrier").size(),
        "carrier_arr_delay_mean_7d": week.groupby("carrier")["arr_delay"].mean(),
    }.items():
        pd.testing.assert_series_equal(carriers[column], expected, check_names=False, check_index_type=False)
    last = features(settings, "origin_weather").set_index("origin").loc["EWR"]
    assert (last["weather_temp_last"], last["weather_temp_min_1d"], last["weather_precip_1d"]) == (
        33.0,
        10.0,
        pytest.approx(2.4),
    )
    ages = features(settings, "plane").set_index("tailnum")["plane_age"]
    assert ages.to_dict() == pytest.approx({"N0": 14, "N1": 9, "N2": np.nan, "N3": np.nan}, nan_ok=True)


def test_features_are_stamped_with_the_end_of_the_day(settings):
    publish_days(settings, DAY, DAY)
    compute(flight_pipeline(), DAY, settings)
    rows = features(settings, "carrier_delays")
    assert set(rows["as_of"]) == set(rows["known_at"]) == {pd.Timestamp(as_of(DAY, ZONE))}


def test_a_day_of_twenty_three_hours_is_a_day(settings):
    spring = START.replace(day=10)
    publish_days(settings, START, spring)
    compute(flight_pipeline("carrier_delays"), spring, settings)
    assert features(settings, "carrier_delays", spring)["carrier_flights_1d"].sum() == 12


def test_a_flight_that_lands_after_midnight_is_not_known_yet(settings):
    publish_days(settings, DAY, DAY)
    pipeline = flight_pipeline()
    compute(pipeline, DAY, settings)
    before = {view: features(settings, view) for view in VIEWS}
    late = (
        flights(DAY)
        .head(1)
        .assign(flight_id="late", arr_delay=900.0, late=1.0, known_at=local(DAY, 24) + timedelta(microseconds=1))
    )
    publish_raw(settings, "flights", DAY, pd.concat([flights(DAY), late]))
    compute(pipeline, DAY, settings)
    for view in VIEWS:
        pd.testing.assert_frame_equal(features(settings, view), before[view])


def test_tomorrow_in_the_lake_changes_nothing(settings):
    publish_days(settings, START, DAY)
    pipeline = flight_pipeline()
    compute(pipeline, DAY, settings)
    before = commits(settings)
    publish_days(settings, DAY + timedelta(days=1), DAY + timedelta(days=3))
    assert compute(pipeline, DAY, settings).changed == 0
    assert commits(settings) == before


def test_rows_planted_in_the_future_of_their_own_day_change_nothing(settings):
    publish_raw(settings, "weather", DAY, weather(DAY))
    pipeline = flight_pipeline("origin_weather")
    compute(pipeline, DAY, settings)
    before = features(settings, "origin_weather")
    planted = weather(DAY, temp=500.0).assign(observed_at=local(DAY, 25))
    publish_raw(settings, "weather", DAY, pd.concat([planted, weather(DAY)]))
    compute(pipeline, DAY, settings)
    pd.testing.assert_frame_equal(features(settings, "origin_weather"), before)


def test_the_order_of_rows_and_of_commits_changes_no_version(settings, tmp_path):
    other, pipeline = flights_at(tmp_path / "other"), flight_pipeline("carrier_delays", "aircraft_delays")
    for day in day_range(START, DAY):
        publish_raw(settings, "flights", day, flights(day))
    for day in reversed(day_range(START, DAY)):
        publish_raw(other, "flights", day, flights(day).sample(frac=1.0, random_state=1))
    first, second = (compute(pipeline, DAY, each).outputs for each in (settings, other))
    assert [each.version for each in first] == [each.version for each in second]


def test_the_same_again_writes_nothing(settings):
    publish_days(settings, START, DAY)
    pipeline = flight_pipeline()
    first = compute(pipeline, DAY, settings)
    before = commits(settings)
    second = compute(pipeline, DAY, settings)
    assert (first.changed, second.changed, second.healed) == (len(VIEWS), 0, ())
    assert second.views == first.views
    assert second.outputs == tuple(each.model_copy(update={"unchanged": True}) for each in first.outputs)
    assert commits(settings) == before


def test_a_correction_recomputes_exactly_the_days_that_used_it(settings):
    last = START + timedelta(days=11)
    publish_days(settings, START, last)
    pipeline = flight_pipeline("origin_delays", "origin_weather")
    for day in day_range(START, last):
        compute(pipeline, day, settings)
    before = {view: lake_of(settings).partitions(f"features.{view}") for view in pipeline.features.views}
    corrected = START + timedelta(days=2)
    publish_raw(settings, "flights", corrected, flights(corrected, delay=99.0))
    healed = compute(pipeline, corrected, settings)
    after = {view: lake_of(settings).partitions(f"features.{view}") for view in pipeline.features.views}
    assert healed.healed == tuple(day_range(corrected + timedelta(days=1), corrected + timedelta(days=6)))
    assert healed.changed == 7
    changed = [day for day in day_range(START, last) if after["origin_delays"][day] != before["origin_delays"][day]]
    assert changed == day_range(corrected, corrected + timedelta(days=6))
    assert after["origin_weather"] == before["origin_weather"]
    assert compute(pipeline, corrected, settings).changed == 0


def test_a_nightly_run_heals_earlier_days_within_the_look_back(settings):
    publish_days(settings, START, DAY)
    pipeline = flight_pipeline("origin_delays")
    early = DAY - timedelta(days=3)
    for day in (early, DAY - timedelta(days=1)):
        compute(pipeline, day, settings)
    publish_raw(settings, "flights", early, flights(early, delay=99.0))
    assert compute(pipeline, DAY, settings).healed == (early, DAY - timedelta(days=1))


def test_changed_sql_recomputes(settings, monkeypatch):
    publish_days(settings, DAY, DAY)
    pipeline = flight_pipeline("plane")
    compute(pipeline, DAY, settings)
    columns = "7 AS plane_age, seats AS plane_seats, manufacturer AS plane_manufacturer"
    with_sql(monkeypatch, f"SELECT tailnum, {columns} FROM planes")
    assert compute(pipeline, DAY, settings).changed == 1
    assert set(features(settings, "plane")["plane_age"]) == {7}


def test_a_missing_or_degraded_day_of_the_window_degrades(settings):
    pipeline = flight_pipeline("origin_delays")
    publish_days(settings, START, START + timedelta(days=1))
    assert not compute(pipeline, START, settings).degraded
    assert not compute(pipeline, START + timedelta(days=1), settings).degraded
    assert compute(pipeline, START + timedelta(days=2), settings).degraded
    publish_raw(settings, "flights", START, flights(START), degraded=True)
    assert compute(pipeline, START, settings).degraded
    published = lake_of(settings).partitions("features.origin_delays")
    assert [each.degraded for each in published.values()] == [True, True, True]


def test_a_day_of_which_nothing_is_published_is_not_due(settings):
    publish_days(settings, START, START)
    with pytest.raises(NotDue, match="There is nothing to compute the features"):
        compute(flight_pipeline("plane"), DAY, settings)
    assert lake_of(settings).partitions("features.plane") == {}


def test_a_view_without_any_input_is_left_out_and_the_day_is_degraded(settings):
    publish_days(settings, START, DAY - timedelta(days=1))
    pipeline = flight_pipeline("origin_delays", "plane")
    computed = compute(pipeline, DAY, settings)
    assert (list(computed.views), computed.degraded) == (["origin_delays"], True)
    assert "left out for want of input: plane" in computed.headline
    assert DAY not in lake_of(settings).partitions("features.plane")
    assert compute(pipeline, DAY, settings).changed == 0


def test_a_view_that_was_left_out_is_healed_by_the_next_nights_run(settings):
    publish_days(settings, START, DAY - timedelta(days=1))
    pipeline = flight_pipeline("origin_delays", "plane")
    compute(pipeline, DAY, settings)
    publish_days(settings, DAY, DAY + timedelta(days=1))
    assert compute(pipeline, DAY + timedelta(days=1), settings).healed == (DAY,)
    assert not lake_of(settings).partitions("features.plane")[DAY].degraded
    assert not lake_of(settings).partitions("features.origin_delays")[DAY].degraded


def test_a_partition_of_a_version_that_kept_no_types_is_current_by_its_inputs_and_its_sql(settings):
    publish_days(settings, START, START)
    pipeline, lake = flight_pipeline("plane"), lake_of(settings)
    compute(pipeline, START, settings)
    raw, rows = lake.partitions("raw.planes")[START], pa.table(lake.dataset("features.plane", [START]).to_table())
    sql = (FOLDER / "include" / "flights" / "sql" / "plane.sql").read_text()
    earlier = fingerprint({"days": {START.isoformat(): [raw.version, False]}, "sql": sql})
    now = lake.partitions("features.plane")[START]
    lake.replace("features.plane", replace(now, inputs=earlier), rows.drop_columns(PARTITION_COLUMNS))
    assert compute(pipeline, START, settings).changed == 0
    publish_raw(settings, "planes", START, planes(START).assign(seats=7))
    assert compute(pipeline, START, settings).changed == 1


JOINED = """
SELECT flights.tailnum, count(*) AS plane_seats, max(planes.seats) AS plane_age
FROM flights LEFT JOIN planes USING (tailnum) GROUP BY flights.tailnum
"""


@pytest.fixture
def joined(monkeypatch):
    """A pipeline whose only view reads flights and planes, two days of each."""
    with_sql(monkeypatch, JOINED)
    pipeline = flight_pipeline("plane")
    view = pipeline.features.views["plane"].model_copy(
        update={"reads": ("flights", "planes"), "window": timedelta(days=2)}
    )
    return pipeline.model_copy(update={"features": pipeline.features.model_copy(update={"views": {"plane": view}})})


def test_a_view_reads_several_tables_each_as_it_was_known(settings, joined):
    publish_days(settings, START, DAY)
    late = flights(DAY).head(1).assign(flight_id="late", tailnum="late", known_at=local(DAY, 25))
    publish_raw(settings, "flights", DAY, pd.concat([flights(DAY), late]))
    publish_raw(settings, "planes", DAY, planes(DAY).assign(seats=999, seen_at=local(DAY, 25)))
    computed = compute(joined, DAY, settings)
    rows = features(settings, "plane").set_index("tailnum")
    assert "late" not in rows.index
    assert rows["plane_age"].max() == 200
    assert {(each.name, each.partition) for each in computed.inputs} == {
        (f"raw.{table}", day) for table in ("flights", "planes") for day in (DAY - timedelta(days=1), DAY)
    }
    assert compute(joined, DAY, settings).changed == 0


@pytest.mark.parametrize("table", ["flights", "planes"])
def test_a_correction_of_any_of_several_tables_recomputes(settings, joined, table):
    publish_days(settings, START, DAY)
    compute(joined, DAY, settings)
    correction = {"flights": flights(DAY, delay=99.0).head(3), "planes": planes(DAY).assign(seats=7)}
    publish_raw(settings, table, DAY, correction[table])
    assert compute(joined, DAY, settings).changed == 1
    publish_raw(settings, table, DAY, correction[table], degraded=True)
    assert compute(joined, DAY, settings).degraded


def test_a_missing_day_of_one_of_several_tables_degrades_and_a_missing_table_leaves_the_view_out(settings, joined):
    for day in (START, START + timedelta(days=1)):
        publish_raw(settings, "flights", day, flights(day))
    with pytest.raises(NotDue):
        compute(joined, START, settings)
    publish_raw(settings, "planes", START, planes(START))
    assert not compute(joined, START, settings).degraded
    assert compute(joined, START + timedelta(days=1), settings).degraded


def test_sql_may_read_none_but_the_declared_tables(settings, joined, monkeypatch):
    publish_days(settings, DAY, DAY)
    with_sql(monkeypatch, "SELECT tailnum, 1 AS plane_seats FROM weather")
    with pytest.raises(DeclarationError) as refused:
        compute(joined, DAY, settings)
    assert refused.value.do == "read only the tables flights and planes and the parameter $as_of"


def test_a_view_whose_sql_gives_no_rows_is_published_and_current(settings, monkeypatch):
    publish_days(settings, DAY, DAY)
    pipeline = flight_pipeline("plane")
    with monkeypatch.context() as patch:
        with_sql(patch, "SELECT tailnum, seats AS plane_seats FROM planes WHERE seats > 1000")
        computed = compute(pipeline, DAY, settings)
        assert (computed.views, computed.changed, computed.degraded) == ({"plane": 0}, 1, False)
        assert "no rows in plane" in computed.headline
        again = compute(pipeline, DAY, settings)
        assert (again.changed, again.outputs[0].version) == (0, NO_ROWS)
    assert compute(pipeline, DAY, settings).views == {"plane": 4}


def test_a_day_without_rows_is_an_input_like_any_other(settings):
    second, pipeline = START + timedelta(days=1), flight_pipeline("origin_delays")
    publish_raw(settings, "flights", START, flights(START, delay=0.0))
    publish_raw(settings, "flights", second, flights(second).iloc[:0])
    computed = compute(pipeline, second, settings)
    assert not computed.degraded
    assert {(each.partition, each.version == NO_ROWS) for each in computed.inputs} == {(START, False), (second, True)}
    assert set(features(settings, "origin_delays", second)["origin_late_rate_7d"]) == {0.0}
    assert compute(pipeline, second, settings).changed == 0
    publish_raw(settings, "flights", second, flights(second, delay=99.0))
    assert compute(pipeline, second, settings).changed == 1
    assert set(features(settings, "origin_delays", second)["origin_late_rate_7d"]) == {0.5}


def test_a_table_that_never_had_a_row_gives_no_features_and_they_are_healed_once_it_has(settings):
    second, pipeline = START + timedelta(days=1), flight_pipeline("origin_delays")
    publish_raw(settings, "flights", START, pd.DataFrame())
    assert compute(pipeline, START, settings).views == {"origin_delays": 0}
    assert compute(pipeline, START, settings).changed == 0
    publish_raw(settings, "flights", second, flights(second))
    computed = compute(pipeline, second, settings)
    assert (computed.views, computed.healed) == ({"origin_delays": 2}, (START,))
    assert features(settings, "origin_delays", START).empty


def with_sql(monkeypatch, sql):
    read = FeatureInputs.read
    monkeypatch.setattr(
        FeatureInputs,
        "read",
        lambda pipeline, settings: replace(read(pipeline, settings), sql=dict.fromkeys(pipeline.features.views, sql)),
    )


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT tailnum, seats AS plane_seats FROM flights",
        "SELECT * FROM read_parquet('/etc/passwd')",
        "SELECT tailnum, nothing FROM planes",
        "DROP TABLE planes; SELECT 1",
        "CREATE TABLE kept AS SELECT * FROM planes",
        "SELECT tailnum, seen_at AS as_of FROM planes",
        "SELEKT",
    ],
)
def test_sql_that_reads_or_does_something_else_is_refused(settings, monkeypatch, sql):
    publish_raw(settings, "planes", DAY, planes(DAY))
    with_sql(monkeypatch, sql)
    with pytest.raises(DeclarationError) as refused:
        compute(flight_pipeline("plane"), DAY, settings)
    assert refused.value.where == "include/flights/sql/plane.sql"


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        (
            "tailnum::INTEGER",
            "Conversion Error: a value that is not shown here, when casting from source column tailnum",
        ),
        ("strptime(tailnum, '%Y')", "Invalid Input Error: a value that is not shown here"),
        ("(seats::BIGINT * 9e18::BIGINT)::BIGINT", "Out of Range Error: a value that is not shown here"),
    ],
)
def test_an_error_about_a_value_does_not_show_it(settings, monkeypatch, expression, told):
    publish_raw(settings, "planes", DAY, planes(DAY))
    with_sql(monkeypatch, f"SELECT tailnum, {expression} AS x FROM planes")
    with pytest.raises(DeclarationError) as refused:
        compute(flight_pipeline("plane"), DAY, settings)
    assert refused.value.found == told


def test_a_column_that_cannot_be_a_feature_is_named(settings, monkeypatch):
    publish_raw(settings, "planes", DAY, planes(DAY))
    with_sql(monkeypatch, "SELECT tailnum, [1, 2] AS many FROM planes")
    with pytest.raises(DataError) as refused:
        compute(flight_pipeline("plane"), DAY, settings)
    assert refused.value.where == "include/flights/sql/plane.sql, column many"


def test_a_correction_that_comes_in_between_leaves_nothing_stale(settings, monkeypatch):
    publish_days(settings, START, DAY)
    pipeline, replaced = flight_pipeline("origin_delays"), []
    compute_stale_features = compute_step.compute_stale

    def overtaken(*arguments):
        written = compute_stale_features(*arguments)
        if not replaced:
            replaced.append(True)
            publish_raw(settings, "flights", DAY, flights(DAY, delay=99.0))
        return written

    monkeypatch.setattr(compute_step, "compute_stale", overtaken)
    compute(pipeline, DAY, settings)
    assert set(features(settings, "origin_delays")["origin_dep_delay_mean_1d"]) == {99.0}
    assert FeatureInputs.read(pipeline, settings).is_current("origin_delays", DAY)


def test_a_source_that_never_rests_is_given_up(settings, monkeypatch):
    publish_days(settings, DAY, DAY)
    compute_stale_features, count = compute_step.compute_stale, iter(range(100))

    def overtaken(*arguments):
        written = compute_stale_features(*arguments)
        publish_raw(settings, "flights", DAY, flights(DAY, delay=float(next(count))))
        return written

    monkeypatch.setattr(compute_step, "compute_stale", overtaken)
    with pytest.raises(SetupError, match="kept changing"):
        compute(flight_pipeline("origin_delays"), DAY, settings)


def test_the_record_names_every_version_that_was_read(settings):
    publish_days(settings, DAY - timedelta(days=1), DAY)
    computed = compute(flight_pipeline("origin_delays", "plane"), DAY, settings)
    published = lake_of(settings).partitions("raw.flights")
    assert {(each.name, each.partition, each.version) for each in computed.inputs} == {
        *(("raw.flights", day, version.version) for day, version in published.items()),
        ("raw.planes", DAY, lake_of(settings).partitions("raw.planes")[DAY].version),
    }
    assert [each.name for each in computed.outputs] == ["features.origin_delays", "features.plane"]
