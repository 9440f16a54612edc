"""Registers a pipeline's feature definitions: part of a deployment, never of a task."""

from __future__ import annotations

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
    from airloom.stores.feast_loading import load_feast

    load_feast()
    from feast import Entity, FeatureView

    from airloom.steps.references import load_reference
    from airloom.stores.features import apply_features

    module = load_reference(pipeline.features.module, settings.project)
    definitions = [each for each in vars(module).values() if isinstance(each, (Entity, FeatureView))]
    return apply_features(pipeline, settings, definitions)
