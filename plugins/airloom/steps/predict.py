"""predict: what a model says about rows, as the columns of the predictions table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from airloom.core.pipeline import Pipeline
from airloom.core.reserved import PREFIX
from airloom.core.settings import Settings
from airloom.steps.columns import input_columns
from airloom.steps.outputs import predicted, to_columns
from airloom.steps.replay import load_proven

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: The column sets: by the champion as of the day, and by the champion of now.
AS_OF, CURRENT = "", "current_"


def predict(
    pipeline: Pipeline, joined: pd.DataFrame, models: Mapping[str, int | None], settings: Settings
) -> pd.DataFrame:
    """Predict with one or several versions, each into its own column set.

    Args:
        pipeline: The declaration.
        joined: The rows with their features.
        models: The version by column set; None leaves its columns without values.
        settings: Where models and the feature store are.

    Returns:
        Keys and time of the rows, and with the prefix the columns of every set: `score` (with several classes
        `score_<class>` and `predicted`) and `model_version`.

    Raises:
        GateError: There is no such version, or its files were changed.
        DataError: A version is not any more what was promoted, or what it predicts is not what the label asks for.
    """
    import pandas as pd

    declared = pipeline.tables[pipeline.score.entities]
    predictions = joined[list(dict.fromkeys([*declared.key, declared.time]))].copy()
    inputs = joined[input_columns(pipeline, settings)]
    outputs = {version: _outputs(pipeline, version, inputs, settings) for version in dict.fromkeys(models.values())}
    for kind, version in models.items():
        prefix = f"{PREFIX}{kind}"
        columns = to_columns(pipeline.label, f"{prefix}score", outputs[version])
        for name, values in columns.items():
            predictions[name] = pd.Series(values, index=predictions.index, dtype=float)
        if pipeline.label.kind == "multiclass":
            predictions[f"{prefix}predicted"] = _most_probable(pipeline, predictions[list(columns)])
        predictions[f"{prefix}model_version"] = pd.Series(version, index=predictions.index, dtype="Int64")
    return predictions


def _outputs(pipeline: Pipeline, version: int | None, inputs: pd.DataFrame, settings: Settings) -> np.ndarray | None:
    if version is None:
        return None
    return predicted(pipeline.label, load_proven(pipeline, version, settings), inputs, f"Version {version}")


def _most_probable(pipeline: Pipeline, scores: pd.DataFrame) -> pd.Series:
    """Return the class with the highest probability, nothing where there are no scores."""
    import pandas as pd

    classes = dict(zip(scores.columns, pipeline.label.classes, strict=True))
    known = scores.dropna()
    return known.idxmax(axis=1).map(classes).reindex(scores.index).astype(pd.StringDtype())
