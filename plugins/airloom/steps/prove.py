"""prove: a registered version can serve. It loads, and it predicts what it did when it was trained.

In Airflow it is a task of its own, so the version is loaded by a process that has not trained it and has imported
nothing of the pipeline's code before.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from airloom.core.errors import GateError, NotDue, Unavailable
from airloom.core.failures import reason
from airloom.core.partitions import require_ended
from airloom.core.pipeline import Pipeline
from airloom.core.records import Chosen, Dataset, Evaluation, Proven
from airloom.core.settings import Settings
from airloom.core.verdict import Proof
from airloom.core.wording import counted
from airloom.steps.outputs import predicted
from airloom.steps.threads import fixed_threads
from airloom.stores.model_files import MANIFEST, SAMPLE, load_verified, read_sample
from airloom.stores.model_outputs import compared
from airloom.stores.models import ModelRegistry

#: So many rows of the day tell whether a model can score them.
ROWS = 200

#: Loading and scoring are timed so often.
_TIMES = 3

T = TypeVar("T")

_log = logging.getLogger(__name__)


def prove(pipeline: Pipeline, partition: date, evaluation: Evaluation, settings: Settings) -> Proven:
    """Prove that the night's challenger can serve; that it cannot is a fact for the gate and no error.

    Args:
        pipeline: The declaration.
        partition: The as-of of the challenger.
        evaluation: Which version is the challenger.
        settings: Where the registry is.
    """
    require_ended(partition, pipeline.schedule.timezone)
    proof = prove_version(pipeline, evaluation.challenger_version, settings)
    return _proven(pipeline, partition, proof)


def prove_choice(pipeline: Pipeline, chosen: Chosen, settings: Settings) -> Proven:
    """Prove that a version that a person has chosen can serve, also on rows of the day from which it is to be champion.

    Args:
        pipeline: The declaration.
        chosen: What is to become champion.
        settings: Where registry, lake and feature store are.

    Raises:
        GateError: It does not exist, is not what was registered, or cannot score.
    """
    require_ended(chosen.partition, pipeline.schedule.timezone)
    proof = prove_version(pipeline, chosen.version, settings)
    if proof.problem:
        raise GateError(f"Version {chosen.version} cannot serve.", found=proof.problem, do="choose another version")
    return _proven(pipeline, chosen.partition, proof, _score_rows_of(pipeline, chosen, settings))


def prove_version(pipeline: Pipeline, version: int, settings: Settings) -> Proof:
    """Load a version after verifying its files, score the rows that were kept with it, and compare.

    Raises:
        Unavailable: A server does not answer, which says nothing about the version.
    """
    try:
        folder, manifest = ModelRegistry(settings, pipeline.name).verified_files(version)
        with fixed_threads():
            return _proof(pipeline, version, folder, manifest)
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - the code of a model may fail in any way, and that is what is asked here
        _log.warning("Version %d cannot serve.", version, exc_info=error)
        return Proof(version=version, problem=reason(error))


def _proof(pipeline: Pipeline, version: int, folder: Path, manifest: dict[str, Any]) -> Proof:
    rows, expected = read_sample(folder)
    model, load_seconds = _quickest(lambda: load_verified(folder, manifest))
    outputs, seconds = _quickest(lambda: predicted(pipeline.label, model, rows, f"Version {version}"))
    difference, problem = compared(outputs, expected)
    return Proof(
        version=version,
        rows=len(rows),
        difference=difference,
        artifact_bytes=_bytes(folder),
        load_seconds=round(load_seconds, 4),
        rows_per_second=round(len(rows) / seconds, 1),
        problem=problem,
        pickles=tuple(manifest.get("pickles", ())),
    )


def _quickest(work: Callable[[], T]) -> tuple[T, float]:
    """Do something some times and return its seconds at best: the first time imports, others wait for the machine."""
    best = math.inf
    for _ in range(_TIMES):
        began = time.perf_counter()
        done = work()
        best = min(best, time.perf_counter() - began)
    return done, best


def _bytes(folder: Path) -> int:
    """Return the size of what has to be shipped: everything but the sample and the manifest."""
    kept = (file for file in folder.rglob("*") if file.is_file() and file.name not in (MANIFEST, *SAMPLE))
    return sum(file.stat().st_size for file in kept)


def _score_rows_of(pipeline: Pipeline, chosen: Chosen, settings: Settings) -> int:
    """Let the version score rows of the day; return how many, 0 when the day has none.

    Raises:
        GateError: It cannot score them, or a score is not what the label asks for.
    """
    from airloom.steps.columns import input_columns
    from airloom.steps.score import rows_to_score

    try:
        rows = rows_to_score(pipeline, chosen.partition, settings).head(ROWS)
    except NotDue:
        return 0
    try:
        model = ModelRegistry(settings, pipeline.name).load(chosen.version)
        predicted(pipeline.label, model, rows[input_columns(pipeline, settings)], f"Version {chosen.version}")
    except Unavailable:
        raise
    except Exception as error:
        raise GateError(
            f"Version {chosen.version} cannot score the rows of {chosen.partition}.",
            found=reason(error),
            do="choose another version",
        ) from error
    return len(rows)


def _proven(pipeline: Pipeline, partition: date, proof: Proof, rows: int = 0) -> Proven:
    if proof.problem:
        headline = f"version {proof.version} cannot serve: {proof.problem}"
    else:
        headline = f"version {proof.version} is what was trained: {counted(proof.rows, 'row')} predicted the same"
    return Proven(
        pipeline=pipeline.name,
        partition=partition,
        headline=headline + (f"; scored {counted(rows, 'row')} of {partition}" if rows else ""),
        proof=proof,
        rows=rows,
        inputs=(Dataset(name="model", version=str(proof.version)),),
    )
