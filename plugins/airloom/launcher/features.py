"""Checks and registers a pipeline's features, and compares them: part of a deployment, never of a task."""

from __future__ import annotations

from types import ModuleType

from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings


def apply_pipeline(settings: Settings, pipeline: Pipeline) -> bool:
    """Bring Feast's registry in line with what a pipeline's folder defines.

    Args:
        settings: The places of the installation.
        pipeline: The pipeline.

    Returns:
        Whether anything was changed.

    Raises:
        DeclarationError: The features module cannot be imported or names other views, or a query is not repeatable.
        DataError: A column that is read is gone from the newest day of a table.
    """
    from airloom.steps.gone_columns import require_used_columns_in_newest
    from airloom.stores.features import apply_features

    _require_queries(settings, pipeline)
    require_used_columns_in_newest(pipeline, settings)
    return apply_features(pipeline, settings, _definitions(settings, pipeline))


def differing_features(settings: Settings, pipeline: Pipeline) -> list[str]:
    """Return the names of what is not registered as the pipeline's folder defines it; nothing is changed.

    Args:
        settings: The places of the installation.
        pipeline: The pipeline.

    Raises:
        SetupError: The registry has no tables, or lacks a view.
        DeclarationError: The module that defines the features cannot be imported, or a query is not repeatable.
    """
    from airloom.stores.features import open_feature_store, registered_otherwise

    _require_queries(settings, pipeline)
    store = open_feature_store(pipeline, settings)
    return registered_otherwise(store, _definitions(settings, pipeline))


def _require_queries(settings: Settings, pipeline: Pipeline) -> None:
    """Make sure that the query of every view, and of the label, is a function of its tables."""
    from airloom.steps.repeatable import read_query

    queries = {f"the feature view {name}": view.sql for name, view in pipeline.features.views.items()}
    if pipeline.label.sql is not None:
        queries["the label"] = pipeline.label.sql
    for subject, sql in queries.items():
        file = settings.include / pipeline.name / sql
        read_query(file.read_text(encoding="utf-8"), subject, f"include/{pipeline.name}/{sql}")


def _definitions(settings: Settings, pipeline: Pipeline) -> ModuleType:
    from airloom.steps.references import load_reference
    from airloom.stores.feast_loading import load_feast

    load_feast()
    definitions: ModuleType = load_reference(pipeline.features.module, settings.project)
    return definitions
