"""Values of the data are searched for wherever people and other systems read, with code that fails at every border."""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowFailException
from typer.testing import CliRunner

from airloom.cli import app
from airloom.cli.console import console
from airloom.core.declaration import find_pipeline
from airloom.core.errors import UnexpectedError
from airloom.launcher.features import apply_pipeline
from airloom.operators.features import ComputeOperator, MaterializeOperator
from airloom.operators.ingest import ExtractOperator, PublishOperator, ValidateOperator
from airloom.operators.score import ReviewOperator, ScoreOperator
from airloom.operators.train import (
    ApplyOperator,
    AssembleOperator,
    DecideOperator,
    EvaluateOperator,
    FitOperator,
    NoteFailureOperator,
    ProveOperator,
)
from tests.lineage.emitted import RUN_ID, Emitter
from tests.operators.tasks import task_of, use_project
from tests.worlds import planted
from tests.worlds.installation import project_at
from tests.worlds.late_labels.days import days_until, first_night

#: Where rows are kept, and what models and the online store are made of.
DATA = ("lake", "staging", "training", "mlflow", "online.db", "online.db-wal", "online.db-shm")
REFUSED = (AirflowFailException, UnexpectedError)


class World:
    """The pipeline in a project of its own; what its tasks and commands say to others is kept."""

    def __init__(self, folder):
        self.folder, self.settings = folder, project_at(folder)
        self.home = self.settings.include / "planted"
        shutil.copytree(Path(planted.__file__).parent, self.home, ignore=shutil.ignore_patterns("__pycache__"))
        (self.settings.include / "__init__.py").touch()
        self.pipeline = find_pipeline(self.settings.include, "planted")
        self.night = first_night(self.pipeline)
        self.settings.delivery.mkdir(parents=True)
        self.emitter = Emitter(self.settings.delivery / "events.ndjson")
        self.said = []

    def fail_at(self, fault):
        (self.home / "fault").write_text(fault)

    def run(self, operator, day, **arguments):
        """Run a task, emit its events, and return its record as XCom has it."""
        task = task_of(operator, self.pipeline, partition=day.isoformat(), **arguments)
        run = f"{RUN_ID[:-4]}{len(self.said):04x}"
        self.emitter.emit(task, "START", run_id=run)
        try:
            record = task.execute({"run_id": "a run"})
        except REFUSED as error:
            self.said.append(str(error))
            self.emitter.emit(task, "FAIL", error=error, run_id=run)
            raise
        self.emitter.emit(task, "COMPLETE", run_id=run)
        self.said.append(json.dumps(record))
        return record

    def ingest(self, day):
        self.run(ExtractOperator, day)
        audits = [self.run(ValidateOperator, day, table=table) for table in self.pipeline.tables]
        return self.run(PublishOperator, day, validations=audits)

    def ask(self, *arguments):
        """Run a command and return what it prints."""
        done = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert done.exit_code == 0
        self.said.append(done.output)
        return done.output

    def tells(self):
        """Return who tells a planted value: what was said, and files that hold no data."""
        files = [file for file in self.folder.rglob("*") if file.is_file() and not self._is_data(file)]
        told = {"said": "\n".join(self.said).encode(), **{str(file): file.read_bytes() for file in files}}
        return {who for who, text in told.items() for each in planted.PLANTED if each.encode() in text}

    def _is_data(self, file):
        top, *below = file.relative_to(self.folder).parts
        if top == "include":
            return file.name != "alerts.txt"
        return below[0] in DATA or file.name == "rows.parquet"


@pytest.fixture(scope="module")
def lived(tmp_path_factory, module_include):
    """A world with a champion that has scored, and the records of its training."""
    folder = tmp_path_factory.mktemp("planted")
    with pytest.MonkeyPatch.context() as patch:
        use_project(folder, patch)
        world = World(folder)
        night, run = world.night, world.run
        apply_pipeline(world.settings, world.pipeline)
        for day in days_until(world.pipeline, night):
            world.ingest(day)
            computed = run(ComputeOperator, day)
        run(MaterializeOperator, night, computed=computed)
        world.trained = run(AssembleOperator, night)
        world.fitted = [run(FitOperator, night, candidate="rates", training=world.trained)]
        evaluated = run(EvaluateOperator, night, training=world.trained, fitted=world.fitted)
        proven = run(ProveOperator, night, evaluation=evaluated)
        decided = run(DecideOperator, night, evaluation=evaluated, proven=proven)
        run(ApplyOperator, night, decided=decided, evaluation=evaluated)
        run(ScoreOperator, night)
    return world


