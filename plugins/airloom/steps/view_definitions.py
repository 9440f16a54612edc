"""The feature views as Feast knows them now: as registered, or else as the pipeline's module defines them."""

from __future__ import annotations

from airloom.core.errors import SetupError, Unavailable
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.steps.columns import feature_views
from airloom.steps.references import load_reference
from airloom.stores.features import ViewDefinition, defined_views, open_feature_store


def view_definitions(pipeline: Pipeline, settings: Settings) -> dict[str, ViewDefinition]:
    """Return the definition of every declared view, by name.

    Args:
        pipeline: The declaration.
        settings: Where registry and project are.

    Raises:
        DeclarationError: The views are not registered, and the module that defines them cannot be used.
        Unavailable: The registry does not answer.
    """
    try:
        views = feature_views(pipeline, open_feature_store(pipeline, settings))
    except Unavailable:
        raise
    except SetupError:  # The first day may be computed before anything is applied.
        return defined_views(pipeline, load_reference(pipeline.features.module, settings.project))
    return {
        view.name: ViewDefinition.of(view, {key.name: key.dtype.to_value_type().name for key in view.entity_columns})
        for view in views
    }
