"""A derived partition is current or it is not used, tried on two pipelines: sales and messages."""

import shutil
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import pyarrow as pa
import pytest
from feast import Field
from feast.types import Float64

from airloom.cli.console import console
from airloom.cli.impact import print_stale
from airloom.core.declaration import find_pipeline
from airloom.core.errors import DataError, NotDue
from airloom.core.partitions import day_range
from airloom.core.pipeline import Pipeline, View
from airloom.core.settings import Settings
from airloom.launcher.features import apply_pipeline
from airloom.launcher.status import read_status
from airloom.lineage.events import Version
from airloom.lineage.walk import Branch
from airloom.steps import assemble as assemble_step
from airloom.steps.assemble import assemble
from airloom.steps.compute import compute, compute_stale
from airloom.steps.heal import heal_features
from airloom.steps.inputs import FeatureInputs
from airloom.steps.materialize import materialize
from airloom.steps.readiness import readiness, scored_days
from airloom.steps.references import load_reference
from airloom.steps.score import rows_to_score
from airloom.steps.staleness import Staleness
from airloom.stores.features import apply_features, open_feature_store
from airloom.stores.lake import Lake
from airloom.stores.partition_columns import PARTITION_COLUMNS
from airloom.stores.quarantine import Quarantine
from airloom.stores.source import lake_view
from tests.worlds.installation import project_at, publish
from tests.worlds.late_labels.days import PROJECT
from tests.worlds.prepared import TOY

pytestmark = pytest.mark.usefixtures("module_include")

FOLDERS = {"toy": TOY, "spam": PROJECT / "include" / "spam"}
VIEWS = {"toy": "store_returns", "spam": "domains"}
#: What another count is called in the SQL of each.
CHANGED = ("count(*)", "1000 + count(*)")
TWICE = ("GROUP BY store", "GROUP BY store, sale_id")


@dataclass(frozen=True)
class World:
    """A pipeline in a project of its own, with published days and features up to a night."""

    name: str
    settings: Settings
    pipeline: Pipeline

    @property
    def lake(self):
        return Lake(self.settings.lake / self.name)

    @property
    def days(self):
        return day_range(self.pipeline.schedule.start, self.night)

    @property
    def night(self):
        newest = self.pipeline.schedule.start + self.pipeline.train.window.min
        return newest + self.pipeline.label.matures_after

    @property
    def view(self):
        return VIEWS[self.name]

    @property
    def entities(self):
        return self.pipeline.score.entities

    def edit(self, change):
        file = self.settings.include / self.name / self.pipeline.features.views[self.view].sql
        file.write_text(file.read_text().replace(*change))

    def compute(self):
        """Compute every day's features with what is declared and published now."""
        inputs = FeatureInputs.read(self.pipeline, self.settings)
        compute_stale(inputs, self.lake, [(view, day) for view in inputs.features for day in self.days], self.settings)

    def published(self):
        return {
            (view, day): version.version
            for view in self.pipeline.features.views
            for day, version in self.lake.partitions(f"features.{view}").items()
        }

    def correct(self, day):
        table, column = {"toy": ("raw.sales", "price"), "spam": ("raw.messages", "links")}[self.name]
        rows = self.lake.read(table, [day])
        if self.name == "toy":
            rows, column = rows.iloc[::2], "store"
            rows = rows.assign(store=rows[column].replace("north", "west"))
        else:
            rows = rows.assign(**{column: rows[column] + 5})
        publish(self.settings, self.name, table, day, rows)

    def with_views(self, views):
        """Declare other views; Feast knows them by the definitions of the entity that is there."""
        features = self.pipeline.features.model_copy(update={"views": views})
        return replace(self, pipeline=self.pipeline.model_copy(update={"features": features}))

    def define(self, *more, fields=None):
        """Register what the pipeline's module defines, with other fields of its view, and more views."""
        known = vars(load_reference(self.pipeline.features.module, self.settings.project)).values()
        entities = [each for each in known if type(each).__name__ == "Entity"]
        views = [each for each in known if type(each).__name__ == "FeatureView" and each.name == self.view]
        schema = fields(views[0].schema) if fields else views[0].schema
        features = [each for each in schema if each.name not in {key.name for key in views[0].entity_columns}]
        changed = lake_view(self.view, entities=entities, ttl=views[0].ttl, schema=features)
        added = [lake_view(name, entities=entities, ttl=views[0].ttl, schema=schema) for name, schema in more]
        apply_features(self.pipeline, self.settings, [*entities, changed, *added])


@pytest.fixture(scope="module")
def made(tmp_path_factory, module_include):
    """A project of both pipelines, with what their sources say of each day and the features of it."""
    folder = tmp_path_factory.mktemp("project")
    for name, own in FOLDERS.items():
        shutil.copytree(own, folder / "include" / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "include" / "__init__.py").touch()
    for name in FOLDERS:
        world = world_at(name, folder)
        apply_pipeline(world.settings, world.pipeline)
        for day in world.days:
            publish_raw(world, day)
        world.compute()
    return folder


