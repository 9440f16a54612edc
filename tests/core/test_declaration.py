import json
import shutil
from datetime import timedelta

import pytest

from airloom.core.declaration import find_pipeline, read_pipeline, read_pipelines
from airloom.core.errors import DeclarationError
from airloom.core.pipeline import Pipeline
from tests.worlds.prepared import INCLUDE


@pytest.fixture
def folder(tmp_path):
    copy = tmp_path / "parcels"
    shutil.copytree(INCLUDE / "parcels", copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    without(copy, "  guardrails:")
    return copy


def without(folder, *keys):
    """Leave out the lines of keys that tests declare in their own way."""
    file = folder / "pipeline.yaml"
    lines = [line for line in file.read_text().splitlines(keepends=True) if not line.startswith(keys)]
    file.write_text("".join(lines))


def replace(folder, old, new):
    file = folder / "pipeline.yaml"
    text = file.read_text()
    assert text.count(old) >= 1
    file.write_text(text.replace(old, new, 1))


def error_of(folder) -> str:
    with pytest.raises(DeclarationError) as caught:
        read_pipeline(folder)
    return str(caught.value)


def test_a_complete_pipeline_is_read(folder):
    pipeline = read_pipeline(folder)
    assert (pipeline.train.window.min, pipeline.train.window.max) == (timedelta(days=3), timedelta(days=3))
    assert pipeline.look_back == 3


def test_the_digest_is_that_of_the_meaning_not_of_the_text(folder):
    before = read_pipeline(folder).digest
    replace(folder, "name: parcels", "# a comment\nname:   parcels")
    assert read_pipeline(folder).digest == before
    replace(folder, "window: 3d", "window: 4d")
    assert read_pipeline(folder).digest != before


def test_a_view_reads_one_table_or_several(folder):
    before = read_pipeline(folder)
    assert json.loads(before.model_dump_json())["features"]["views"]["depot_traffic"]["reads"] == "traffic"
    replace(folder, "reads: traffic", "reads: [traffic]")
    assert read_pipeline(folder) == before
    replace(folder, "reads: [traffic]", "reads: [traffic, parcels]")
    several = read_pipeline(folder)
    assert several.features.views["depot_traffic"].reads == ("traffic", "parcels")
    assert several.features.reads == ["parcels", "traffic"]
    assert several.digest != before.digest
    assert Pipeline.model_validate(several.model_dump(mode="json")) == several


QUERY = "label: {sql: sql/late.sql, reads: [parcels, traffic], column: late, horizon: 1d}"


def test_a_label_is_a_column_of_a_table_or_of_a_query(folder):
    table = read_pipeline(folder)
    assert not {"sql", "reads"} & table.model_dump(mode="json")["label"].keys()
    replace(folder, "label: {table: parcels, column: late, horizon: 1d}", QUERY)
    query = read_pipeline(folder)
    assert (query.label.table, query.label.reads, query.subject) == (None, ("parcels", "traffic"), "orders")
    assert query.digest != table.digest
    assert Pipeline.model_validate(query.model_dump(mode="json")) == query


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{sql:", "{table: parcels, sql:", "declare `table` or `sql`, not both"),
        (
            "sql: sql/late.sql, reads: [parcels, traffic], ",
            "",
            "declare `table`, the table that has the label, or `sql`",
        ),
        ("reads: [parcels, traffic], ", "", "name the tables that the query reads"),
        ("sql: sql/late.sql", "table: parcels", "only a query has tables to read"),
        ("[parcels, traffic]", "[parcels, trafic]", "no table 'trafic'"),
        ("[parcels, traffic]", "[parcels, examples]", "examples is what the query knows the scored rows as"),
    ],
)
def test_a_label_that_is_neither_or_both_is_refused_with_what_to_declare(folder, old, new, told):
    replace(folder, "label: {table: parcels, column: late, horizon: 1d}", QUERY.replace(old, new))
    assert told in error_of(folder)


def test_the_label_of_a_query_cannot_be_learned_from(folder):
    replace(
        folder, "label: {table: parcels, column: late, horizon: 1d}", QUERY.replace("column: late", "column: weight")
    )
    assert "'weight' is the label" in error_of(folder)


def test_where_a_day_may_be_empty_changes_no_prediction_and_no_digest(folder):
    before = read_pipeline(folder)
    replace(folder, "    time: observed_at", "    empty: allow\n    time: observed_at")
    declared = read_pipeline(folder)
    assert declared.digest == before.digest
    assert [declared.allows_empty(table) for table in ("parcels", "traffic")] == [False, True]


def test_a_day_of_the_labels_table_may_be_empty_where_no_outcome_is_the_negative_class(folder):
    replace(folder, "horizon: 1d}", "horizon: 1d, missing: negative}")
    declared = read_pipeline(folder)
    assert [declared.allows_empty(table) for table in declared.tables] == [True, False, False]
    replace(folder, "    time: sent_at", "    empty: refuse\n    time: sent_at")
    assert not read_pipeline(folder).allows_empty("parcels")


def test_an_unknown_key_is_answered_with_the_nearest_known_one_and_its_line(folder):
    replace(folder, "  holdout: 1d", "  holdot: 1d")
    message = error_of(folder)
    line = (folder / "pipeline.yaml").read_text().splitlines().index("  holdot: 1d") + 1
    assert "Unknown key 'holdot'. Did you mean 'holdout'?" in message
    assert f"pipeline.yaml, line {line}, key train.holdot" in message


def test_an_unknown_key_of_a_nested_model_is_known_by_its_own_keys(folder):
    replace(folder, "{reads: traffic, window: 1d", "{read: traffic, window: 1d")
    assert "Did you mean 'reads'?" in error_of(folder)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("owner: tests", "owner: a\nowner: b", "the key 'owner' is given twice"),
        ("  module:", "\tmodule:", "line 29, column 1"),
        ("window: 2d", "window: 7 weeks", "a duration is a number and a unit"),
        ("window: 2d", "window: 36h", "a whole number of days"),
        ("holdout: 1d", "holdout: 2d", "take 3 of 3 days of the shortest window: nothing is left to train on"),
        ("horizon: 1d", "known_after: 1d", "write `horizon: 1d, delay: 1d` instead"),
        ("horizon: 1d", "horizon: 0d", "a horizon is longer than nothing"),
        ("window: 3d\n  holdout", "window: {min: 4d, max: 3d}\n  holdout", "max must not be shorter than min"),
        ("reads: traffic", "reads: trafic", "no table 'trafic'"),
        ("reads: traffic", "reads: [parcels, trafic]", "no table 'trafic'"),
        ("reads: traffic", "reads: [parcels, parcels]", "each once"),
        ("reads: traffic", "reads: []", "at least one"),
        ("metric: roc_auc", "metric: auc", "no metric 'auc'"),
        ("Europe/Berlin", "Europe/Old_Berlin", "not a time zone"),
        ("end: 2024-01-3", "end: 2023-01-3", "is before start"),
        ("[weight]", "[late, weight]", "'late' is the label"),
        ("[weight]", "[parcel_id, weight]", "'parcel_id' identifies a row"),
        ("name: parcels", "name: packages", "named after its folder"),
        ("sql/depot_traffic.sql", "sql/depot_jam.sql", "does not exist"),
        ("owner: tests\n", "", "The key 'owner' is missing"),
        ("floors: {roc_auc: 0.2}", "floors: {roc_auc: .nan}", "must be a finite number"),
        ("table: parcels,", "table: parcel,", "no table 'parcel'"),
        ("entities: orders", "entities: wishes", "no table 'wishes'"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(folder, old, new, said):
    replace(folder, old, new)
    message = error_of(folder)
    assert said in message
    assert "pipeline.yaml, line " in message


BOUND = "floors: {roc_auc: 0.2}"


@pytest.mark.parametrize(
    ("old", "new", "said", "key"),
    [
        (BOUND, "floors: {roc_uac: 0.6}", "there is no metric 'roc_uac'. Did you mean 'roc_auc'? ", "floors.roc_uac"),
        (BOUND, "floors: {log_loss: -0.6}", "Did you mean 'neg_log_loss'? There are roc_auc, ", "floors.log_loss"),
        (BOUND, "floors: {zzz: 1}", "there is no metric 'zzz'. There are roc_auc, ", "floors.zzz"),
        (BOUND, "ceilings: {load_secs: 1}", "Did you mean 'load_seconds'? ", "ceilings.load_secs"),
        (BOUND, "guardrails: {f1_micro: 0}", "Did you mean 'f1_macro'? ", "guardrails.f1_micro"),
        (BOUND, "floors: {load_seconds: 1}", "better when lower: declare it under ceilings.", "floors.load_seconds"),
        (BOUND, "ceilings: {roc_auc: 1}", "better when higher: declare it under floors.", "ceilings.roc_auc"),
        (BOUND, "ceilings: {load_seconds: .inf}", "must be a finite number", "ceilings.load_seconds"),
        (BOUND, "guardrails: {rows_per_second: 0}", "a bound only, it is not compared", "guardrails.rows_per_second"),
        ("metric: roc_auc", "metric: load_seconds", "declare it under ceilings.", "metric"),
        (BOUND, "guardrails: {neg_log_loss: -0.1}", "greater than or equal to 0.", "guardrails.neg_log_loss"),
        (BOUND, "guardrails: {neg_log_loss: .nan}", "must be a finite number.", "guardrails.neg_log_loss"),
        (BOUND, "floors: {r2: 0.1}", "r2 is no metric of a binary label, which has roc_auc, ", "floors.r2"),
        (BOUND, "guardrails: {r2: 0.1}", "r2 is no metric of a binary label", "guardrails.r2"),
        ("metric: roc_auc", "metric: r2", "r2 is no metric of a binary label", "metric"),
    ],
)
def test_a_rule_that_the_gate_cannot_judge_by_is_told_with_what_is_meant(folder, old, new, said, key):
    replace(folder, old, new)
    message = error_of(folder)
    assert said in message
    assert message.splitlines()[1].endswith(f", key gate.{key}")


@pytest.mark.parametrize(
    ("label", "said", "key"),
    [
        ("kind: multiclass", "names its classes, three or more, each once", "label"),
        ("kind: multiclass, classes: [a, b]", "names its classes, three or more, each once", "label.classes"),
        ("kind: multiclass, classes: [a, b, a]", "names its classes, three or more, each once", "label.classes"),
        ("kind: multiclass, classes: [1, 2, 3]", "is text in quotes. (2 more after this one)", "label.classes.0"),
        ("classes: [a, b, c]", "names two classes, of which the second is the positive one", "label.classes"),
        ("classes: [a, a]", "names two classes, of which the second is the positive one", "label.classes"),
        ("classes: [no, yes]", "a word like `yes` is text in quotes.", "label.classes.0"),
        ("kind: regression, classes: [a, b]", "a regression label has no classes to name", "label.classes"),
        ("unknown: keep", "The value must be 'drop' or 'block'.", "label.unknown"),
        ("kind: ordinal", "The value must be 'binary', 'multiclass' or 'regression'.", "label.kind"),
        ("kind: regression", "roc_auc is no metric of a regression label, which has neg_mean", "gate.metric"),
    ],
)
def test_a_label_that_makes_no_sense_is_refused(folder, label, said, key):
    replace(folder, "horizon: 1d}", f"horizon: 1d, {label}}}")
    message = error_of(folder)
    assert said in message
    assert message.splitlines()[1].endswith(f", key {key}")


@pytest.mark.parametrize(
    ("circuit", "said", "key"),
    [
        ("{failures: 3}", "The key 'retry_after' is missing.", "circuit"),
        ("{retry_after: 7d}", "The key 'failures' is missing.", "circuit"),
        ("{failure: 3, retry_after: 7d}", "Unknown key 'failure'. Did you mean 'failures'?", "circuit.failure"),
        ("{failures: 0, retry_after: 7d}", "The value must be greater than or equal to 1.", "circuit.failures"),
        ("{failures: 3, retry_after: 12h}", "must be a whole number of days, at least 1d.", "circuit.retry_after"),
        ("{failures: 3, retry_after: 7d, drift: 0}", "The value must be greater than 0.", "circuit.drift"),
        ("on", "Keys with values are expected here.", "circuit"),
    ],
)
def test_a_circuit_that_makes_no_sense_is_refused(folder, circuit, said, key):
    replace(folder, "  seed: 7", f"  seed: 7\n  circuit: {circuit}")
    message = error_of(folder)
    assert said in message
    assert message.splitlines()[1].endswith(f", key train.{key}")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("promotion: {approval: maybe}", "The value must be 'none' or 'required'."),
        ("promotion: {approval: yes}", "The value must be 'none' or 'required'."),
        ("promotion: {aproval: none}", "Unknown key 'aproval'. Did you mean 'approval'?"),
        ("promotion: {alias_drift: fix}", "The value must be 'repair' or 'adopt'."),
        ("promotion: {approval_timeout: 12}", "a duration is a number and a unit"),
        ("alert: include.parcels.alerts", "a function is named after its module and a colon"),
        ("alert: mail me", "a reference is a module, or a function of one after a colon"),
    ],
)
def test_a_word_that_means_nothing_is_refused(folder, more, said):
    replace(folder, "owner: ", f"{more}\nowner: ")
    assert said in error_of(folder)


