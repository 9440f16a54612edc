"""reproduce: a registered version made again from the lake as it was, and compared with what is recorded of it.

Nothing is registered, published or kept: what is made is made in a temporary folder.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from airloom.contracts import Model
from airloom.core.difference import Change, Value, compared_days
from airloom.core.errors import AirloomError, DataError, DeclarationError
from airloom.core.pipeline import Pipeline
from airloom.core.reproduction import Reproduction, Result, is_identical, reasons, result_of
from airloom.core.settings import Settings
from airloom.core.wording import counted
from airloom.steps.assemble import examples_at
from airloom.steps.candidates import PARAMETERS, Fit
from airloom.steps.evaluate import score_metrics
from airloom.steps.examples import DAY
from airloom.steps.outputs import predicted
from airloom.steps.readiness import training_inputs
from airloom.steps.references import load_function
from airloom.steps.surroundings import surroundings
from airloom.steps.training import train
from airloom.steps.training_sets import Rows, Split, read_file, write_training_set
from airloom.steps.versions import KnownVersion
from airloom.stores.content import content_version
from airloom.stores.lake import Lake
from airloom.stores.model_files import read_model, read_sample, write_model
from airloom.stores.models import ModelRegistry

#: Metrics of a run that say how a training went or what others are worth, and not what came of it.
_NOT_OF_THE_MODEL = ("train.seconds", "train.rows", "baseline.")
_HOLDOUT = "holdout."
#: What the model that is made again is called in errors.
_AGAIN = "What was trained now"
_SPLITS: tuple[Split, ...] = ("train", "holdout")

Tell = Callable[[str], None]


def reproduce(pipeline: Pipeline, version: int, settings: Settings, tell: Tell = lambda what: None) -> Reproduction:
    """Make a version again: from the recorded commits of the lake, by the recorded declaration, from its seed.

    The code and the libraries are those of now; how they differ from the recorded ones is part of the result.

    Args:
        pipeline: The declaration of now.
        version: The registered version.
        settings: Where state, artifacts and lake are; nothing there is written to.
        tell: Is told what is being done.

    Returns:
        What was compared and what differs.

    Raises:
        GateError: There is no such version, or it was not trained by this pipeline.
        DataError: The lake cannot be read any more as it was, or the version does not say how it was trained.
    """
    known = KnownVersion(pipeline, version, settings)
    _require_today_s_rule(known)
    function, commits = _function(known), _commits(known)
    around = surroundings(known)
    with tempfile.TemporaryDirectory(prefix="airloom-reproduce-") as folder:
        again = _Again(known, function, dataclasses.replace(settings, var=Path(folder), storage=None), tell)
        training = again.training_set(commits)
        model, seconds = again.model(training)
        results = tuple(_result(name, compare) for name, compare in again.results(training, model).items())
    return Reproduction(
        pipeline=pipeline.name,
        version=version,
        candidate=known.info.candidate,
        as_of=known.info.partition,
        run_id=known.info.run_id,
        commits=commits,
        identical=is_identical(results),
        surroundings=around,
        results=results,
        why=reasons(around, results),
        seconds=seconds,
    )


def _result(name: str, compare: Callable[[], Result]) -> Result:
    try:
        return compare().model_copy(update={"name": name})
    except AirloomError as error:
        return Result(name=name, problem=error.brief)


def _require_today_s_rule(known: KnownVersion) -> None:
    """Refuse a version whose training set was made by another rule: what differs would be the rule."""
    if known.of_labelled_rows:
        raise DataError(
            f"The rule by which version {known.version} was trained has changed.",
            found="its examples are the rows of the label's table, with the features of the day before",
            expected="examples are the rows that were scored, with their labels",
            do=f"check out the code that it was trained with: {known.info.tags.get('airloom.code')}",
        )


def _function(known: KnownVersion) -> Fit:
    """Return the candidate's function; what it was trained with is not run when it is not here any more."""
    reference = known.fit
    try:
        function: Fit = load_function(reference, known.settings.project, PARAMETERS)
    except DeclarationError as error:
        raise DataError(
            f"The code that version {known.version} was trained with is not here any more.",
            where=reference,
            found=error.what,
            expected=f"the code of {known.info.tags.get('airloom.code')}",
            do="check that commit out, then run again",
        ) from error
    return function


def _commits(known: KnownVersion) -> dict[str, int]:
    """Return the recorded commits of the tables that a training set is made of."""
    wanted = training_inputs(known.declaration, known.info.partition)
    absent = [table for table in wanted if table not in known.commits]
    if absent:
        raise DataError(
            f"Version {known.version} does not say which commits of the lake it was trained on.",
            found=", ".join(known.commits) or "no table",
            expected=", ".join(absent),
            do="train again: what is trained from now on says so",
        )
    return {table: known.commits[table] for table in wanted}


@dataclass
class _Log:
    """Keeps the last value of what a candidate reports."""

    last: dict[str, float] = field(default_factory=dict)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self.last.update({name: float(value) for name, value in metrics.items()})


@dataclass(frozen=True)
class _TrainingSet:
    """A training set made again.

    Args:
        digest: Its fingerprint.
        learned: The rows to learn from.
        held_out: The rows to be judged on.
    """

    digest: str
    learned: Rows
    held_out: Rows


