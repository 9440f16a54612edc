"""Registers a pipeline's feature definitions, and compares them: part of a deployment, never of a task."""

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
    """
    from airloom.stores.features import apply_features

    return apply_features(pipeline, settings, _definitions(settings, pipeline))


def differing_features(settings: Settings, pipeline: Pipeline) -> list[str]:
    """Return the names of what is not registered as the pipeline's folder defines it; nothing is changed.

    Args:
        settings: The places of the installation.
        pipeline: The pipeline.

    Raises:
        SetupError: The registry has no tables, or lacks a view.
        DeclarationError: The module that defines the features cannot be imported.
    """
    from airloom.stores.features import open_feature_store, registered_otherwise

    store = open_feature_store(pipeline, settings)
    return registered_otherwise(store, _definitions(settings, pipeline))


def _definitions(settings: Settings, pipeline: Pipeline) -> ModuleType:
    from airloom.steps.references import load_reference
    from airloom.stores.feast_loading import load_feast

    load_feast()
    definitions: ModuleType = load_reference(pipeline.features.module, settings.project)
    return definitions
