import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from airloom.core.declaration import find_pipeline, read_pipeline, read_pipelines
from airloom.core.errors import DeclarationError

INCLUDE = Path(__file__).parents[2] / "include"


@pytest.fixture
def folder(tmp_path):
    copy = tmp_path / "flight_delays"
    shutil.copytree(INCLUDE / "flight_delays", copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return copy


def replace(folder, old, new):
    file = folder / "pipeline.yaml"
    text = file.read_text()
    assert text.count(old) >= 1
    file.write_text(text.replace(old, new, 1))


def error_of(folder) -> str:
    with pytest.raises(DeclarationError) as caught:
        read_pipeline(folder)
    return str(caught.value)


def test_the_flights_pipeline_is_read(folder):
    pipeline = read_pipeline(folder)
    assert pipeline.train.window == timedelta(days=28)
    assert pipeline.look_back == 28


def test_the_digest_is_that_of_the_meaning_not_of_the_text(folder):
    before = read_pipeline(folder).digest
    replace(folder, "name: flight_delays", "# a comment\nname:   flight_delays")
    assert read_pipeline(folder).digest == before
    replace(folder, "window: 28d", "window: 27d")
    assert read_pipeline(folder).digest != before


def test_an_unknown_key_is_answered_with_the_nearest_known_one_and_its_line(folder):
    replace(folder, "  holdout: 7d", "  holdot: 7d")
    message = error_of(folder)
    line = (folder / "pipeline.yaml").read_text().splitlines().index("  holdot: 7d") + 1
    assert "Unknown key 'holdot'. Did you mean 'holdout'?" in message
    assert f"pipeline.yaml, line {line}, key train.holdot" in message


def test_an_unknown_key_of_a_nested_model_is_known_by_its_own_keys(folder):
    replace(folder, "{reads: planes, window: 1d", "{read: planes, window: 1d")
    assert "Did you mean 'reads'?" in error_of(folder)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("owner: flight-operations", "owner: a\nowner: b", "the key 'owner' is given twice"),
        ("  nightly:", "\tnightly:", "line 7, column 1"),
        ("window: 7d", "window: 7 weeks", "a duration is a number and a unit"),
        ("window: 7d", "window: 36h", "a whole number of days"),
        ("holdout: 7d", "holdout: 28d", "holdout must be shorter than window"),
        ("reads: planes", "reads: plans", "no table 'plans'"),
        ("metric: roc_auc", "metric: auc", "no metric 'auc'"),
        ("America/New_York", "America/Old_York", "not a time zone"),
        ("end: 2013-12-3", "end: 2012-12-3", "is before start"),
        ("[distance,", "[late, distance,", "'late' is the label"),
        ("[distance,", "[flight_id, distance,", "'flight_id' identifies a row"),
        ("name: flight_delays", "name: flights", "named after its folder"),
        ("sql/plane.sql", "sql/aeroplane.sql", "does not exist"),
        ("owner: flight-operations\n", "", "The key 'owner' is missing"),
        ("floors: {roc_auc: 0.6}", "floors: {roc_auc: .nan}", "must be a finite number"),
        ("table: flights,", "table: flight,", "no table 'flight'"),
        ("entities: schedule", "entities: timetable", "no table 'timetable'"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(folder, old, new, said):
    replace(folder, old, new)
    message = error_of(folder)
    assert said in message
    assert "pipeline.yaml, line " in message


def test_a_broken_folder_harms_no_other(folder, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "pipeline.yaml").write_text("name: broken\n")
    pipelines, errors = read_pipelines(tmp_path)
    assert [pipeline.name for pipeline in pipelines] == ["flight_delays"]
    assert [str(broken) in str(error) for error in errors] == [True]


def test_an_empty_file_is_no_pipeline(tmp_path):
    (tmp_path / "pipeline.yaml").write_text("")
    assert "pipeline.yaml" in error_of(tmp_path)


def test_a_pipeline_that_is_not_there_is_answered_with_the_nearest_name(folder):
    with pytest.raises(DeclarationError, match="Did you mean 'flight_delays'"):
        find_pipeline(folder.parent, "flight_delay")
