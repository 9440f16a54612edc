import json

import pandas as pd
import pyarrow as pa
import pytest

from airloom.core.errors import DataError, DeclarationError, UsageError
from airloom.steps.validate import validate
from airloom.stores.quarantine import Quarantine
from airloom.stores.staging import Staging
from tests.worlds import trips as toy

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")


@pytest.fixture
def settings(tmp_path):
    return toy.installation(tmp_path)


def trips(**columns) -> pd.DataFrame:
    return toy.ordinary_day(toy.DAY)["trips"].assign(**columns)


def minutes(*wrong: float) -> list[float]:
    return [*wrong, *([20.0] * (40 - len(wrong)))]


def audit(settings, monkeypatch, rows: pd.DataFrame | None = None):
    toy.returning(monkeypatch, **({} if rows is None else {"trips": rows}))
    toy.staged(settings)
    return validate(toy.trips_pipeline(), toy.DAY, "trips", settings)


def failed(validation) -> list[tuple[str, str | None, str]]:
    return [(each.severity, each.column, each.found) for each in validation.failures]


def test_a_table_that_meets_everything_passes(settings, monkeypatch):
    validation = audit(settings, monkeypatch)
    assert (validation.outcome, validation.failures) == ("passed", ())
    assert validation.headline == "trips: 40 rows, 5 expectations, 0 failed"
    assert validation.inputs[0].name == "staging.trips"


def test_info_is_recorded_and_changes_nothing(settings, monkeypatch):
    validation = audit(settings, monkeypatch, trips(minutes=90.0))
    assert validation.outcome == "passed"
    assert failed(validation) == [("info", "minutes", "observed 90")]


def test_a_warning_degrades(settings, monkeypatch):
    validation = audit(settings, monkeypatch, trips(rider=["secret-rider", None] * 20))
    assert validation.outcome == "degraded"
    assert failed(validation) == [("warning", "rider", "20 of 40 rows")]


def test_few_bad_rows_are_quarantined(settings, monkeypatch):
    validation = audit(settings, monkeypatch, trips(minutes=minutes(-5, 987654)))
    assert (validation.outcome, validation.quarantined_rows) == ("quarantined", 2)
    assert validation.headline == "trips: 40 rows, 5 expectations, 2 failed, 2 rows quarantined"
    assert not Quarantine(settings.quarantine / "toy").is_blocked("trips", toy.DAY)


def test_more_bad_rows_than_allowed_block_the_table(settings, monkeypatch):
    validation = audit(settings, monkeypatch, trips(minutes=minutes(*[987654.0] * 5)))
    assert validation.outcome == "blocked"
    quarantine = Quarantine(settings.quarantine / "toy")
    assert quarantine.blocked_days("trips") == {toy.DAY}
    reason = quarantine.reason("trips", toy.DAY)
    assert reason.reasons == (
        "5 of 40 rows fail, at most 10.0% may be quarantined",
        "expect_column_values_to_be_between (minutes): 5 of 40 rows; expected min_value 0, max_value 100",
    )
    assert quarantine.rows("trips", toy.DAY).num_rows == 40, "all of the partition is kept"


def test_both_rows_of_a_duplicate_key_are_held_back(settings, monkeypatch):
    ids = ["same", "same", *[f"{number}" for number in range(38)]]
    validation = audit(settings, monkeypatch, trips(trip_id=ids))
    assert (validation.outcome, validation.quarantined_rows) == ("quarantined", 2)


def test_a_table_level_critical_failure_blocks(tmp_path, monkeypatch):
    suite = "- {expectation: expect_table_row_count_to_be_between, severity: critical, min_value: 50}\n"
    validation = audit(toy.installation(tmp_path, trips=suite), monkeypatch)
    assert validation.outcome == "blocked"
    assert failed(validation) == [("critical", None, "observed 40")]


def test_renamed_and_added_columns_are_named(tmp_path, monkeypatch):
    columns = "trip_id, started_at, ended_at, minutes, rider, late"
    suite = f"- {{expectation: expect_table_columns_to_match_set, severity: critical, column_set: [{columns}]}}\n"
    rows = trips().rename(columns={"rider": "passenger"})
    validation = audit(toy.installation(tmp_path, trips=suite), monkeypatch, rows)
    assert validation.outcome == "blocked"
    assert validation.failures[0].found == "missing rider; unexpected passenger"


@pytest.mark.parametrize("severity", ["critical", "warning", "info"])
def test_a_check_that_could_not_run_blocks_and_says_so(tmp_path, monkeypatch, severity):
    suite = (
        f"- {{expectation: expect_column_values_to_be_between, severity: {severity}, column: rider, min_value: 1}}\n"
    )
    validation = audit(toy.installation(tmp_path, trips=suite), monkeypatch)
    assert validation.outcome == "blocked"
    assert failed(validation) == [(severity, "rider", "could not run: TypeError on rider of type object")]


def test_a_check_of_a_column_that_is_not_there_could_not_run(tmp_path, monkeypatch):
    suite = "- {expectation: expect_column_values_to_not_be_null, severity: info, column: driver}\n"
    validation = audit(toy.installation(tmp_path, trips=suite), monkeypatch)
    assert validation.outcome == "blocked"
    assert validation.failures[0].found.startswith("could not run: no column driver; there are trip_id, started_at")


