"""What models read: the inputs of a row and the features of its entities, in one stable order."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from airloom.core.errors import DataError, DeclarationError
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.stores.lake import Lake

if TYPE_CHECKING:
    import pandas as pd

_ROW = "airloom_row"
_MOMENT = "event_timestamp"


class ModelColumns(BaseModel):
    """The columns that models read.

    Args:
        categorical: Those that hold words.
        numeric: Those that hold numbers.
    """

    model_config = ConfigDict(frozen=True)

    categorical: tuple[str, ...]
    numeric: tuple[str, ...]

    @property
    def all(self) -> list[str]:
        """Every column, in the order in which models read them."""
        return [*self.categorical, *self.numeric]


def model_columns(pipeline: Pipeline, settings: Settings) -> ModelColumns:
    """Return the declared inputs, followed by the features of every declared view.

    A feature is called `<view>__<feature>`; those that Feast knows as strings are categorical.
    """
    store = _store(pipeline, settings)
    from feast.types import String

    words: list[str] = []
    numbers: list[str] = []
    for view in feature_views(pipeline, store):
        for feature in view.features:
            (words if feature.dtype == String else numbers).append(f"{view.name}__{feature.name}")
    inputs = pipeline.train.inputs
    return ModelColumns(categorical=(*inputs.categorical, *words), numeric=(*inputs.numeric, *numbers))


def input_columns(pipeline: Pipeline, settings: Settings) -> list[str]:
    """Return the names of the columns that models read."""
    return model_columns(pipeline, settings).all


def join_features(
    pipeline: Pipeline,
    settings: Settings,
    rows: pd.DataFrame,
    moment: datetime | pd.Series[Any],
    lake: Lake,
) -> pd.DataFrame:
    """Add to every row what was known of its entities at a moment, through Feast.

    Args:
        pipeline: The declaration.
        settings: Where the feature store is.
        rows: The rows, with the join keys of every view as columns.
        moment: The instant whose knowledge may be used, one for all rows or one for each.
        lake: The tables, as they are read: without stale features, or at recorded commits.

    Returns:
        The same rows in the same order, numbered anew, with the features after their own columns.

    Raises:
        DataError: An input or a join key is missing, or rows were lost or doubled.
    """
    import pandas as pd

    store = _store(pipeline, settings, lake)
    views = feature_views(pipeline, store)
    entities = _entities(pipeline, rows, views)
    moments = moment.array if isinstance(moment, pd.Series) else moment
    entities[_MOMENT] = pd.DatetimeIndex(pd.to_datetime(pd.Series(moments, index=entities.index), utc=True))
    features = [f"{view.name}:{feature.name}" for view in views for feature in view.features]
    joined = store.get_historical_features(entities, features, full_feature_names=True).to_df()
    _require_same_rows(len(rows), joined)
    names = [feature.replace(":", "__", 1) for feature in features]
    ordered = joined.sort_values(_ROW, ignore_index=True)[names]
    return pd.concat([rows.reset_index(drop=True), ordered], axis=1)


def join_keys(views: list[Any]) -> list[str]:
    """Return the columns that the entities of feature views are found by."""
    return sorted({key.name for view in views for key in view.entity_columns})


def _entities(pipeline: Pipeline, rows: pd.DataFrame, views: list[Any]) -> pd.DataFrame:
    """Number the rows and keep their join keys."""
    keys = join_keys(views)
    inputs = pipeline.train.inputs
    missing = [name for name in dict.fromkeys([*keys, *inputs.categorical, *inputs.numeric]) if name not in rows]
    if missing:
        raise DataError(
            "Rows lack columns that models read or that features are joined by.",
            where=f"pipeline {pipeline.name}",
            found=", ".join(rows.columns),
            expected=", ".join(missing),
            do="add them to the table, or correct `train.inputs` or the join keys of the Feast entities",
        )
    return rows[keys].reset_index(drop=True).rename_axis(_ROW).reset_index()


def _require_same_rows(expected: int, joined: pd.DataFrame) -> None:
    if len(joined) != expected or joined[_ROW].nunique() != expected:
        raise DataError(
            "The feature join lost or doubled rows.",
            found=f"{len(joined)} rows, {joined[_ROW].nunique()} different ones",
            expected=f"{expected} rows",
            do="look for duplicate keys in the feature tables",
        )


def _store(pipeline: Pipeline, settings: Settings, lake: Lake | None = None) -> Any:
    from airloom.stores.features import open_feature_store

    return open_feature_store(pipeline, settings, lake)


def feature_views(pipeline: Pipeline, store: Any) -> list[Any]:
    """Return Feast's definitions of the declared views, in the declared order."""
    from feast.errors import FeatureViewNotFoundException

    try:
        return [store.get_feature_view(name) for name in pipeline.features.views]
    except FeatureViewNotFoundException as error:
        raise DeclarationError(
            "A declared feature view has no Feast definition.",
            where=pipeline.features.module,
            found=str(error),
            do=f"define it in {pipeline.features.module}, then apply the definitions",
        ) from error
