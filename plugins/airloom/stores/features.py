"""The pipeline's Feast feature store: its registry in the state database, its features in the lake and online."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import ModuleType
from typing import TYPE_CHECKING, Any

from airloom.core.errors import DeclarationError, SetupError
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.core.urls import without_credentials
from airloom.stores.database import connect_options
from airloom.stores.feast_loading import load_feast
from airloom.stores.lake import Lake
from airloom.stores.locks import exclusive
from airloom.stores.state import state_engine

if TYPE_CHECKING:
    from feast import Entity, FeatureStore, FeatureView
    from feast.infra.registry.base_registry import BaseRegistry

_CACHE_SECONDS = 600
_ONLINE = {
    "postgresql": "airloom.stores.online_postgres.GuardedPostgresOnlineStore",
    "postgresql+psycopg": "airloom.stores.online_postgres.GuardedPostgresOnlineStore",
    "redis": "airloom.stores.online_redis.GuardedRedisOnlineStore",
    "rediss": "airloom.stores.online_redis.GuardedRedisOnlineStore",
}

#: The registry that this process has opened last, by its database and project; it holds no connection.
_opened: dict[tuple[str, str], BaseRegistry] = {}


@dataclass(frozen=True)
class ViewDefinition:
    """What Feast knows of a feature view that its rows depend on.

    Args:
        keys: Its join keys, with the names of their Feast types.
        types: Its features, with the names of their Feast types.
        ttl: The age at which a feature is as good as missing; None when it never is.
    """

    keys: dict[str, str]
    types: dict[str, str]
    ttl: timedelta | None

    @classmethod
    def of(cls, view: FeatureView, keys: dict[str, str]) -> ViewDefinition:
        """Describe one of Feast's views; which keys it has is known otherwise before it is registered."""
        return cls(keys, {each.name: each.dtype.to_value_type().name for each in view.features}, view.ttl or None)


def open_feature_store(pipeline: Pipeline, settings: Settings, lake: Lake | None = None) -> FeatureStore:
    """Open the pipeline's feature store; opening changes nothing.

    Args:
        pipeline: The pipeline, whose views must have been applied.
        settings: Where everything is.
        lake: The lake as features are joined from it, at commits of its tables or without days of them.

    Raises:
        SetupError: The registry has no tables, or lacks a view.
    """
    store = _store(pipeline, settings, "verify", lake)
    from feast.infra.registry.sql import FeastRegistrySchemaError

    try:
        applied = _open_registry(store)
    except FeastRegistrySchemaError:
        applied = set()
    missing = sorted(set(pipeline.features.views) - applied)
    if missing:
        raise SetupError(
            "Feature views of the pipeline are not in the registry.",
            where=f"pipeline {pipeline.name}",
            found=", ".join(sorted(applied)) or "no view at all",
            expected=", ".join(missing),
            do="run: airloom apply",
        )
    return store


def apply_features(
    pipeline: Pipeline, settings: Settings, definitions: ModuleType | Sequence[Entity | FeatureView]
) -> bool:
    """Write the pipeline's feature definitions to the registry; the same again changes nothing.

    Args:
        pipeline: The pipeline.
        settings: Where everything is.
        definitions: The pipeline's features module, or the Feast entities and feature views themselves.

    Returns:
        Whether anything was changed.

    Raises:
        DeclarationError: The module and `pipeline.yaml` do not name the same views, a view is of entities that the
            module does not define, or it defines something that Airloom does not compute.
    """
    load_feast()
    found = _defined_in(definitions) if isinstance(definitions, ModuleType) else list(definitions)
    _require_views(pipeline, found)
    _require_entities(pipeline, found)
    with exclusive(settings, "features"):
        store = _store(pipeline, settings, "auto", None)
        before = _registered(store)
        store.apply(found)
        return _registered(store) != before


