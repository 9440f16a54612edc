"""What changed between two versions, over a real registry, real training sets and a real lake."""

import json
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sklearn.metrics import log_loss, roc_auc_score
from typer.testing import CliRunner

from airloom.cli import app
from airloom.cli.console import console
from airloom.core.difference import Reign
from airloom.core.errors import GateError, UsageError
from airloom.steps.diff import diff
from airloom.stores.ledger import Ledger
from airloom.stores.models import ModelRegistry
from airloom.stores.tracking import open_client
from tests.worlds.installation import project_at
from tests.worlds.nights import example_rows, pipeline_with
from tests.worlds.two_nights import CORRECTED, FIRST, HELD_BACK, SECOND, trained, two_versions

FLAT = {"fit": "tests.worlds.candidates:by_rate", "params": {"share": 0.0}}
HALF = {"fit": "tests.worlds.candidates:by_rate", "params": {"share": 0.5}}
ON_ROWS = ("data window", "lake", "rows", "audits", "columns", "metrics", "importance")


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return project_at(tmp_path_factory.mktemp("diff"))


@pytest.fixture(scope="module")
def versions(settings):
    versions = two_versions(settings, FLAT, HALF)
    champion = {"effective_from": FIRST, "version": versions[0], "verdict": None, "actor": "ann", "reason": "first"}
    Ledger(settings.state_url).promote("late", expected_epoch=0, **champion)
    return versions


@pytest.fixture(scope="module")
def pipeline(settings, versions):
    from airloom.core.declaration import find_pipeline

    return find_pipeline(settings.include, "late")


@pytest.fixture(scope="module")
def found(pipeline, versions, settings):
    return diff(pipeline, *versions, settings)


def topic(found, name):
    return next(each for each in found.topics if each.name == name)


def changes(found, name):
    return {each.name: (each.old, each.new) for each in topic(found, name).changes if each.day is None}


def problems(found):
    return {each.name for each in found.topics if each.problem}


@contextmanager
def without(path: Path):
    away = path.rename(path.with_name("away"))
    yield
    away.rename(path)


def source(settings, version):
    info = ModelRegistry(settings, "late").version_info(version)
    return Path(info.tags["airloom.model_source"].removeprefix("file://"))


def test_both_versions_are_told_with_when_they_were_champion(found, versions):
    assert (found.old.version, found.old.as_of, found.old.candidate) == (versions[0], FIRST, "one")
    assert found.old.reigns == (Reign(epoch=1, effective_from=FIRST),)
    assert (found.new.version, found.new.as_of, found.new.reigns) == (versions[1], SECOND, ())
    assert problems(found) == set()


def test_the_window_has_moved_by_a_day(found):
    assert changes(found, "data window") == {
        "first day learned from": ("2024-01-05", "2024-01-06"),
        "last day learned from": ("2024-01-07", "2024-01-08"),
        "first day held out": ("2024-01-08", "2024-01-09"),
        "last day held out": ("2024-01-09", "2024-01-10"),
    }
    assert topic(found, "data window").same == 2


def test_the_lake_tells_days_that_only_one_has_seen_and_days_with_other_content(found):
    days = [
        (each.name, each.day, each.old is None, each.new is None) for each in topic(found, "lake").changes if each.day
    ]
    assert days == [
        ("features.carrier_delays", FIRST - timedelta(days=5), False, True),
        ("features.carrier_delays", FIRST, True, False),
        ("raw.flights", FIRST - timedelta(days=4), False, True),
        ("raw.flights", CORRECTED, False, False),
        ("raw.flights", HELD_BACK, False, False),
        ("raw.flights", FIRST, True, False),
    ]
    assert changes(found, "lake") == {"raw.flights, commit": (5, 8), "features.carrier_delays, commit": (5, 6)}
    corrected = next(each for each in topic(found, "lake").changes if each.day == CORRECTED)
    assert [corrected.old.endswith(", degraded"), corrected.new.endswith(", degraded")] == [False, True]