@pytest.mark.parametrize(
    ("expectation", "found"),
    [
        (
            "expect_column_values_to_be_between, min_value: 1, column: nothing",
            "vacuous: every value of nothing is null",
        ),
        (
            "expect_column_values_to_be_in_set, value_set: [a], column: nothing",
            "vacuous: every value of nothing is null",
        ),
        ("expect_column_values_to_be_unique, column: nothing", "vacuous: every value of nothing is null"),
        ("expect_column_max_to_be_between, min_value: 1, column: nothing", "vacuous: every value of nothing is null"),
        (
            "expect_column_values_to_be_between, min_value: 1, column: minutes, row_condition: late == 7",
            "vacuous: no row meets the row_condition",
        ),
        (
            "expect_column_values_to_not_be_null, column: minutes, row_condition: late == 7",
            "vacuous: no row meets the row_condition",
        ),
    ],
)
def test_a_check_that_had_nothing_to_check_has_failed(tmp_path, monkeypatch, expectation, found):
    suite = f"- {{severity: critical, expectation: {expectation}}}\n"
    validation = audit(toy.installation(tmp_path, trips=suite), monkeypatch, trips(nothing=float("nan")))
    assert (validation.outcome, validation.failures[0].found) == ("blocked", found)


def test_a_table_without_rows_is_blocked_unless_it_may_have_none(settings, monkeypatch):
    toy.staged(settings)
    staging = Staging(settings.staging / "toy")
    staging.write(toy.DAY, "trips", staging.read(toy.DAY, "trips").slice(0, 0))
    validation = validate(toy.trips_pipeline(), toy.DAY, "trips", settings)
    assert (validation.outcome, validation.headline) == ("blocked", "trips: no rows, blocked")
    assert failed(validation) == [("critical", None, "there are no rows")]


def test_a_row_condition_limits_the_rows_and_keeps_their_places(tmp_path, monkeypatch):
    suite = (
        "- {expectation: expect_column_values_to_be_between, severity: critical, column: minutes, max_value: 57,"
        " row_condition: late == 1}\n"
    )
    settings = toy.installation(tmp_path, trips=suite)
    validation = audit(settings, monkeypatch)
    assert failed(validation) == [("critical", "minutes", "1 of 20 rows")]
    result = json.loads((settings.validations / validation.result).read_text())
    assert result["held_back"] == [39]


def test_the_same_content_gives_the_same_file_and_other_content_another(settings, monkeypatch):
    first = audit(settings, monkeypatch)
    content = (settings.validations / first.result).read_bytes()
    assert audit(settings, monkeypatch, trips().sample(frac=1, random_state=1)) == first
    assert (settings.validations / first.result).read_bytes() == content
    assert audit(settings, monkeypatch, trips(minutes=21.0)).result != first.result
    assert (settings.validations / first.result).read_bytes() == content


def test_records_and_results_hold_no_value_of_the_data(tmp_path, monkeypatch, caplog, capfd):
    suite = toy.TRIPS + (
        "- {expectation: expect_column_values_to_match_regex, severity: critical, column: rider, regex: ^x}\n"
        "- {expectation: expect_column_max_to_be_between, severity: info, column: minutes, max_value: 1}\n"
        "- {expectation: expect_column_values_to_be_between, severity: info, column: rider, min_value: 1}\n"
        "- {expectation: expect_column_distinct_values_to_be_in_set, severity: info, column: rider, value_set: [x]}\n"
        "- {expectation: expect_column_most_common_value_to_be_in_set, severity: info, column: rider, value_set: [x]}\n"
    )
    settings = toy.installation(tmp_path, trips=suite)
    validation = audit(settings, monkeypatch, trips(minutes=minutes(987654)))
    output = capfd.readouterr()
    told = [validation.model_dump_json(), (settings.validations / validation.result).read_text(), caplog.text]
    told += [output.out, output.err]
    told += [file.read_text() for file in settings.quarantine.rglob("*.json")]
    assert len(validation.failures) == 7
    assert not [text for text in told if "secret" in text or "987654" in text or "987,654" in text]
    assert "Calculating Metrics" not in output.err


@pytest.mark.parametrize(
    ("suite", "message", "line"),
    [
        ("- {expectation: expect_column_value_to_not_be_null, severity: info, column: a}", "Did you mean 'expect_", 1),
        (
            "- expectation: expect_column_values_to_not_be_null\n  severity: info\n  colum: a",
            "takes no 'colum'. Did you mean 'column'",
            3,
        ),
        ("- {expectation: expect_column_values_to_not_be_null, severity: info}", "cannot be declared like this", 1),
    ],
)
def test_what_great_expectations_does_not_know_is_an_error_of_the_suite(tmp_path, monkeypatch, suite, message, line):
    with pytest.raises(DeclarationError, match=message) as caught:
        audit(toy.installation(tmp_path, trips=suite), monkeypatch)
    assert f"trips.yaml, line {line}" in caught.value.where


def test_an_undeclared_table_and_an_unstaged_one_are_errors(settings):
    with pytest.raises(UsageError, match="Did you mean 'trips'"):
        validate(toy.trips_pipeline(), toy.DAY, "trip", settings)
    with pytest.raises(DataError, match="has not been staged"):
        validate(toy.trips_pipeline(), toy.DAY, "trips", settings)


def test_one_audit_does_not_see_the_rows_of_another(settings, monkeypatch):
    assert audit(settings, monkeypatch, trips(minutes=minutes(-1))).outcome == "quarantined"
    assert audit(settings, monkeypatch).outcome == "passed"
    assert validate(toy.trips_pipeline(), toy.DAY, "stations", settings).outcome == "passed"
    assert isinstance(Staging(settings.staging / "toy").read(toy.DAY, "trips"), pa.Table)