def test_circuit_approval_and_alert_are_declared_in_three_lines(folder):
    replace(folder, "  seed: 7", "  seed: 7\n  circuit: {failures: 3, retry_after: 7d}")
    replace(folder, "owner: ", "promotion: {approval: required}\nalert: include.parcels.alerts:tell\nowner: ")
    pipeline = read_pipeline(folder)
    assert (pipeline.train.circuit.failures, pipeline.train.circuit.retry_after) == (3, timedelta(days=7))
    assert (pipeline.train.circuit.drift, pipeline.promotion.approval) == (0.25, "required")


def test_a_broken_folder_harms_no_other(folder, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "pipeline.yaml").write_text("name: broken\n")
    pipelines, errors = read_pipelines(tmp_path)
    assert [pipeline.name for pipeline in pipelines] == ["parcels"]
    assert [str(broken) in str(error) for error in errors] == [True]


def test_an_empty_file_is_no_pipeline(tmp_path):
    (tmp_path / "pipeline.yaml").write_text("")
    assert "pipeline.yaml" in error_of(tmp_path)


def test_a_pipeline_that_is_not_there_is_answered_with_the_nearest_name(folder):
    with pytest.raises(DeclarationError, match="Did you mean 'parcels'"):
        find_pipeline(folder.parent, "parcel")


