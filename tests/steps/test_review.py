"""Looking back: whether promotions were right on the days that followed, and what the champion is worth."""

import shutil
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from typer.testing import CliRunner

from airloom.cli import app
from airloom.core.partitions import day_range
from airloom.launcher.api import Range
from airloom.launcher.status import read_status
from airloom.launcher.summary import summarize
from airloom.steps.apply import apply
from airloom.steps.assemble import assemble
from airloom.steps.compute import compute
from airloom.steps.decide import decide
from airloom.steps.evaluate import evaluate
from airloom.steps.examples import DAY
from airloom.steps.fit import fit
from airloom.steps.prove import prove
from airloom.steps.review import FOLLOWED, review
from airloom.steps.score import rows_to_score, score
from airloom.steps.standing import standing
from airloom.stores.lake import Lake
from airloom.stores.ledger import Ledger
from airloom.stores.models import ModelRegistry
from airloom.stores.notes import Notes
from tests.worlds.installation import settings_at
from tests.worlds.late_labels import days as late_labels

#: Messages whose promotion is looked back on; from this day on people call the honest ones spam.
TURNED = date(2024, 3, 20)
ALERTS = []


def record_alert(alert):
    ALERTS.append(alert)


class World:
    """The messages of five weeks, a first champion and a better one, and their predictions."""

    def __init__(self, folder):
        self.settings = settings_at(folder, project=late_labels.PROJECT)
        self.pipeline = late_labels.declared("spam").model_copy(update={"alert": f"{__name__}:record_alert"})
        self.first = late_labels.first_night(self.pipeline)
        self.second = self.first + timedelta(days=1)
        self.last = self.second + timedelta(days=FOLLOWED) + self.pipeline.label.matures_after

    @property
    def ledger(self):
        return Ledger(self.settings.state_url)

    def train(self, night, epochs):
        """Train, judge and apply."""
        train = self.pipeline.train.model_dump(mode="json")
        train["candidates"]["network"]["params"]["epochs"] = epochs
        pipeline = self.pipeline.model_copy(update={"train": self.pipeline.train.model_validate(train)})
        training = assemble(pipeline, night, self.settings)
        champion = self.ledger.champion_as_of(pipeline.name, night)
        fitted = [fit(pipeline, night, "network", training, self.settings)]
        evaluation = evaluate(pipeline, night, training, fitted, champion and champion.version, self.settings)
        proven = prove(pipeline, night, evaluation, self.settings)
        decided = decide(pipeline, night, evaluation, proven, self.settings)
        return apply(pipeline, night, decided.verdict, self.settings, "test")

    def review(self, night):
        return review(self.pipeline, night, self.settings, "test").headline

    def notes(self, *kinds):
        return Notes(self.settings.state_url).of("spam", *kinds)

    def labelled(self, days):
        """Return rows with their label and features, by plain reading."""
        lake = Lake(self.settings.lake / "spam")
        labels = lake.read("labels", days, columns=["message_id", "spam"]).dropna()
        rows = pd.concat([rows_to_score(self.pipeline, day, self.settings) for day in days])
        return rows.merge(labels, on="message_id")

    def outputs(self, version, rows):
        return ModelRegistry(self.settings, "spam").load(version).predict(rows)


@pytest.fixture(scope="module")
def template(tmp_path_factory, module_include):
    """What has been published; no test changes it."""
    folder = tmp_path_factory.mktemp("messages")
    late_labels.installed("spam", folder)
    world = World(folder)
    for day in day_range(world.pipeline.schedule.start, world.last):
        late_labels.ingest(world.pipeline, day, world.settings, "extract" if day < TURNED else "mistaken")
        compute(world.pipeline, day, world.settings)
    assert world.train(world.first, 200).moved
    assert world.train(world.second, 800).moved
    for day in day_range(world.first, world.last):
        score(world.pipeline, day, world.settings, "test")
    return folder


@pytest.fixture
def world(template, tmp_path):
    ALERTS.clear()
    shutil.copytree(template / "var", tmp_path / "var")
    return World(tmp_path)


def test_a_promotion_is_judged_once_on_the_night_of_its_28th_labelled_day(world):
    nights = [world.last - timedelta(days=2 - later) for later in range(3)]
    found = []
    for night in nights:
        world.review(night)
        found.append([note.partition for note in world.notes("reviewed")])
    assert found == [[], [world.first], [world.first, world.second]]
    before = world.notes("reviewed")
    world.review(world.last)
    assert world.notes("reviewed") == before


def test_what_is_found_is_what_both_models_predict_for_the_days_that_followed(world):
    world.review(world.last)
    notes = {note.partition: note.reason for note in world.notes("reviewed")}
    for night, version, other in ((world.first, 1, None), (world.second, 2, 1)):
        rows = world.labelled(day_range(night + timedelta(days=1), night + timedelta(days=FOLLOWED)))
        mine = world.outputs(version, rows)
        theirs = np.full(len(rows), constant_of(world, night)) if other is None else world.outputs(other, rows)
        auc = metrics.roc_auc_score(rows["spam"], mine) - metrics.roc_auc_score(rows["spam"], theirs)
        loss = metrics.log_loss(rows["spam"], theirs) - metrics.log_loss(rows["spam"], mine)
        assert f"roc_auc {auc:+.4f} [" in notes[night]
        assert f"neg_log_loss {loss:+.4f} [" in notes[night]
        assert f"than {'version 1' if other else 'a constant'}: " in notes[night]
        assert notes[night].endswith("on 28 days that followed")
        assert notes[night].startswith("not better") == (auc <= 0 and loss <= 0)
        assert notes[night].startswith("better than") == (auc > 0 and loss > 0)


