import shutil

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airloom.core.errors import DataError, DeclarationError
from airloom.steps.compute import compute
from airloom.steps.entity_keys import require_entity_keys
from airloom.steps.view_definitions import view_definitions
from airloom.stores.features import apply_features
from tests.worlds.flights import FOLDER, START, VIEWS, flight_pipeline, lake_of, publish_days
from tests.worlds.flights import features as definitions
from tests.worlds.installation import project_at

ROUTES = {"origin": "STRING", "dest": "STRING"}


@pytest.fixture
def settings(tmp_path):
    shutil.copytree(FOLDER / "include", tmp_path / "include")
    settings = project_at(tmp_path)
    publish_days(settings, START, START)
    return settings


def write_sql(settings, view, sql):
    (settings.include / "flights" / "sql" / f"{view}.sql").write_text(sql, encoding="utf-8")


@pytest.mark.parametrize("registered", [False, True], ids=["defined", "registered"])
@pytest.mark.parametrize(
    ("view", "sql", "found"),
    [
        (
            "carrier_delays",
            "SELECT carrier, 1 AS carrier_flights_1d FROM flights",
            "9 rows with a key seen before, of 12",
        ),
        (
            "route_delays",
            "SELECT a.origin, b.dest, avg(a.late) AS route_late_rate_28d FROM flights AS a, flights AS b "
            "GROUP BY a.origin, b.dest, a.carrier",
            "16 rows with a key seen before, of 24",
        ),
        ("plane", "SELECT tailnum, seats AS plane_seats FROM planes, range(2)", "4 rows with a key seen before, of 8"),
    ],
    ids=["no GROUP BY", "a product of rows", "a product of tables"],
)
def test_several_rows_for_an_entity_are_refused_before_anything_of_the_day_is_written(
    settings, view, sql, found, registered
):
    if registered:
        apply_features(flight_pipeline(), settings, definitions)
    write_sql(settings, view, sql)
    with pytest.raises(DataError) as refused:
        compute(flight_pipeline(), START, settings)
    assert refused.value.found == found
    assert refused.value.where.startswith(f"include/flights/sql/{view}.sql")
    assert not any(lake_of(settings).partitions(f"features.{name}") for name in VIEWS)


def test_a_row_without_a_key_is_kept_and_is_no_repetition(settings):
    write_sql(
        settings, "aircraft_delays", "SELECT tailnum, max(late) AS aircraft_last_arr_delay FROM flights GROUP BY 1"
    )
    compute(flight_pipeline("aircraft_delays"), START, settings)
    assert lake_of(settings).read("features.aircraft_delays", [START])["tailnum"].isna().sum() == 1


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("max(scheduled_at)", "timestamp[us, tz=UTC]"),
        ("date_trunc('day', max(scheduled_at))", "timestamp[us, tz=UTC]"),
        ("1.5::DECIMAL(8, 2)", "double"),
        ("avg(late)", "double"),
        ("bool_or(late > 0)", "bool"),
        ("count(*)", "int64"),
    ],
)
def test_a_key_that_nothing_would_match_is_refused(settings, key, kind):
    write_sql(settings, "carrier_delays", f"SELECT {key} AS carrier, count(*) AS carrier_flights_1d FROM flights")
    with pytest.raises(DataError, match="cannot be matched") as refused:
        compute(flight_pipeline("carrier_delays"), START, settings)
    assert (refused.value.found, refused.value.expected) == (kind, "text, for an entity of type STRING")


def test_sql_that_does_not_give_a_key_is_refused(settings):
    write_sql(settings, "route_delays", "SELECT origin, avg(late) AS route_late_rate_28d FROM flights GROUP BY origin")
    with pytest.raises(DeclarationError) as refused:
        compute(flight_pipeline("route_delays"), START, settings)
    assert refused.value.expected == "dest"


def test_views_are_those_that_are_registered_and_before_that_those_that_are_defined(settings):
    defined = view_definitions(flight_pipeline(), settings)
    apply_features(flight_pipeline(), settings, definitions)
    assert defined == view_definitions(flight_pipeline(), settings)
    assert defined["route_delays"].keys == ROUTES


@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from(["x", "y", None]))))
def test_rows_are_refused_exactly_when_a_whole_key_comes_twice(keys):
    rows = pa.table({name: pa.array([key[place] for key in keys], pa.string()) for place, name in enumerate(ROUTES)})
    whole = [key for key in keys if None not in key]
    if len(whole) == len(set(whole)):
        require_entity_keys("v", ROUTES, rows, "v.sql")
    else:
        with pytest.raises(DataError) as refused:
            require_entity_keys("v", ROUTES, rows, "v.sql")
        assert refused.value.found.startswith(f"{len(whole) - len(set(whole))} row")