@pytest.mark.parametrize("window", ["28d", "400d"])
def test_a_declaration_that_was_kept_as_json_is_the_same_one(folder, window):
    replace(folder, "window: 3d, sql: sql/courier", f"window: {window}, sql: sql/courier")
    replace(folder, "score: {", "promotion: {approval_timeout: 90m}\nscore: {")
    declared = read_pipeline(folder)
    again = Pipeline.model_validate(json.loads(json.dumps(declared.model_dump(mode="json"))))
    assert (again, again.digest) == (declared, declared.digest)


@pytest.mark.parametrize("table", ["a; drop table b", 'a"b', "a.b", "A", "1a", "", "a" * 64])
def test_the_table_of_a_sink_has_a_plain_name(folder, table):
    replace(folder, "score: {", f"score: {{sink: {{table: {json.dumps(table)}}}, ")
    assert "score.sink.table" in error_of(folder)


def test_where_predictions_are_copied_to_does_not_make_it_another_pipeline(folder):
    before = read_pipeline(folder)
    replace(folder, "score: {", "score: {sink: {table: delays}, ")
    after = read_pipeline(folder)
    assert (after.score.sink.table, after.digest) == ("delays", before.digest)


@pytest.mark.parametrize(
    ("old", "new"),
    [("  parcels:", "  parcels.items:"), ("    depot_traffic:", "    depot.traffic:"), ("  traffic:", "  ..:")],
    ids=["table", "view", "folder"],
)
def test_a_table_or_a_view_has_no_dots_in_its_name(folder, old, new):
    replace(folder, old, new)
    line = (folder / "pipeline.yaml").read_text().splitlines().index(next_line(folder, new)) + 1
    message = error_of(folder)
    assert "has no dots in its name" in message
    assert f"pipeline.yaml, line {line}" in message