def world_at(name, folder):
    return World(name, project_at(folder), find_pipeline(folder / "include", name))


def publish_raw(world, day):
    """Publish what the source says of a day; a label in the scored row is kept apart, as `publish` does."""
    label, key = world.pipeline.label, list(world.pipeline.tables[world.entities].key)
    for table, rows in load_reference(world.pipeline.source, world.settings.project)(day).items():
        if table == label.table == world.entities:
            publish(world.settings, world.name, "labels", day, rows[[*key, label.column]])
            rows = rows.drop(columns=label.column)
        publish(world.settings, world.name, f"raw.{table}", day, rows)


@pytest.fixture(params=FOLDERS)
def world(request, made, tmp_path):
    return copied(request.param, made, tmp_path / "world")


@pytest.fixture
def sales(made, tmp_path):
    return copied("toy", made, tmp_path / "world")


def copied(name, made, folder):
    shutil.copytree(made, folder)
    return world_at(name, folder)


def always(world, folder):
    """The same days in an installation that never had anything else than what is declared and published now."""
    shutil.copytree(world.settings.project, folder)
    other = replace(world, settings=project_at(folder))
    shutil.rmtree(other.settings.lake / world.name / "features")
    other.compute()
    return other


def assert_trained_as_always(world, folder):
    """Training reads what an installation reads that was always like this, and leaves its window healed."""
    other = always(world, folder)
    training = assemble(world.pipeline, world.night, world.settings)
    assert training.digest == assemble(other.pipeline, other.night, other.settings).digest
    assert not training.left_out
    window = scored_days(world.pipeline, world.night)
    assert not Staleness.read(world.pipeline, world.settings).before(window)
    return training


def test_nothing_is_stale_while_nothing_changes(world):
    assert not Staleness.read(world.pipeline, world.settings).everywhere()
    before = world.published()
    assert "healed" not in assemble(world.pipeline, world.night, world.settings).headline
    assert world.published() == before


def test_a_training_set_after_the_sql_has_changed_is_that_of_the_new_sql(world, tmp_path):
    before = assemble(world.pipeline, world.night, world.settings)
    world.edit(CHANGED)
    stale = Staleness.read(world.pipeline, world.settings).everywhere()
    assert stale == [(world.view, day) for day in world.days]
    training = assert_trained_as_always(world, tmp_path / "always")
    assert training.digest != before.digest
    assert "healed" in training.headline
    healed = {(each.name, each.partition) for each in training.outputs if each.name.startswith("features.")}
    assert healed >= {(f"features.{world.view}", day) for day in scored_days(world.pipeline, world.night)}


def test_a_training_set_after_a_correction_is_of_what_is_published(world, tmp_path):
    world.correct(scored_days(world.pipeline, world.night)[1])
    assert_trained_as_always(world, tmp_path / "always")


def test_a_training_set_after_the_look_back_has_changed_is_of_the_new_one(world, tmp_path):
    view = world.pipeline.features.views[world.view]
    world = world.with_views({world.view: view.model_copy(update={"window": timedelta(days=1)})})
    assert_trained_as_always(world, tmp_path / "always")


def test_features_are_stale_once_their_declared_type_is_another(world):
    column = {"toy": "store_sales", "spam": "messages_3d"}[world.name]
    world.define(fields=lambda fields: [Field(name=each.name, dtype=Float64) for each in fields])
    assert Staleness.read(world.pipeline, world.settings).everywhere() == [(world.view, day) for day in world.days]
    training = assemble(world.pipeline, world.night, world.settings)
    assert f"{world.view}__{column}" in training.outputs[-1].columns
    assert not Staleness.read(world.pipeline, world.settings).before(scored_days(world.pipeline, world.night))


def test_a_view_that_is_added_is_computed_for_the_days_of_the_others_and_one_that_is_gone_is_not_read(sales, tmp_path):
    (sales.settings.include / "toy" / "sql" / "prices.sql").write_text(
        "SELECT store, max(price) AS p FROM plan GROUP BY 1"
    )
    added = View.model_validate({"reads": "plan", "window": "1d", "sql": "sql/prices.sql"})
    both = sales.with_views({**sales.pipeline.features.views, "prices": added})
    both.define(("prices", [Field(name="p", dtype=Float64)]))
    missing = readiness(both.pipeline, "train", both.night, both.settings)
    assert missing.settled, missing
    training = assert_trained_as_always(both, tmp_path / "always")
    assert "prices__p" in training.outputs[-1].columns
    assert sales.view in {view for view, _ in both.published()}
    again = assemble(sales.pipeline, sales.night, sales.settings)
    assert "prices__p" not in again.outputs[-1].columns
    assert "healed" not in again.headline


