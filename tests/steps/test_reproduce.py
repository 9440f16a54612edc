"""Making a version again: over a real lake, real registries and real trainings."""

import json
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from airloom.core.declaration import find_pipeline
from airloom.core.errors import DataError, GateError
from airloom.core.reproduction import Result, is_identical, reasons, result_of
from airloom.steps.assemble import assemble
from airloom.steps.label import compute_labels
from airloom.steps.reproduce import reproduce
from airloom.stores.lake import Lake
from airloom.stores.models import ModelRegistry
from airloom.stores.tracking import open_client
from tests.worlds import candidates
from tests.worlds.candidates import ByRate
from tests.worlds.installation import project_at
from tests.worlds.nights import BOOSTING, NETWORK, NIGHT
from tests.worlds.reproducible import CORRECTED, RATE, correct, make, train
from tests.worlds.two_nights import declare


def by_rate_of_now(data, params, log):
    return ByRate(0.9 * float(params["share"]))


@pytest.fixture(scope="module", params=[BOOSTING, NETWORK], ids=["scikit-learn", "torch"])
def trained(request, tmp_path_factory):
    """A version whose lake has been corrected since."""
    settings = project_at(tmp_path_factory.mktemp("reproduce"))
    pipeline = make(settings, request.param)
    version = train(pipeline, settings)
    correct(settings)
    return pipeline, version, settings


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A simple version, whose project no test changes."""
    settings = project_at(tmp_path_factory.mktemp("template"))
    return settings.project, train(make(settings, RATE), settings)


@pytest.fixture
def rate(template, tmp_path):
    """A simple version of one's own; the files of its model and run are shared."""
    project, version = template
    shutil.copytree(project, tmp_path, dirs_exist_ok=True)
    settings = project_at(tmp_path)
    return find_pipeline(settings.include, "late"), version, settings


LATE = "SELECT examples.flight_id, flights.late FROM examples JOIN flights USING (flight_id)"


def test_a_version_with_labels_by_a_query_is_identical_whatever_these_have_become(tmp_path):
    settings = project_at(tmp_path)
    make(settings, RATE)
    file = settings.include / "late" / "pipeline.yaml"
    declared = json.loads(file.read_text())
    declared["label"] = {"sql": "late.sql", "reads": ["flights"], "column": "late", "horizon": "1d"}
    file.write_text(json.dumps(declared))
    (file.parent / "late.sql").write_text(LATE)
    pipeline = find_pipeline(settings.include, "late")
    compute_labels(pipeline, NIGHT, settings)
    version = train(pipeline, settings)
    correct(settings)
    (file.parent / "late.sql").write_text(LATE.replace("flights.late", "1 - flights.late AS late"))
    compute_labels(pipeline, NIGHT, settings)
    found = reproduce(pipeline, version, settings)
    assert found.identical
    assert set(found.commits) == {"raw.schedule", "labels", "features.carrier_delays"}


def topic(topics, name):
    return next(each for each in topics if each.name == name)


def changes(topics, name):
    return {each.name: (each.old, each.new) for each in topic(topics, name).changes if each.day is None}


def files_below(folder):
    return {
        file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file() and "airloom.db" not in file.name
    }


def test_a_version_is_identical_though_the_lake_has_been_corrected_since(trained):
    pipeline, version, settings = trained
    assert (
        assemble(pipeline, NIGHT, settings).digest
        != ModelRegistry(settings, "late").version_info(version).training_digest
    )
    found = reproduce(pipeline, version, settings)
    assert found.identical
    assert found.why == ()
    assert [(each.name, each.changes, each.problem) for each in found.results] == [
        ("training set", (), None),
        ("metrics", (), None),
        ("predictions", (), None),
    ]
    assert topic(found.results, "predictions").note == "largest difference 0 on the 180 rows kept with the model"
    assert topic(found.results, "metrics").same > 5
    assert [each.problem for each in found.surroundings] == [None] * 5
    assert [each.name for each in found.surroundings if each.changes] == []


def test_it_says_what_it_is_doing(trained):
    told = []
    reproduce(*trained, told.append)
    assert told == [
        "reading 3 tables of the lake as they were, and joining features",
        "training one on 180 rows",
        "scoring 120 rows",
    ]


def test_nothing_is_registered_or_written(trained):
    pipeline, version, settings = trained
    client = open_client(settings)

    def state():
        runs = client.search_runs([each.experiment_id for each in client.search_experiments()])
        return {run.info.run_id: run.data.metrics for run in runs}, len(client.search_model_versions("name = 'late'"))

    before, files = state(), files_below(settings.var)
    reproduce(pipeline, version, settings)
    assert (state(), files_below(settings.var)) == (before, files)