def next_line(folder, start):
    return next(each for each in (folder / "pipeline.yaml").read_text().splitlines() if each.startswith(start))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (BOUND, "floors: {roc_auc: 80}", "roc_auc is never 80: it lies between 0 and 1; write 0.8 for 80 %"),
        (BOUND, "floors: {roc_auc: -0.1}", "roc_auc is never -0.1: it lies between 0 and 1"),
        (BOUND, "floors: {roc_auc: yes}", "YAML reads yes, no, on and off as true and false"),
        (BOUND, "floors: {roc_auc: 80%}", "write 0.8"),
        (BOUND, "floors: {neg_log_loss: 0.5}", "neg_log_loss is never 0.5: it is at most 0"),
        (BOUND, "floors: {neg_brier_score: -2}", "it lies between -1 and 0"),
        (BOUND, "ceilings: {load_seconds: -1}", "load_seconds is never -1: it is at least 0"),
        (BOUND, "min_effect: 2", "no two values of roc_auc differ by 2"),
        (BOUND, "guardrails: {neg_brier_score: 1.5}", "no two values of neg_brier_score differ by 1.5"),
        ("max_regression: 0.5", "max_regression: 7", "no two values of roc_auc differ by 7"),
        (BOUND, f"min_effect: 1{'0' * 400}", "the number is too large"),
        (BOUND, "min_effect: 1e400", "must be a finite number"),
        (BOUND, "min_effect: much", "must be a valid number"),
        ("[weight]", "[weight, weight]", "'weight' is listed twice"),
        ("[courier, depot]", "[courier, weight]", "'weight' is listed twice"),
        ("window: 2d", "window: 40000d", "a duration is at most 36500d"),
        ("window: 2d", f"window: {'9' * 30}d", "a duration is at most 36500d"),
        ("window: 2d", f"window: {'9' * 5000}d", "a duration is at most 36500d"),
        ("patience: 1h", "patience: P99999999D", "a duration is at most 36500d"),
        ("Europe/Berlin", "EST", "EST is an abbreviation and no place"),
        ("Europe/Berlin", "CET", "for example Europe/Berlin"),
        ("sql/depot_traffic.sql", "/etc/hostname", "a file is named from the pipeline's folder, and lies in it"),
        ("expectations/traffic.yaml", "../other/traffic.yaml", "a file is named from the pipeline's folder"),
        ("owner: tests", "owner: &own [*own]", "contains itself"),
        ("inputs: {", "inputs: &own {more: *own, ", "contains itself"),
    ],
)
def test_a_value_that_nobody_can_mean_is_told_with_what_is_meant(folder, old, new, said):
    replace(folder, old, new)
    assert said in error_of(folder)