def registered_otherwise(store: FeatureStore, definitions: ModuleType) -> list[str]:
    """Return the names of views and entities that are not in the registry as they are defined.

    Args:
        store: The pipeline's feature store.
        definitions: The pipeline's features module.
    """
    registered = [_spec(each) for each in _listed(store)]
    defined = [_spec(each) for each in _defined_in(definitions)]
    for spec in (*registered, *defined):
        # Feast adds them when a definition is applied; what they are is defined by the entities.
        if "entity_columns" in spec.DESCRIPTOR.fields_by_name:
            spec.ClearField("entity_columns")
    return sorted({spec.name for spec in defined if spec not in registered})


def _open_registry(store: FeatureStore) -> set[str]:
    """Open a store's registry, or share the one that was opened last where it still is what is registered.

    Feast reads fourteen tables to open a registry, a connection each, and a step asks for features several times.

    Returns:
        The names of the registered views.

    Raises:
        FeastRegistrySchemaError: The registry has no tables.
    """
    place = (store.config.registry.path, store.project)
    store._registry = _opened.pop(place, None)
    now = _contents(store, allow_cache=False)
    if now != _contents(store, allow_cache=True):
        store._registry = None
    _opened.clear()
    _opened[place] = store.registry
    return {name for kind, name, _ in now if kind == "FeatureView"}


def _contents(store: FeatureStore, allow_cache: bool) -> set[tuple[str, str, bytes]]:
    """Return the views and entities that are registered, or those that the registry has kept in memory."""
    found = [*store.list_feature_views(allow_cache=allow_cache), *store.list_entities(allow_cache=allow_cache)]
    return {(type(each).__name__, each.name, each.to_proto().SerializeToString(deterministic=True)) for each in found}


def _registered(store: FeatureStore) -> list[bytes]:
    """Return the pipeline's definitions that are registered, in a form that can be compared."""
    return sorted(_spec(each).SerializeToString(deterministic=True) for each in _listed(store))


def _listed(store: FeatureStore) -> list[Entity | FeatureView]:
    return [*store.list_feature_views(allow_cache=False), *store.list_entities(allow_cache=False)]


def _spec(definition: Entity | FeatureView) -> Any:
    """Return what a definition says, without Feast's times."""
    spec = definition.to_proto().spec
    if "batch_source" in spec.DESCRIPTOR.fields_by_name:
        spec.batch_source.ClearField("meta")
    return spec


def defined_views(pipeline: Pipeline, definitions: ModuleType) -> dict[str, ViewDefinition]:
    """Return every view of a pipeline as a module defines it.

    Raises:
        DeclarationError: The module lacks a view, or an entity of one.
    """
    load_feast()
    from feast import Entity, FeatureView

    found = _defined_in(definitions)
    entities = {each.name: each for each in found if isinstance(each, Entity)}
    views = {each.name: each for each in found if isinstance(each, FeatureView)}
    if set(pipeline.features.views) - set(views):
        _require_views(pipeline, found)
    _require_entities(pipeline, found)
    return {
        name: ViewDefinition.of(
            views[name], {entities[each].join_key: entities[each].value_type.name for each in views[name].entities}
        )
        for name in pipeline.features.views
    }


def online_config(settings: Settings) -> dict[str, Any]:
    """Return Feast's configuration of the online store: a server's, or by default that of a file.

    Args:
        settings: Where everything is.

    Raises:
        SetupError: The URL is neither PostgreSQL's nor Redis's.
    """
    if not settings.online_url:
        return {"type": "airloom.stores.online_sqlite.GuardedSqliteOnlineStore", "path": str(settings.online)}
    from pydantic import SecretStr

    store = _ONLINE.get(settings.online_url.partition("://")[0])
    if store is None:
        raise SetupError(
            "This is not a place where features can be kept online.",
            where="AIRLOOM_ONLINE_URL",
            found=without_credentials(settings.online_url),
            expected=" or ".join(f"{scheme}://…" for scheme in _ONLINE) + "; nothing for a SQLite file in var",
        )
    return {"type": store, "url": SecretStr(settings.online_url)}


