"""The shipped suites, against real days and against real days that were damaged."""

from datetime import date, timedelta

import pandas as pd
import pytest

from airloom.core.audit import judge
from airloom.core.declaration import find_pipeline
from airloom.core.expectations import Suite, day_parameters, read_suite
from airloom.core.settings import PROJECT
from airloom.steps.check import check
from include.flight_delays.source import extract

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")

STORM, MISREAD_WIND, SPRING = date(2013, 2, 8), date(2013, 2, 12), date(2013, 3, 10)


@pytest.fixture(scope="module")
def pipeline():
    return find_pipeline(PROJECT / "include", "flight_delays")


@pytest.fixture(scope="module")
def suites(pipeline) -> dict[str, Suite]:
    folder = PROJECT / "include" / "flight_delays"
    return {name: read_suite(folder / table.expectations) for name, table in pipeline.tables.items()}


@pytest.fixture(scope="module")
def day() -> dict[str, pd.DataFrame]:
    return extract(SPRING)


def outcome(pipeline, suites, table: str, rows: pd.DataFrame, partition: date):
    findings = check(rows.reset_index(drop=True), suites[table], day_parameters(partition, "America/New_York"))
    return judge(findings, len(rows), pipeline.tables[table].quarantine.max_share)


def test_every_suite_uses_severities_on_purpose(suites):
    for table, suite in suites.items():
        assert {each.severity for each in suite.expectations} == {"critical", "warning", "info"}, table


@pytest.mark.parametrize(
    ("partition", "expected"),
    [
        (STORM, {"flights": "degraded", "weather": "passed", "schedule": "degraded"}),
        (MISREAD_WIND, {"flights": "passed", "weather": "quarantined", "schedule": "passed"}),
        (date(2013, 11, 3), dict.fromkeys(("flights", "weather", "schedule"), "passed")),
        (date(2013, 12, 30), {"flights": "passed", "weather": "degraded", "schedule": "passed"}),
    ],
)
def test_real_days_end_as_they_should(pipeline, suites, partition, expected):
    found = {
        table: outcome(pipeline, suites, table, rows, partition).outcome for table, rows in extract(partition).items()
    }
    assert found == expected


HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("table", "column", "damage", "expected"),
    [
        ("flights", "flight_id", lambda values: values.where(values.index > 0), "quarantined"),
        ("flights", "flight_id", lambda values: values.where(values.index != 1, values[0]), "quarantined"),
        ("flights", "flight_id", lambda values: values[0], "blocked"),
        ("flights", "carrier", lambda values: "ZZ", "blocked"),
        ("flights", "origin", lambda values: values.where(values.index > 3, "PHL"), "quarantined"),
        ("flights", "scheduled_at", lambda values: values + DAY, "blocked"),
        ("flights", "known_at", lambda values: values - DAY, "blocked"),
        ("flights", "distance", lambda values: values * 0, "blocked"),
        ("flights", "arr_delay", lambda values: values * 1000, "blocked"),
        ("flights", "arr_delay", lambda values: values.astype(str), "blocked"),
        ("flights", "late", lambda values: 2.0, "blocked"),
        ("flights", "tailnum", lambda values: values.where(values.index % 10 > 0), "degraded"),
        ("flights", "cancelled", lambda values: values.index % 5 == 0, "degraded"),
        ("weather", "wind_speed", lambda values: values * 100, "blocked"),
        ("weather", "observed_at", lambda values: values - DAY, "blocked"),
        ("weather", "origin", lambda values: "EWR", "blocked"),
        ("weather", "pressure", lambda values: float("nan"), "degraded"),
        ("schedule", "scheduled_at", lambda values: values - DAY, "blocked"),
        ("schedule", "announced_at", lambda values: values + DAY, "blocked"),
        ("schedule", "departure_hour", lambda values: 24, "blocked"),
    ],
)
def test_damaged_columns_are_found(pipeline, suites, day, table, column, damage, expected):
    rows = day[table].assign(**{column: damage(day[table][column])})
    judgement = outcome(pipeline, suites, table, rows, SPRING)
    assert judgement.outcome == expected
    assert [each for each in judgement.failures if column in (each.column or "")]


@pytest.mark.parametrize("table", ["flights", "weather", "schedule"])
def test_a_short_renamed_or_widened_table_is_blocked(pipeline, suites, day, table):
    rows = day[table]
    first = rows.columns[-1]
    for damaged in (rows.head(10), rows.rename(columns={first: "renamed"}), rows.assign(added=1)):
        assert outcome(pipeline, suites, table, damaged, SPRING).outcome == "blocked"