def test_rows_and_label_rates_are_counted(found):
    rates = [
        example_rows(seed=seed, night=night).query("airloom_split == 'train'")["late"].mean()
        for seed, night in ((1, FIRST), (2, SECOND))
    ]
    assert changes(found, "rows")["label rate learned from"] == pytest.approx(tuple(rates))
    assert topic(found, "rows").same == 4


def test_audits_are_those_of_the_content_that_each_has_learned_from(found):
    assert changes(found, "audits") == {
        "raw.flights: days degraded": (0, 1),
        "raw.flights: days passed": (4, 2),
        "raw.flights: days quarantined": (0, 1),
        "raw.flights: rows held back": (0, 3),
        "raw.flights: days failing expect_column_values_to_be_between (distance)": (0, 2),
    }


def test_what_the_folder_defines_is_compared_as_it_was_then(found):
    subject = "expect_column_values_to_be_between (distance)"
    before, after = (f"critical, min_value 0, max_value {most}" for most in (5000, 6000))
    assert changes(found, "expectations") == dict.fromkeys(
        [f"flights: {subject}", f"schedule: {subject}"], (before, after)
    )
    assert list(changes(found, "feature files")) == ["none.sql"]
    assert topic(found, "feature files").same == 1
    assert changes(found, "declaration")["gate.slices.by"] == (None, "carrier")
    assert changes(found, "parameters") == {"share": ("0.0", "0.5")}
    assert list(changes(found, "code")) == ["digest of the declaration"]
    assert (topic(found, "libraries").changes, topic(found, "columns").changes) == ((), ())


def test_metrics_are_of_the_rows_that_the_newer_version_has_held_out(found, versions):
    rows = example_rows(seed=2, night=SECOND).query("airloom_split == 'holdout'")
    label, rate = rows["late"], rows["carrier_delays__late_rate"]
    metrics = changes(found, "metrics")
    assert found.judged_on == versions[1]
    assert metrics["roc_auc"] == pytest.approx((0.5, roc_auc_score(label, rate)))
    assert metrics["neg_log_loss"][1] == pytest.approx(-log_loss(label, rate / 2))
    some = rows["carrier"] == "WN"
    assert metrics["roc_auc, carrier=WN"] == pytest.approx((0.5, roc_auc_score(label[some], rate[some])))
    assert topic(found, "metrics").note == f"both on the 240 rows that version {versions[1]} has held out"


def test_importance_shifts_where_a_model_has_begun_to_read_a_column(found):
    [(name, (old, new))] = changes(found, "importance").items()
    assert (name, old) == ("carrier_delays__late_rate", 0.0)
    assert new > 0.1
    assert topic(found, "importance").same == 2


def test_the_order_of_the_versions_changes_sides_and_not_the_rows(found, pipeline, versions, settings):
    turned = diff(pipeline, *reversed(versions), settings)
    assert turned.judged_on == versions[1]
    for name in ("metrics", "importance", "rows"):
        expected = {key: (new, old) for key, (old, new) in changes(found, name).items()}
        assert changes(turned, name) == expected
    assert next(each.note for each in topic(turned, "metrics").changes) == "worse"


def test_a_version_that_has_learned_from_the_rows_is_said_so(pipeline, versions, settings):
    rows = example_rows(seed=2, night=SECOND + timedelta(days=3))
    older = rows.assign(airloom_split=rows["airloom_split"].map({"train": "holdout", "holdout": "train"}))
    version = trained(settings, pipeline, "one", SECOND, older)
    learned = diff(pipeline, trained(settings, pipeline, "one", SECOND + timedelta(days=3), rows), version, settings)
    assert f"version {version} has learned from 2 days of them" in topic(learned, "metrics").note