def test_more_than_a_minute_of_healing_ends_with_the_days_and_the_command(sales, monkeypatch):
    sales.edit(CHANGED)
    monkeypatch.setattr("airloom.steps.heal._TOGETHER", 2)
    monkeypatch.setattr(assemble_step, "heal_features", partial(heal_features, limit=timedelta(0)))
    with pytest.raises(NotDue) as ended:
        assemble(sales.pipeline, sales.night, sales.settings)
    left = Staleness.read(sales.pipeline, sales.settings).before(scored_days(sales.pipeline, sales.night))
    first, last = str(left[0][1]), str(left[-1][1])
    assert first in str(ended.value)
    assert f"airloom backfill toy --stage features --from {first} --to {last} --reprocess completed" in ended.value.do


def test_what_is_stale_and_left_is_neither_scored_with_nor_trained_on(sales):
    sales.edit(TWICE)  # Every key comes twice: no day can be computed.
    healed = heal_features(sales.pipeline, [sales.night], sales.settings)
    assert (healed.days, healed.refused, healed.left) == ((), tuple(sales.days), ())
    joined = rows_to_score(sales.pipeline, sales.night, sales.settings)
    assert joined["store_returns__store_sales"].isna().all()
    with pytest.raises(NotDue, match="has gaps: 0 of 3 days"):
        assemble(sales.pipeline, sales.night, sales.settings)


def test_a_day_that_compute_refuses_is_blocked_with_the_reason_until_it_is_computed(sales):
    day, settings = sales.night, sales.settings
    shutil.rmtree(settings.lake / "toy" / "features")
    sales.edit(TWICE)
    with pytest.raises(DataError, match="several rows for an entity"):
        compute(sales.pipeline, day, settings)
    quarantine = Quarantine(settings.quarantine / "toy")
    assert "several rows for an entity" in quarantine.reason("features.store_returns", day).reasons[0]
    state = readiness(sales.pipeline, "score", day, settings)
    assert (state.settled, state.blocked) == (True, (f"features.store_returns {day}",))
    sales.edit(TWICE[::-1])
    compute(sales.pipeline, day, settings)
    assert quarantine.reason("features.store_returns", day) is None
    assert not Staleness.read(sales.pipeline, settings).everywhere()


def test_another_day_that_is_refused_stops_no_partition(sales):
    day, other = sales.night, sales.night - timedelta(days=2)
    rows = sales.lake.read("raw.sales", [other])
    publish(sales.settings, "toy", "raw.sales", other, rows.assign(store=None))
    sales.edit(("store, count(*)", "coalesce(store, 'north') AS store, count(*)"))
    computed = compute(sales.pipeline, day, sales.settings)
    assert f"refused 2 other days from {other} on" in computed.headline
    assert Staleness.read(sales.pipeline, sales.settings).on(day) == []
    assert (sales.view, other) in Staleness.read(sales.pipeline, sales.settings).everywhere()


def test_what_is_healed_is_online_and_no_older_day_replaces_a_newer_one(sales):
    for day in sales.days:
        materialize(sales.pipeline, day, sales.settings)
    sales.edit(CHANGED)
    heal_features(sales.pipeline, [sales.night - timedelta(days=1)], sales.settings)
    assert online(sales) < 1000
    heal_features(sales.pipeline, [sales.night], sales.settings)
    assert online(sales) > 1000


def online(world):
    store = open_feature_store(world.pipeline, world.settings)
    return store.get_online_features(["store_returns:store_sales"], [{"store": "north"}]).to_dict()["store_sales"][0]


def test_features_that_carry_no_fingerprint_are_taken_as_they_are(sales):
    table = f"features.{sales.view}"
    for day in sales.days:
        rows = pa.table(sales.lake.dataset(table, [day]).to_table()).drop_columns(PARTITION_COLUMNS)
        publish(sales.settings, "toy", table, day, rows)
    sales.edit(CHANGED)
    assert not Staleness.read(sales.pipeline, sales.settings).everywhere()


def test_status_names_stale_days_by_view_and_counts_none_of_them(world):
    assert read_status(world.pipeline, world.settings).stale == {}
    corrected = world.night
    world.correct(corrected)
    status = read_status(world.pipeline, world.settings)
    assert status.stale == {world.view: (corrected,)}
    counts = {stage.stage: stage.partitions for stage in status.stages}
    assert (counts["ingest"], counts["features"]) == (len(world.days), len(world.days) - 1)


def test_the_impact_of_a_day_names_what_of_it_is_stale(sales, monkeypatch, capsys):
    monkeypatch.setattr(console, "width", 200)
    table = "toy/features.store_returns"
    nodes = tuple((Version(table, str(day), "v"), None) for day in sales.days)
    root = Branch("toy/raw.sales", (), (Branch(table, nodes),))
    print_stale(sales.pipeline, root, sales.settings)
    assert capsys.readouterr().out == ""
    sales.correct(sales.night)
    print_stale(sales.pipeline, root, sales.settings)
    assert f"features.store_returns: {sales.night}; to heal: airloom backfill toy" in capsys.readouterr().out