def _store(pipeline: Pipeline, settings: Settings, schema_mode: str, lake: Lake | None) -> FeatureStore:
    load_feast()
    from feast import FeatureStore

    # The first connection turns on SQLite's write-ahead log, which the registry's own connections then use.
    state_engine(settings.state_url).connect().close()
    return FeatureStore(config=_config(pipeline, settings, schema_mode, lake))


def _config(pipeline: Pipeline, settings: Settings, schema_mode: str, lake: Lake | None) -> Any:
    """Return Feast's configuration; its own lineage, MLflow and telemetry integrations stay off."""
    from feast import RepoConfig

    return RepoConfig(
        project=pipeline.name,
        provider="local",
        registry={
            "registry_type": "sql",
            "path": settings.state_url,
            "schema_mode": schema_mode,
            "cache_ttl_seconds": _CACHE_SECONDS,
            "sqlalchemy_config_kwargs": connect_options(settings.state_url),
            # A task that was killed leaves its view "materializing"; its features stay readable.
            "serve_features_while_materializing": True,
        },
        offline_store={
            "type": "airloom.stores.offline.LakeOfflineStore",
            "lake": str(settings.lake / pipeline.name),
            "commits": dict(lake.commits) if lake else {},
            "left_out": {table: list(days) for table, days in lake.left_out.items()} if lake else {},
        },
        online_store=online_config(settings),
        batch_engine={"type": "airloom.stores.engine.LakeEngine"},
        entity_key_serialization_version=3,
        # Naive times are refused by the offline store, not taken for UTC.
        coerce_tz_aware=False,
    )


def _defined_in(module: ModuleType) -> list[Entity | FeatureView]:
    """Return what a module defines, by names of its own or in lists.

    Raises:
        DeclarationError: It defines something of Feast's that would be computed by nobody.
    """
    from feast import Entity, FeatureView, OnDemandFeatureView, StreamFeatureView

    found: list[Entity | FeatureView] = []
    for value in vars(module).values():
        for each in value if isinstance(value, list | tuple) else (value,):
            if isinstance(each, OnDemandFeatureView | StreamFeatureView):
                raise DeclarationError(
                    f"Airloom does not compute a {type(each).__name__}.",
                    where=f"{module.__name__}, {each.name}",
                    do="compute its features in the SQL of a view, or in the model",
                )
            if isinstance(each, Entity | FeatureView) and not any(each is known for known in found):
                found.append(each)
    return found


def _require_entities(pipeline: Pipeline, definitions: Sequence[Entity | FeatureView]) -> None:
    """Make sure that every entity that a view names is defined beside it.

    Raises:
        DeclarationError: One is not.
    """
    from feast import Entity, FeatureView

    entities = {each.name for each in definitions if isinstance(each, Entity)}
    for view in (each for each in definitions if isinstance(each, FeatureView)):
        if missing := sorted(set(view.entities) - entities):
            raise DeclarationError(
                "A feature view is of entities that its module does not define.",
                where=f"{pipeline.features.module}, feature view {view.name}",
                found=", ".join(sorted(entities)) or "no entity at all",
                expected=", ".join(missing),
                do="define or import the entities in the module; a view without any entity cannot be joined",
            )


def _require_views(pipeline: Pipeline, definitions: Sequence[Entity | FeatureView]) -> None:
    from feast import FeatureView

    defined = {each.name for each in definitions if isinstance(each, FeatureView)}
    declared = set(pipeline.features.views)
    if defined != declared:
        raise DeclarationError(
            "The features module and pipeline.yaml do not name the same views.",
            where=f"{pipeline.features.module}, pipeline {pipeline.name}",
            found=", ".join(sorted(defined)) or "no view at all",
            expected=", ".join(sorted(declared)),
            do="define each view under its name in both",
        )