def test_what_was_declared_then_is_used_and_that_it_differs_today_is_said(rate):
    _, version, settings = rate
    today = declare(settings, {"one": {**RATE, "params": {"share": 0.1}}, "other": RATE})
    found = reproduce(today, version, settings)
    assert found.identical
    assert changes(found.surroundings, "declaration")["train.candidates.one.params.share"] == (0.5, 0.1)
    assert topic(found.surroundings, "declaration").note == "the recorded one was used"


def test_a_candidate_that_is_not_declared_any_more_is_still_made_again(rate):
    _, version, settings = rate
    assert reproduce(declare(settings, {"other": RATE}), version, settings).identical


def test_other_code_differs_and_is_named_as_the_reason(rate, monkeypatch):
    pipeline, version, settings = rate
    monkeypatch.setattr(candidates, "by_rate", by_rate_of_now)
    found = reproduce(pipeline, version, settings)
    assert not found.identical
    assert list(changes(found.surroundings, "code")) == ["source of the candidate"]
    assert topic(found.results, "training set").changes == ()
    assert {"holdout.neg_log_loss"} <= changes(found.results, "metrics").keys()
    assert changes(found.results, "predictions") == {"rows predicted otherwise": (0, 180)}
    assert [why.split(" was ")[0] for why in found.why] == ["code: source of the candidate"]


def test_a_candidate_without_a_seed_of_its_own_is_told_from_changed_code(rate, monkeypatch):
    pipeline, version, settings = rate
    monkeypatch.setattr(ByRate, "predict", lambda self, frame: frame["carrier_delays__late_rate"].to_numpy() * 0.4)
    assert reproduce(pipeline, version, settings).why == (
        "nothing that is recorded has changed: the candidate may not start from its seed alone",
    )


def test_other_libraries_another_machine_and_other_feature_definitions_are_named(rate, monkeypatch):
    pipeline, version, settings = rate
    client = open_client(settings)
    for name, value in {"libraries": '{"duckdb": "0.1"}', "processor": "an abacus"}.items():
        client.set_model_version_tag("late", str(version), f"airloom.{name}", value)
    (settings.include / "late" / "features.py").write_text("# other definitions\n")
    found = reproduce(pipeline, version, settings)
    assert found.identical
    assert changes(found.surroundings, "libraries")["duckdb"][0] == "0.1"
    assert changes(found.surroundings, "machine")["processor"][0] == "an abacus"
    assert list(changes(found.surroundings, "feature definitions")) == ["features.py"]


def test_days_that_differ_are_named_where_the_training_set_of_then_is_there(rate):
    pipeline, version, settings = rate
    correct(settings)
    tables = ("raw.schedule", "raw.flights", "features.carrier_delays")
    lake = json.dumps({table: Lake(settings.lake / "late").commit(table) for table in tables})
    open_client(settings).set_model_version_tag("late", str(version), "airloom.lake", lake)
    found = reproduce(pipeline, version, settings)
    assert not found.identical
    assert [each.day for each in topic(found.results, "training set").changes if each.day] == [CORRECTED]
    assert list(changes(found.results, "training set")) == ["digest"]
    assert found.why == (
        "nothing that is recorded has changed: the lake, or what Feast knows of the views, was made anew",
    )


def test_code_that_is_gone_ends_in_words(rate, monkeypatch):
    pipeline, version, settings = rate
    monkeypatch.delattr(candidates, "by_rate")
    with pytest.raises(DataError, match="code that version 1 was trained with is not here any more"):
        reproduce(pipeline, version, settings)


def test_code_that_fails_today_ends_in_words(rate, monkeypatch):
    pipeline, version, settings = rate
    monkeypatch.setattr(candidates, "by_rate", lambda data, params, log: 1 / 0)
    with pytest.raises(DataError, match="one cannot be trained again by the code that is here now") as error:
        reproduce(pipeline, version, settings)
    assert "ZeroDivisionError at tests/steps/test_reproduce.py, line " in error.value.found


def test_a_model_that_cannot_score_what_was_scored_then_is_not_identical(rate, monkeypatch):
    pipeline, version, settings = rate
    predict = ByRate.predict

    def only_what_was_learned_from(self, frame):
        return predict(self, frame) if len(frame) == 180 else 1 / 0

    monkeypatch.setattr(ByRate, "predict", only_what_was_learned_from)
    found = reproduce(pipeline, version, settings)
    assert not found.identical
    assert topic(found.results, "metrics").problem.startswith(
        "What was trained now cannot predict these rows. ZeroDivisionError at tests/steps/test_reproduce.py, line "
    )
    assert topic(found.results, "predictions").problem is None