def test_the_verdict_shows_how_it_was_looked_back_on(world, monkeypatch):
    world.review(world.last)
    [note] = [note for note in world.notes("reviewed") if note.partition == world.first]
    ask_about(world, monkeypatch)
    told = CliRunner().invoke(app, ["verdict", "spam", str(world.first)]).stdout
    assert note.reason in " ".join(told.split())


def constant_of(world, night):
    training = assemble(world.pipeline, night, world.settings)
    rows = pd.read_parquet(world.settings.training / training.path)
    learned = rows.loc[rows["airloom_split"] == "train", "spam"]
    return (learned.sum() + 0.5) / (len(learned) + 1)


def test_what_is_found_does_not_depend_on_the_night_that_looks_back(world, tmp_path):
    world.review(world.last)
    shutil.copytree(world.settings.var / "lake", tmp_path / "again" / "var" / "lake")
    late = {note.partition: note.reason for note in world.notes("reviewed")}
    world.settings.var.joinpath("state").rename(tmp_path / "gone")
    shutil.copytree(tmp_path / "gone", world.settings.var / "state")
    assert world.notes("reviewed")[0].reason == late[world.first]


def test_a_version_that_is_gone_is_said_and_not_asked_for_again(world):
    version = ModelRegistry(world.settings, "spam")
    version.delete(1) if hasattr(version, "delete") else delete_version(world, 1)
    world.review(world.last)
    reasons = [note.reason for note in world.notes("reviewed")]
    assert [each.partition(":")[0] for each in reasons] == [
        "not compared with a constant",
        "not compared with version 1",
    ]


def test_a_version_that_reads_columns_of_another_declaration_is_said(world):
    inputs = world.pipeline.train.inputs.model_copy(update={"numeric": ("words", "links")})
    world.pipeline = world.pipeline.model_copy(
        update={"train": world.pipeline.train.model_copy(update={"inputs": inputs})}
    )
    world.review(world.last)
    reasons = [note.reason for note in world.notes("reviewed")]
    assert reasons[0].startswith("not compared with a constant: Version 1 cannot predict these rows. KeyError at ")


def delete_version(world, number):
    from airloom.stores.tracking import open_client

    open_client(world.settings).delete_model_version("spam", str(number))


def test_a_champion_that_is_worse_than_the_average_is_said_everywhere_and_told_once(world, monkeypatch):
    since = expected_since(world)
    assert since > TURNED
    for night in (world.last, world.last - timedelta(days=1), world.last):
        world.review(night)
    words = f"worse than the average since {since}: roc_auc "
    [note] = world.notes("worse", "recovered")
    assert (note.kind, note.partition, note.subject) == ("worse", since, "2")
    assert note.reason.startswith(words)
    assert [(alert.pipeline, alert.partition) for alert in ALERTS] == [("spam", since)]
    assert words in ALERTS[0].message
    status = read_status(world.pipeline, world.settings).champion
    assert (status.worse_since, status.standing) == (since, note.reason)
    summary = summarize(world.pipeline, world.settings, Range(world.first, world.last))
    assert str(summary.standing) == note.reason
    ask_about(world, monkeypatch)
    for command in ("status", "ledger"):
        assert f"average since {since}" in " ".join(CliRunner().invoke(app, [command, "spam"]).stdout.split())


def ask_about(world, monkeypatch):
    """Let commands be about this installation."""
    monkeypatch.setenv("AIRLOOM_PROJECT", str(late_labels.PROJECT))
    monkeypatch.setenv("AIRLOOM_VAR", str(world.settings.var))
    monkeypatch.setenv("AIRLOOM_STATE_URL", world.settings.state_url)


def expected_since(world):
    """Judge each day with the 27 before it by plain loops, newest first, until one is as good as the constant."""
    share, since = constant_of(world, world.second), None
    predicted = Lake(world.settings.lake / "spam").read(
        "predictions", day_range(world.second, world.last), columns=["message_id", "airloom_score", DAY]
    )
    labels = Lake(world.settings.lake / "spam").read("labels", day_range(world.second, world.last)).dropna()
    rows = predicted.merge(labels[["message_id", "spam"]], on="message_id")
    days = sorted(set(rows[DAY]))
    for place in range(len(days) - 1, 5, -1):
        some = rows[rows[DAY].isin(days[max(0, place - 27) : place + 1])]
        auc = metrics.roc_auc_score(some["spam"], some["airloom_score"])
        losses = [metrics.log_loss(some["spam"], each) for each in (some["airloom_score"], np.full(len(some), share))]
        if auc >= 0.5 and losses[0] <= losses[1]:
            break
        since = days[place]
    return date.fromisoformat(since)


def test_a_champion_that_is_better_again_is_said_too(world):
    world.review(world.last)
    for day in day_range(TURNED, world.last):
        late_labels.ingest(world.pipeline, day, world.settings)
        compute(world.pipeline, day, world.settings)
    score(world.pipeline, world.last, world.settings, "again")
    assert standing(world.pipeline, world.settings).since is None
    assert "champion version 2 is better than the average" in world.review(world.last)
    assert [note.kind for note in world.notes("worse", "recovered")] == ["worse", "recovered"]
    assert len(ALERTS) == 1


@pytest.mark.parametrize("age", [0, 1, 6])
def test_a_champion_without_a_week_of_labels_has_no_standing(world, age):
    day = world.last - timedelta(days=age)
    world.ledger.promote(
        "spam",
        expected_epoch=2,
        effective_from=day,
        version=1,
        verdict=None,
        actor="ann",
        reason="rollback: for a test",
    )
    assert standing(world.pipeline, world.settings) is None
    assert read_status(world.pipeline, world.settings).champion.standing is None
    assert "nothing to look back on" not in world.review(world.last)