@pytest.mark.parametrize("name", ["churn-eu", "_churn", "1st", "a.b", "class", "häuser", "x" * 101])
def test_a_name_that_python_or_feast_cannot_take_is_refused(folder, name):
    renamed = folder.rename(folder.parent / name)
    replace(renamed, "name: parcels", f"name: {name}")
    assert "line 2, key name" in error_of(renamed)


@pytest.mark.parametrize(("written", "meant"), [("1e-3", 0.001), ("1E3", 1000.0), ("2.5e1", 25.0), ("-1e+2", -100.0)])
def test_a_number_with_an_exponent_is_a_number(folder, written, meant):
    replace(folder, "{c: 0.01}", f"{{c: {written}}}")
    assert read_pipeline(folder).train.candidates["logistic"].params == {"c": meant}
    if meant > 1:
        replace(folder, "min_rows: 40", f"min_rows: {written}")
        assert read_pipeline(folder).gate.min_rows == meant


@pytest.mark.parametrize("text", ["e1", "1e", "0x1e3", "v1e3", '"1e3"'])
def test_text_that_looks_like_one_stays_text(folder, text):
    replace(folder, "{c: 0.01}", f"{{c: {text}}}")
    found = read_pipeline(folder).train.candidates["logistic"].params["c"]
    assert not isinstance(found, float)


def test_a_folder_that_cannot_be_read_breaks_no_other(folder):
    good = folder.parent / "packages"
    shutil.copytree(folder, good)
    replace(good, "name: parcels", "name: packages")
    replace(folder, "inputs: {", "inputs: &own {more: *own, ")
    pipelines, errors = read_pipelines(folder.parent)
    assert [each.name for each in pipelines] == ["packages"]
    assert len(errors) == 1
