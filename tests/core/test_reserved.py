import json

import pytest
from pydantic import ValidationError

from airloom.core.declaration import read_pipeline
from airloom.core.pipeline import Pipeline
from airloom.core.reserved import OF_OLDER_TABLES, OF_PARTITIONS, is_reserved
from tests.worlds.prepared import INCLUDE

OF_PREDICTIONS = ("score", "model_version", "pipeline_digest", "scored_at", "run_id", "current_score")
RESULTS = ("champion", "challenger", "constant", "linear", "latest", "same_weekday")


@pytest.fixture
def declared():
    return json.loads(read_pipeline(INCLUDE / "parcels").model_dump_json())


def refused(declared, column):
    with pytest.raises(ValidationError) as caught:
        Pipeline.model_validate(declared)
    [problem] = caught.value.errors()
    assert problem["msg"].startswith(f"{column!r} is a column that Airloom adds to ")
    return problem["ctx"]["at"]


@pytest.mark.parametrize("column", [*OF_PARTITIONS, "airloom_row", "Airloom_score"])
def test_no_column_that_the_declaration_names_has_the_prefix_of_ours(declared, column):
    for table, key, value in (
        ("traffic", "key", ["depot", column]),
        ("orders", "time", column),
        ("traffic", "columns", {column: "int64"}),
    ):
        changed = json.loads(json.dumps(declared))
        changed["tables"][table][key] = value
        assert refused(changed, column) == ("tables", table, key)
    for section, key, value in (
        ("label", "column", column),
        ("label", "key", [column]),
        ("train", "inputs", {"numeric": [column]}),
        ("train", "weight", column),
    ):
        changed = {**declared, section: {**declared[section], key: value}}
        assert refused(changed, column) == (section, key)


@pytest.mark.parametrize("column", RESULTS)
def test_a_key_of_the_scored_rows_is_no_column_of_results(declared, column):
    declared["tables"]["orders"]["key"] = ["parcel_id", column]
    assert refused(declared, column) == ("tables", "orders", "key")


def test_another_table_may_have_such_a_key(declared):
    declared["tables"]["traffic"]["key"] = ["depot", "champion", "label"]
    Pipeline.model_validate(declared)


@pytest.mark.parametrize("column", [*OF_OLDER_TABLES, *OF_PREDICTIONS, "label", "pipeline", "score_b"])
def test_every_name_that_ours_had_before_the_prefix_is_free(declared, column):
    declared["score"]["sink"] = {"table": "predictions"}
    declared["tables"]["orders"] |= {"key": [column], "time": "scored_at"}
    Pipeline.model_validate(declared)
    declared["tables"]["orders"]["key"] = ["parcel_id"]
    declared["train"]["inputs"]["numeric"] = [column]
    Pipeline.model_validate(declared)


@pytest.mark.parametrize("column", RESULTS)
def test_results_are_not_grouped_by_a_column_of_theirs(declared, column):
    declared["train"]["inputs"]["categorical"] = [column]
    by_slice = {**declared["gate"], "slices": {"by": [column], "max_regression": 0.1}}
    assert refused({**declared, "gate": by_slice}, column) == ("gate", "slices", "by")
    by_block = {**declared["gate"], "slices": None, "cluster": [column]}
    assert refused({**declared, "gate": by_block}, column) == ("gate", "cluster")
    assert refused({**declared, "label": {**declared["label"], "column": column}}, column) == ("label", "column")


@pytest.mark.parametrize("column", ["challenger_b", "champion_a", "linear_c"])
def test_with_several_classes_there_is_a_column_for_each(declared, column):
    label = {**declared["label"], "kind": "multiclass", "classes": ["a", "b", "c"], "missing": "drop"}
    gate = {"metric": "neg_log_loss"}
    declared["tables"]["orders"]["key"] = [column]
    assert refused({**declared, "label": label, "gate": gate}, column) == ("tables", "orders", "key")


@pytest.mark.parametrize("column", ["quality", "Version", "my_airloom_row", "airloom", "airloomed"])
def test_other_names_are_free(column):
    assert not is_reserved(column)