@dataclass(frozen=True)
class _Again:
    """One version that is made again.

    Args:
        known: What is recorded of it.
        function: The candidate's function.
        temporary: Where what is made is written.
        tell: Is told what is being done.
        log: What the candidate reports.
    """

    known: KnownVersion
    function: Fit
    temporary: Settings
    tell: Tell
    log: _Log = field(default_factory=_Log)

    def training_set(self, commits: dict[str, int]) -> _TrainingSet:
        """Read, join and write the training set, since models are trained on what is read back from its file."""
        known, temporary = self.known, self.temporary
        self.tell(f"reading {counted(len(commits), 'table')} of the lake as they were, and joining features")
        as_of, declared = known.info.partition, known.declaration
        lake = Lake(known.settings.lake / known.pipeline.name, commits, known.left_out)
        joined = examples_at(declared, as_of, lake, known.settings)
        digest, path = write_training_set(
            declared, as_of, joined.frame, joined.columns, temporary, known.info.pipeline_digest
        )
        learned, held_out = (read_file(temporary.training / path, split) for split in _SPLITS)
        return _TrainingSet(digest, learned, held_out)

    def model(self, training: _TrainingSet) -> tuple[Model, float]:
        """Train, and return the model as it is loaded from its files, with the seconds that the training took."""
        candidate, folder = self.known.info.candidate, self.temporary.var / "model"
        self.tell(f"training {candidate} on {counted(len(training.learned.frame), 'row')}")
        try:
            trained = train(self.known.declaration, candidate, self.function, training.learned, self.log)
        except DataError as error:
            raise DataError(
                f"{candidate} cannot be trained again by the code that is here now.",
                found=error.brief,
                do=f"check out the code that it was trained with: {self.known.info.tags.get('airloom.code')}",
            ) from error
        manifest_sum = write_model(trained.model, folder, training.learned.inputs)
        return read_model(folder, manifest_sum), trained.seconds

    def results(self, training: _TrainingSet, model: Model) -> dict[str, Callable[[], Result]]:
        """Return how each result is compared."""
        return {
            "training set": lambda: self._training_set(training),
            "metrics": lambda: self._metrics(training.held_out, model),
            "predictions": lambda: self._predictions(model),
        }

    def _training_set(self, training: _TrainingSet) -> Result:
        rows = self.known.recorded_metrics.get("train.rows")
        was: dict[str, Value] = {
            "digest": self.known.info.training_digest,
            "rows learned from": None if rows is None else int(rows),
            "digest of the rows held out": self.known.info.tags.get("airloom.rows_digest"),
        }
        now: dict[str, Value] = {
            "digest": training.digest,
            "rows learned from": len(training.learned.frame),
            "digest of the rows held out": training.held_out.digest,
        }
        found = result_of(was, now)
        days = self._days(training) if found.changes else ()
        return found.model_copy(update={"changes": (*found.changes, *days)})

    def _days(self, training: _TrainingSet) -> tuple[Change, ...]:
        """Return the days that differ, where the training set of then is still there."""
        try:
            was = [self.known.learned, self.known.held_out]
        except AirloomError:
            return ()
        return compared_days("rows", _by_day(was), _by_day([training.learned, training.held_out])).changes

    def _metrics(self, rows: Rows, model: Model) -> Result:
        logged = self.known.recorded_metrics.items()
        recorded = {name: value for name, value in logged if not name.startswith(_NOT_OF_THE_MODEL)}
        if not any(name.startswith(_HOLDOUT) for name in recorded):
            raise DataError("No metric of the rows held out is recorded with the run: it was never evaluated.")
        self.tell(f"scoring {counted(len(rows.frame), 'row')}")
        label = self.known.declaration.label
        outputs = predicted(label, model, rows.inputs, _AGAIN)
        values = score_metrics(label.kind, rows.frame[label.column].to_numpy(dtype=float), outputs)
        found = {f"{_HOLDOUT}{name}": value for name, value in values.items() if value is not None}
        return result_of(recorded, {**self.log.last, **found})

    def _predictions(self, model: Model) -> Result:
        """Compare with what the registered version had predicted for the rows that are kept with it."""
        import numpy as np

        folder, _ = ModelRegistry(self.known.settings, self.known.pipeline.name).verified_files(self.known.version)
        rows, expected = read_sample(folder)
        outputs = predicted(self.known.declaration.label, model, rows, _AGAIN)
        if outputs.shape != expected.shape:
            shapes = Change(name="shape", old=str(expected.shape), new=str(outputs.shape))
            return Result(name="", changes=(shapes,))
        differing = int((outputs != expected).reshape(len(rows), -1).any(axis=1).sum())
        largest = float(np.abs(outputs - expected).max(initial=0.0))
        changes = (Change(name="rows predicted otherwise", old=0, new=differing),) if differing else ()
        note = f"largest difference {largest:.3g} on the {counted(len(rows), 'row')} kept with the model"
        return Result(name="", changes=changes, same=len(rows) - differing, note=note)


def _by_day(splits: list[Rows]) -> dict[date, Value]:
    import pandas as pd
    import pyarrow as pa

    frame = pd.concat([split.frame for split in splits])
    rows = {day: frame[frame[DAY] == day] for day in sorted(set(frame[DAY]))}
    return {day: content_version(pa.Table.from_pandas(each, preserve_index=False)) for day, each in rows.items()}