@contextmanager
def without(path: Path):
    away = path.rename(path.with_name("away"))
    yield
    away.rename(path)


def test_what_cannot_be_compared_is_never_called_identical(rate):
    pipeline, version, settings = rate
    info = ModelRegistry(settings, "late").version_info(version)
    with without(Path(info.tags["airloom.model_source"].removeprefix("file://"))):
        found = reproduce(pipeline, version, settings)
    assert not found.identical
    assert "A model's files are not there" in topic(found.results, "predictions").problem
    assert (topic(found.results, "metrics").changes, found.why) == ((), ())
    assert "A model's files are not there" in topic(found.surroundings, "libraries").problem


def test_a_version_that_was_never_evaluated_is_not_identical(rate):
    from airloom.steps.fit import fit

    pipeline, _, settings = rate
    pipeline = declare(settings, {"one": {**RATE, "params": {"share": 0.3}}})
    training = assemble(pipeline, NIGHT, settings)
    version = ModelRegistry(settings, "late").register(fit(pipeline, NIGHT, "one", training, settings).run_id, {})
    found = reproduce(pipeline, version, settings)
    assert not found.identical
    assert "never evaluated" in topic(found.results, "metrics").problem


def test_a_training_before_declarations_were_kept_is_made_again_by_todays_when_that_is_the_same(rate):
    pipeline, version, settings = rate
    run = open_client(settings).get_run(ModelRegistry(settings, "late").version_info(version).run_id)
    with without(Path(run.info.artifact_uri.removeprefix("file://"), "declaration.json")):
        assert reproduce(pipeline, version, settings).identical
        with pytest.raises(DataError, match="The run keeps no declaration"):
            reproduce(declare(settings, {"one": BOOSTING}), version, settings)


def test_a_kept_declaration_that_somebody_has_changed_is_noticed(rate):
    _, version, settings = rate
    run = open_client(settings).get_run(ModelRegistry(settings, "late").version_info(version).run_id)
    kept = Path(run.info.artifact_uri.removeprefix("file://"), "declaration.json")
    genuine = kept.read_text()
    kept.write_text(genuine.replace("0.5", "0.4"))
    found = reproduce(declare(settings, {"one": BOOSTING}), version, settings)
    kept.write_text(genuine)
    assert not found.identical
    assert "digest of the declaration" in changes(found.surroundings, "code")


def test_a_version_that_does_not_say_what_it_has_read_is_refused(rate):
    pipeline, version, settings = rate
    open_client(settings).set_model_version_tag("late", str(version), "airloom.lake", '{"raw.flights": 3}')
    with pytest.raises(DataError, match="does not say which commits") as error:
        reproduce(pipeline, version, settings)
    assert error.value.expected == "raw.schedule, features.carrier_delays"


def test_a_lake_whose_files_are_gone_ends_in_words(rate):
    pipeline, version, settings = rate
    shutil.rmtree(next((settings.lake / "late" / "raw" / "flights").glob(f"airloom_partition={CORRECTED}")))
    with pytest.raises(DataError, match=r"raw\.flights cannot be read any more as it was at commit 9") as error:
        reproduce(pipeline, version, settings)
    assert (error.value.found, error.value.exit_code) == ("1 of 6 files gone", 3)


def test_a_version_that_does_not_exist_is_refused(rate):
    with pytest.raises(GateError, match="late has no version 99"):
        reproduce(rate[0], 99, rate[2])


def test_only_what_was_compared_on_every_topic_is_identical():
    same = Result(name="metrics", same=3)
    assert is_identical((same, same))
    for other in (Result(name="metrics"), Result(name="metrics", same=3, problem="gone")):
        assert not is_identical((same, other))
        assert reasons((), (same, other)) == ()


def test_what_is_not_recorded_is_left_out_and_what_is_has_both_values():
    found = result_of({"roc_auc": 0.6, "rows": 3, "digest": None}, {"roc_auc": 0.7, "rows": 3, "digest": "a"})
    assert [(each.name, each.old, each.new) for each in found.changes] == [("roc_auc", 0.6, 0.7)]
    assert [(each.name, each.new) for each in found.alike] == [("rows", 3)]
    assert found.same == 1
