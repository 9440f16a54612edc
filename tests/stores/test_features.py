import importlib
import multiprocessing
import sqlite3
from datetime import timedelta
from types import ModuleType

import pytest
from feast import Entity, FeatureView, Field
from feast.types import Float64

from airloom.core.errors import DeclarationError, SetupError
from airloom.stores.features import ViewDefinition, apply_features, defined_views, open_feature_store
from airloom.stores.ledger import Ledger
from airloom.stores.source import LakeSource, lake_view
from tests.worlds.feature_lake import (
    DAY,
    TTL,
    definitions,
    drivers,
    online,
    open_small,
    publish_view,
    small_pipeline,
    write_window,
)
from tests.worlds.installation import settings_at
from tests.worlds.processes import run_at_once


@pytest.fixture
def settings(tmp_path):
    return settings_at(tmp_path)


def test_opening_before_applying_says_what_to_run(settings):
    with pytest.raises(SetupError) as refused:
        open_feature_store(small_pipeline(), settings)
    assert refused.value.expected == "driver, leg"
    assert refused.value.do == "run: airloom apply"


def test_what_was_applied_is_what_is_opened(settings):
    store = open_small(settings)
    view = store.get_feature_view("driver")
    assert {each.name for each in store.list_feature_views()} == {"driver", "leg"}
    assert (view.ttl, view.batch_source) == (TTL, LakeSource(table="features.driver"))
    assert [field.name for field in view.entity_columns] == ["driver_id"]


def test_applying_again_changes_nothing(settings):
    def registry():
        with sqlite3.connect(settings.var / "state" / "airloom.db") as connection:
            rows = connection.execute("SELECT * FROM feature_views ORDER BY 1").fetchall()
        connection.close()
        return rows

    apply_features(small_pipeline(), settings, definitions())
    first = registry()
    apply_features(small_pipeline(), settings, definitions())
    assert registry() == first


def test_applying_again_is_no_change_also_once_days_are_online(settings):
    store = open_small(settings)
    publish_view(settings, "driver", DAY, drivers(DAY, {"ann": 1.0}))
    write_window(store, DAY)
    assert not apply_features(small_pipeline(), settings, definitions())


def test_applying_again_keeps_what_is_online_readable(settings):
    store = open_small(settings)
    publish_view(settings, "driver", DAY, drivers(DAY, {"ann": 1.0}))
    write_window(store, DAY)
    changed = [each for each in definitions() if each.name != "driver" or isinstance(each, Entity)]
    fields = [Field(name="rate", dtype=Float64), Field(name="extra", dtype=Float64)]
    entities = [each for each in definitions() if isinstance(each, Entity)]
    changed.append(lake_view("driver", entities=[entities[0]], ttl=timedelta(days=9), schema=fields))
    apply_features(small_pipeline(), settings, changed)
    again = open_feature_store(small_pipeline(), settings)
    assert online(again, ["ann"]) == [1.0]
    assert online(again, ["ann"], "driver:extra") == [None]


def test_a_view_that_is_declared_and_not_defined_is_named(settings):
    only = [each for each in definitions() if each.name != "leg"]
    with pytest.raises(DeclarationError) as refused:
        apply_features(small_pipeline(), settings, only)
    assert (refused.value.found, refused.value.expected) == ("driver", "driver, leg")


def test_a_view_that_is_defined_and_not_declared_is_named(settings):
    more = [*definitions(), FeatureView(name="more", entities=[], source=LakeSource(table="features.more"))]
    with pytest.raises(DeclarationError) as refused:
        apply_features(small_pipeline(), settings, more)
    assert refused.value.found == "driver, leg, more"


def test_a_module_is_applied_by_what_it_defines(settings):
    module = type(multiprocessing)("module")
    for number, each in enumerate(definitions()):
        setattr(module, f"definition_{number}", each)
    module.FeatureView = FeatureView
    apply_features(small_pipeline(), settings, module)
    assert len(open_feature_store(small_pipeline(), settings).list_feature_views()) == 2