def test_without_its_training_set_the_rest_is_still_compared(pipeline, versions, settings):
    info = ModelRegistry(settings, "late").version_info(versions[0])
    with without(settings.training / "late" / str(FIRST) / f"{info.training_digest}.parquet"):
        partly = diff(pipeline, *versions, settings)
    assert problems(partly) == set(ON_ROWS) - {"metrics", "importance"}
    assert "training set is not there any more" in topic(partly, "rows").problem
    assert f"nobody knows whether version {versions[0]} has learned" in topic(partly, "metrics").note
    assert changes(partly, "parameters") == {"share": ("0.0", "0.5")}


def test_without_the_newer_training_set_nothing_is_scored(pipeline, versions, settings):
    info = ModelRegistry(settings, "late").version_info(versions[1])
    with without(settings.training / "late" / str(SECOND) / f"{info.training_digest}.parquet"):
        assert problems(diff(pipeline, *versions, settings)) == set(ON_ROWS)


def test_a_model_whose_files_are_gone_is_said_so(pipeline, versions, settings):
    with without(source(settings, versions[0])):
        partly = diff(pipeline, *versions, settings)
    assert problems(partly) == {"libraries", "metrics", "importance"}


def test_a_model_that_cannot_score_the_rows_is_said_so(pipeline, versions, settings):
    rows = example_rows(seed=3, night=SECOND)
    rows.loc[rows.index[-1], "distance"] = 6000
    wild = {"fit": "tests.worlds.candidates:wild_on_far_flights"}
    declared = pipeline_with(wild=wild, one=HALF)
    earlier = trained(settings, declared, "wild", SECOND)
    later = trained(settings, declared, "one", SECOND + timedelta(days=1), rows)
    partly = diff(pipeline, earlier, later, settings)
    assert problems(partly) == {"metrics", "importance"}
    assert f"Version {earlier} predicts values that are not probabilities" in topic(partly, "metrics").problem


def test_a_version_trained_before_definitions_were_kept_is_said_so(pipeline, versions, settings):
    run = open_client(settings).get_run(ModelRegistry(settings, "late").version_info(versions[0]).run_id)
    with without(Path(run.info.artifact_uri.removeprefix("file://")) / "definitions.json"):
        partly = diff(pipeline, *versions, settings)
    assert problems(partly) == {"expectations", "feature files", "declaration"}
    assert "The run keeps no definitions" in topic(partly, "expectations").problem


def test_what_cannot_be_compared_at_all_is_refused(pipeline, versions, settings):
    with pytest.raises(UsageError, match="between a version and itself"):
        diff(pipeline, versions[0], versions[0], settings)
    with pytest.raises(GateError, match="late has no version 999"):
        diff(pipeline, versions[0], 999, settings)


def test_a_version_that_somebody_registered_from_elsewhere_is_refused(pipeline, versions, settings):
    foreign = open_client(settings).create_model_version(
        "late", source="file:///elsewhere", tags={"airloom.pipeline": "x"}
    )
    with pytest.raises(GateError, match=f"Version {foreign.version} of late was not trained by this pipeline"):
        diff(pipeline, versions[0], int(foreign.version), settings)


@pytest.fixture
def command(settings, versions, monkeypatch):
    monkeypatch.setenv("AIRLOOM_PROJECT", str(settings.project))
    monkeypatch.setenv("AIRLOOM_VAR", str(settings.var))
    monkeypatch.setattr(console, "width", 120)

    def run(*options):
        done = CliRunner().invoke(app, ["diff", "late", *map(str, versions), *options], catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    return run


def test_the_command_reads_like_a_report(command):
    told = command()
    assert "version 1  one, as of 2024-01-10; champion from 2024-01-10 (epoch 1)" in told
    assert "version 2  one, as of 2024-01-11; never champion" in told
    assert "2024-01-07, 2024-01-09" in told
    assert "better" in told
    assert "the same" in told
    assert "not known" not in told


def test_the_command_is_there_for_programs_too(command, found):
    assert json.loads(command("--json")) == found.model_dump(mode="json")


def test_the_command_names_topics_that_could_not_be_compared(command, settings, versions):
    with without(source(settings, versions[0])):
        assert "libraries, metrics, importance: A model's files are not there." in command()