@pytest.fixture
def world(lived, monkeypatch):
    use_project(lived.folder, monkeypatch)
    yield lived
    lived.fail_at("")


def test_a_night_tells_no_value_to_anyone(world, monkeypatch):
    monkeypatch.setattr(console, "width", 200)
    world.run(ReviewOperator, world.night)
    world.run(NoteFailureOperator, world.night)
    assert "version 1" in world.ask("status", "planted")
    assert "champion" in world.ask("ledger", "planted")
    assert "first" in world.ask("verdict", "planted", world.night.isoformat(), "--json")
    events = world.settings.delivery / "events.ndjson"
    # As an installation is configured.
    events.write_text(events.read_text().replace('"namespace": "default"', '"namespace": "airloom"'))
    assert "raw.payments" in world.ask("trace", "planted", world.night.isoformat())
    assert world.tells() == set()


def test_the_search_finds_what_is_planted(world):
    told = world.folder / "var" / "told.txt"
    told.write_text("the key SECRETKEY-1")
    assert world.tells() == {str(told)}
    told.unlink()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("extract raises", "ValueError at include/planted/source.py"),
        ("no table", "Series"),
        ("Arrow of other columns", "paid_at"),
        ("frames of mixed types", "currency"),
        ("dictionaries of mixed types", "currency"),
        ("mixed types", "currency"),
        ("a bad time", "paid_at"),
        ("a key twice", "1 rows with a key seen before"),
        ("null keys", "is blocked"),
        ("negative amounts", "is blocked"),
        ("amounts that are words", "is blocked"),
    ],
)
def test_a_source_that_is_refused_is_told_without_values(fault, said, world):
    world.fail_at(fault)
    with pytest.raises(REFUSED, match=said):
        world.ingest(world.night + timedelta(days=1))
    assert world.tells() == set()


def test_rows_that_are_held_back_are_counted(world):
    world.fail_at("one null key")
    published = world.ingest(world.night + timedelta(days=1))
    assert published["quarantined_rows"] == 1
    assert "1 row quarantined" in published["headline"]
    assert world.tells() == set()


def test_a_query_that_fails_on_a_value_is_told_without_it(world):
    file = world.home / "sql" / "account_sums.sql"
    right = file.read_text()
    file.write_text(right.replace("amount)", "CAST(account AS INTEGER))"))
    with pytest.raises(REFUSED, match="a value that is not shown here"):
        world.run(ComputeOperator, world.night)
    file.write_text(right)
    world.run(ComputeOperator, world.night)
    assert world.tells() == set()


def test_a_label_that_the_declaration_does_not_know_is_counted(world):
    world.fail_at("an unknown label")
    world.ingest(world.night)
    with pytest.raises(REFUSED, match=r"1 of \d+ labels"):
        world.run(AssembleOperator, world.night)
    world.fail_at("")
    world.ingest(world.night)
    assert world.tells() == set()


@pytest.mark.parametrize(
    ("candidate", "said"),
    [
        ("fit_raises", "ArithmeticError at include/planted/models.py"),
        ("predict_raises", "LookupError at include/planted/models.py"),
        ("predict_repeats", r"\d+ of \d+ values below 0 or above 1"),
        ("predict_names", "other values than numbers"),
    ],
)
def test_a_candidate_that_fails_is_told_without_values(candidate, said, world):
    with pytest.raises(REFUSED, match=said):
        world.run(FitOperator, world.night, candidate=candidate, training=world.trained)
    assert world.tells() == set()


@pytest.mark.parametrize("fault", ["predict raises", "predict repeats", "predict names"])
def test_a_champion_that_fails_is_told_without_values_also_by_the_alert(fault, world):
    world.fail_at(fault)
    with pytest.raises(REFUSED, match="The candidate rates"):
        world.run(EvaluateOperator, world.night, training=world.trained, fitted=world.fitted)
    with pytest.raises(REFUSED, match="Version 1"):
        world.run(ScoreOperator, world.night)
    alert = (world.home / "alerts.txt").read_text().splitlines()[-1]
    assert "no predictions are published" in alert
    assert world.tells() == set()