def test_what_a_module_defines_in_lists_is_applied_too(settings):
    module = ModuleType("module")
    module.entities = [each for each in definitions() if isinstance(each, Entity)]
    module.views = tuple(each for each in definitions() if isinstance(each, FeatureView))
    apply_features(small_pipeline(), settings, module)
    store = open_feature_store(small_pipeline(), settings)
    assert {each.name for each in store.list_entities()} >= {each.name for each in module.entities}


def test_an_entity_that_a_view_has_and_the_module_has_not_is_named(settings):
    with pytest.raises(DeclarationError, match="entities that its module does not define") as refused:
        apply_features(small_pipeline(), settings, [each for each in definitions() if isinstance(each, FeatureView)])
    assert "feature view driver" in refused.value.where


def test_what_nobody_would_compute_is_refused_by_name(settings):
    from feast.on_demand_feature_view import on_demand_feature_view

    module = ModuleType("module")
    module.views = [each for each in definitions() if isinstance(each, FeatureView)]

    @on_demand_feature_view(sources=module.views[:1], schema=[Field(name="doubled", dtype=Float64)], mode="pandas")
    def doubled(inputs):
        return inputs

    module.doubled = doubled
    with pytest.raises(DeclarationError, match="does not compute a OnDemandFeatureView") as refused:
        apply_features(small_pipeline(), settings, module)
    assert refused.value.where == "module, doubled"


def test_ledger_and_registry_share_a_database(settings):
    assert Ledger(settings.state_url).history("small") == []
    store = open_small_here(settings)
    assert Ledger(settings.state_url).history("small") == []
    assert len(store.list_feature_views()) == 2
    with sqlite3.connect(settings.var / "state" / "airloom.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
def test_no_table_of_the_registry_has_the_name_of_one_of_mlflows():
    importlib.import_module("mlflow.store.tracking.dbmodels.models")
    importlib.import_module("mlflow.store.model_registry.dbmodels.models")
    mlflow = importlib.import_module("mlflow.store.db.base_sql_model").Base.metadata.tables
    feast = importlib.import_module("feast.infra.registry.sql").metadata.tables
    assert set(mlflow) & set(feast) == set()
    assert {"experiments", "registered_models"} <= set(mlflow)


def open_small_here(settings):
    apply_features(small_pipeline(), settings, definitions())
    return open_feature_store(small_pipeline(), settings)


def test_a_registry_is_read_anew_only_where_something_else_is_registered(settings):
    first, second = open_small(settings), open_feature_store(small_pipeline(), settings)
    assert second.registry is first.registry
    driver, *others = definitions()
    changed = FeatureView(
        name="leg",
        entities=others[:2],
        ttl=2 * TTL,
        schema=[Field(name="minutes", dtype=Float64)],
        source=LakeSource(table="features.leg"),
    )
    apply_features(small_pipeline(), settings, [driver, *others[:3], changed])
    third = open_feature_store(small_pipeline(), settings)
    assert third.registry is not first.registry
    assert third.registry.get_feature_view("leg", "small", allow_cache=True).ttl == 2 * TTL


def test_pipelines_have_a_registry_each(settings):
    open_small(settings)
    with pytest.raises(SetupError):
        open_feature_store(small_pipeline("another"), settings)


def apply_here(folder):
    apply_features(small_pipeline(), settings_at(folder), definitions())


def test_several_processes_can_be_first(settings):
    assert run_at_once(apply_here, *[(settings.var.parent,)] * 3) == [0, 0, 0]
    assert len(open_feature_store(small_pipeline(), settings).list_feature_views()) == 2


def test_views_are_described_as_a_module_defines_them():
    module = ModuleType("definitions")
    for each in definitions():
        setattr(module, f"{type(each).__name__}_{each.name}", each)
    assert defined_views(small_pipeline(), module) == {
        "driver": ViewDefinition({"driver_id": "STRING"}, {"rate": "DOUBLE", "trips": "INT64", "home": "STRING"}, TTL),
        "leg": ViewDefinition({"start": "STRING", "end_zone": "INT64"}, {"minutes": "DOUBLE"}, TTL),
    }
    del module.Entity_end
    with pytest.raises(DeclarationError, match="does not define") as refused:
        defined_views(small_pipeline(), module)
    assert (refused.value.where, refused.value.expected) == ("none, feature view leg", "end")
