from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from airloom.core.audit import Finding, judge
from airloom.core.errors import DeclarationError
from airloom.core.expectations import Expectation, day_parameters, read_suite

NOT_NULL = "- {expectation: expect_column_values_to_not_be_null, severity: critical, column: flight_id}\n"


def suite_file(folder: Path, text: str) -> Path:
    file = folder / "flights.yaml"
    file.write_text(text)
    return file


def between(**arguments) -> str:
    rest = "".join(f", {name}: {value}" for name, value in arguments.items())
    return f"- {{expectation: expect_column_values_to_be_between, severity: warning, column: distance{rest}}}\n"


def test_a_suite_keeps_the_order_and_the_arguments_of_its_file(tmp_path):
    suite = read_suite(suite_file(tmp_path, NOT_NULL + between(min_value=1, mostly=0.9)))
    assert [each.severity for each in suite.expectations] == ["critical", "warning"]
    assert suite.expectations[1].declared == {"column": "distance", "min_value": 1, "mostly": 0.9}


def test_the_digest_follows_the_meaning_and_not_the_layout(tmp_path):
    flow = read_suite(suite_file(tmp_path, NOT_NULL)).digest
    block = "- column: flight_id\n  severity: critical\n  expectation: expect_column_values_to_not_be_null\n"
    assert read_suite(suite_file(tmp_path, block)).digest == flow
    assert read_suite(suite_file(tmp_path, block.replace("critical", "info"))).digest != flow


@pytest.mark.parametrize("text", ["", "# only a comment\n", "[]\n"])
def test_an_empty_suite_is_an_error(tmp_path, text):
    with pytest.raises(DeclarationError, match="suite is empty"):
        read_suite(suite_file(tmp_path, text))


def test_a_missing_suite_is_an_error(tmp_path):
    with pytest.raises(DeclarationError, match="cannot be read"):
        read_suite(tmp_path / "missing.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("expectation: expect_column_to_exist\n", "A suite is a list"),
        ("- {expectation: expect_column_to_exist, column: a}\n", "The key 'severity' is missing"),
        ("- {expectation: expect_column_to_exist, severity: fatal, column: a}\n", "'critical', 'warning' or 'info'"),
        (between(min_value=5, max_value=1), "min_value 5 is above max_value 1"),
        (between(min_value="abc", max_value=1), "cannot be compared"),
        (between(min_value=".nan", max_value=1), "finite"),
        (between(), "neither min_value nor max_value"),
        (between(min_value=1, mostly=0), "greater than 0"),
        (between(min_value="{$PARAMETER: day_begin}"), "no parameter 'day_begin'"),
        (
            "- {expectation: expect_column_values_to_be_in_set, severity: info, column: a, value_set: []}\n",
            "at least one",
        ),
        (
            "- {expectation: expect_column_values_to_be_in_set, severity: info, column: a, value_set: [NO, SE]}\n",
            "mixes bool and str; quote",
        ),
        (NOT_NULL + NOT_NULL, "declared twice"),
    ],
)
def test_what_cannot_be_checked_is_refused_with_its_line(tmp_path, text, message):
    with pytest.raises(DeclarationError, match=message) as caught:
        read_suite(suite_file(tmp_path, text))
    assert "flights.yaml, line " in caught.value.where


def test_the_error_names_the_line_of_the_wrong_key(tmp_path):
    text = NOT_NULL + between(min_value=1, row_condition="'f(x) > 1'")
    with pytest.raises(DeclarationError) as caught:
        read_suite(suite_file(tmp_path, text))
    assert caught.value.where == f"{tmp_path / 'flights.yaml'}, line 2, key 1.row_condition"


@pytest.mark.parametrize(
    "condition",
    [
        "__import__('os').system('true')",
        "distance.map(print)",
        "@os.name == 'posix'",
        "distance.__class__ == 1",
        "__builtins__ == 1",
        "[x for x in (1, 2)]",
        "distance[0] > 1",
        "lambda: 1",
        "distance >",
        "`a b` == 1",
    ],
)
def test_a_row_condition_that_does_more_than_compare_is_refused(tmp_path, condition):
    with pytest.raises(DeclarationError, match="row_condition"):
        read_suite(suite_file(tmp_path, between(min_value=1, row_condition=f'"{condition}"')))


@pytest.mark.parametrize("condition", ["cancelled == False", "origin in ['EWR', 'JFK'] and not distance <= -1"])
def test_a_row_condition_compares_columns_with_values(tmp_path, condition):
    suite = read_suite(suite_file(tmp_path, between(min_value=1, row_condition=f'"{condition}"')))
    assert suite.expectations[0].row_condition == condition


def test_parameters_stand_for_the_ends_of_local_days(tmp_path):
    text = between(min_value="{$PARAMETER: day_start}", max_value="{$PARAMETER: day_end}")
    parameters = day_parameters(date(2013, 3, 10), "America/New_York")
    arguments = read_suite(suite_file(tmp_path, text)).expectations[0].arguments(parameters)
    assert arguments["min_value"] == datetime(2013, 3, 10, 5, tzinfo=UTC)
    assert arguments["max_value"] == datetime(2013, 3, 11, 4, tzinfo=UTC), "the day has 23 hours"


def finding(kind="failed", severity="critical", rows=()) -> Finding:
    expectation = Expectation.model_validate(
        {"expectation": "expect_column_values_to_not_be_null", "severity": severity, "column": "a"}
    )
    return Finding(expectation, kind, "found", tuple(rows))


@pytest.mark.parametrize(
    ("findings", "outcome"),
    [
        ([finding("held")], "passed"),
        ([finding(severity="info")], "passed"),
        ([finding(severity="warning")], "degraded"),
        ([finding(rows=[3])], "quarantined"),
        ([finding(rows=[3]), finding(rows=[3, 4])], "quarantined"),
        ([finding(rows=[3, 4]), finding(rows=[5])], "blocked"),
        ([finding()], "blocked"),
        ([finding(rows=[3]), finding()], "blocked"),
        ([finding("vacuous")], "blocked"),
        ([finding("vacuous", severity="warning")], "degraded"),
        ([finding("could not run", severity="info")], "blocked"),
    ],
)
def test_the_judgement_follows_kind_severity_and_share(findings, outcome):
    assert judge(findings, rows=100, max_share=0.02).outcome == outcome


def test_no_share_allows_to_hold_back_every_row():
    assert judge([finding(rows=[0, 1])], rows=2, max_share=1.0).outcome == "blocked"


def test_held_back_rows_do_not_hide_a_warning():
    judgement = judge([finding(rows=[3]), finding(severity="warning")], rows=100, max_share=0.02)
    assert (judgement.outcome, judgement.degraded, judgement.held_back) == ("quarantined", True, (3,))
