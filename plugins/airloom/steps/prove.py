"""prove: a version that a person has chosen can be loaded, and scores real rows."""

from __future__ import annotations

from airloom.core.errors import GateError, NotDue
from airloom.core.pipeline import Pipeline
from airloom.core.records import Chosen, Proven
from airloom.core.settings import Settings
from airloom.stores.models import ModelRegistry

#: So many rows tell whether a model can score.
ROWS = 200


def prove(pipeline: Pipeline, chosen: Chosen, settings: Settings) -> Proven:
    """Load a version after verifying its files, and let it score rows of the day from which it is to be champion.

    Args:
        pipeline: The declaration.
        chosen: What is to become champion.
        settings: Where registry, lake and feature store are.

    Returns:
        How many rows it scored; 0 when the day has none.

    Raises:
        DataError: Its files are not what was trained.
        GateError: It does not exist, cannot score the rows, or a score is not a finite number.
    """
    import numpy as np

    from airloom.steps.columns import input_columns
    from airloom.steps.score import rows_to_score
    from airloom.steps.threads import fixed_threads

    model = ModelRegistry(settings, pipeline.name).load(chosen.version)
    try:
        rows = rows_to_score(pipeline, chosen.partition, settings).head(ROWS)
    except NotDue:
        return _proven(chosen, 0)
    try:
        with fixed_threads():
            scores = model.predict(rows[input_columns(pipeline, settings)])
    except Exception as error:
        raise GateError(
            f"Version {chosen.version} cannot score the rows of {chosen.partition}.",
            found=f"{type(error).__name__}: {str(error).splitlines()[0]}",
            do="choose another version",
        ) from error
    if not np.isfinite(scores).all():
        raise GateError(f"Version {chosen.version} gives scores of {chosen.partition} that are not finite numbers.")
    return _proven(chosen, len(rows))


def _proven(chosen: Chosen, rows: int) -> Proven:
    headline = f"version {chosen.version} is what was trained and scored {rows} rows of {chosen.partition}"
    return Proven(pipeline=chosen.pipeline, partition=chosen.partition, headline=headline, rows=rows)
