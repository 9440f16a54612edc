"""Training sets of three pipelines whose labels come late: what plain loops say, in whatever order days arrive."""

import shutil
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from airloom.core.errors import DataError, DeclarationError
from airloom.core.partitions import as_of
from airloom.core.pipeline import Pipeline, Window
from airloom.steps.assemble import assemble
from airloom.steps.columns import input_columns
from airloom.steps.compute import compute
from airloom.steps.examples import DAY
from airloom.steps.label import compute_labels
from airloom.steps.references import load_reference
from airloom.steps.score import rows_to_score
from airloom.steps.training import train
from airloom.steps.training_sets import SPLIT, read_file, read_rows
from airloom.stores.lake import Lake
from tests.worlds.installation import project_at, publish, settings_at
from tests.worlds.late_labels.days import (
    NAMES,
    PROJECT,
    arrive,
    days_until,
    declared,
    first_night,
    ingest,
    installed,
)
from tests.worlds.late_labels.reference import training_set

pytestmark = pytest.mark.usefixtures("module_include")


def last_night(pipeline):
    return first_night(pipeline) + timedelta(days=1)


def frame_of(training, settings):
    return read_file(settings.training / training.path).frame


def versions(training):
    return [(each.name, each.partition, each.version) for each in training.inputs]


@pytest.fixture(scope="module")
def forwards(tmp_path_factory, module_include):
    """The folder of each pipeline, by name: the days of its first two nights, one after the other."""
    folders = {name: tmp_path_factory.mktemp(name) for name in NAMES}
    for name, folder in folders.items():
        pipeline = declared(name)
        arrive(pipeline, days_until(pipeline, last_night(pipeline)), installed(name, folder))
    return folders


@pytest.fixture
def copied(forwards, tmp_path):
    """Copy the folder of a pipeline for a test that changes it."""

    def copy(name):
        shutil.copytree(forwards[name], tmp_path, dirs_exist_ok=True)
        return settings_at(tmp_path, project=PROJECT)

    return copy


@pytest.mark.parametrize("night", [first_night, last_night])
@pytest.mark.parametrize("name", NAMES)
def test_a_training_set_is_what_plain_loops_say(name, night, forwards):
    pipeline, settings = declared(name), settings_at(forwards[name], project=PROJECT)
    expected = training_set(pipeline, night(pipeline))
    found = frame_of(assemble(pipeline, night(pipeline), settings), settings)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    assert found[SPLIT].nunique() == 2


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("examples", [3, pytest.param(60, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def test_the_order_in_which_days_arrive_changes_nothing(name, examples, forwards, tmp_path_factory):
    """Some days come twice, some are wrong at first, and some have their features computed at the very end."""
    pipeline = declared(name)
    night, days = first_night(pipeline), days_until(pipeline, first_night(pipeline))
    expected = assemble(pipeline, night, settings_at(forwards[name], project=PROJECT))

    @hypothesis_settings(max_examples=examples, deadline=None, database=None)
    @given(
        again=st.lists(st.tuples(st.sampled_from(days), st.booleans()), min_size=1, max_size=4),
        later=st.lists(st.sampled_from(days), unique=True),
        order=st.sampled_from(["forwards", "backwards", "shuffled"]),
        random=st.randoms(use_true_random=False),
    )
    def arrives(again, later, order, random):
        arrivals = sorted([*days, *(day for day, _ in again)], reverse=order == "backwards")
        if order == "shuffled":
            random.shuffle(arrivals)
        settings = installed(name, tmp_path_factory.mktemp(name))
        arrive(pipeline, arrivals, settings, {day for day, wrong in again if wrong}, later)
        found = assemble(pipeline, night, settings)
        assert (found.digest, versions(found)) == (expected.digest, versions(expected))

    arrives()


def with_label(pipeline, **changes):
    return pipeline.model_copy(update={"label": pipeline.label.model_copy(update=changes)})


def test_labels_by_a_query_are_what_was_known_when_each_day_was_mature(copied):
    pipeline, settings = declared("churn"), copied("churn")
    night = last_night(pipeline)
    queried = with_label(pipeline, table=None, sql=Path("sql/churned.sql"), reads=("outcomes",))
    compute_labels(queried, night, settings)
    found = frame_of(assemble(queried, night, settings), settings)
    expected = training_set(pipeline, night, known_when_mature=True)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    assert not found["churned"].equals(frame_of(assemble(pipeline, night, settings), settings)["churned"])


def test_whoever_has_no_outcome_has_stayed_also_on_days_without_any(tmp_path):
    pipeline, settings = with_label(declared("churn"), missing="negative"), installed("churn", tmp_path)
    night = first_night(pipeline)
    arrive(pipeline, days_until(pipeline, night)[::-1], settings, source="leavers")
    outcomes = Lake(settings.lake / "churn").read("raw.outcomes", days_until(pipeline, night), [DAY])
    found = frame_of(assemble(pipeline, night, settings), settings)
    pd.testing.assert_frame_equal(found, training_set(pipeline, night, "leavers"), check_dtype=False)
    assert outcomes[DAY].nunique() < len(days_until(pipeline, night))
    assert set(found["churned"]) == {0.0, 1.0}


def test_a_day_without_the_partitions_of_its_outcomes_is_left_out_and_nobody_has_stayed(copied):
    pipeline, settings = declared("churn"), copied("churn")
    train = pipeline.train.model_copy(update={"window": Window(min="9d", max="11d")})
    negative = with_label(pipeline, missing="negative").model_copy(update={"train": train})
    night = last_night(pipeline)
    whole = frame_of(assemble(negative, night, settings), settings)
    gap = pipeline.schedule.start + timedelta(days=2)
    shutil.rmtree(settings.lake / "churn" / "raw" / "outcomes")
    for day in days_until(pipeline, night):
        if day != gap:
            ingest(pipeline, day, settings)
    training = assemble(negative, night, settings)
    left = frame_of(training, settings)
    assert set(whole[DAY]) - set(left[DAY]) == {gap - timedelta(days=2), gap - timedelta(days=1)}
    assert training.dropped["on days with gaps"] > 0


@pytest.mark.parametrize("name", NAMES)
def test_training_has_joined_what_is_scored(name, forwards):
    pipeline, settings = declared(name), settings_at(forwards[name], project=PROJECT)
    trained = frame_of(assemble(pipeline, last_night(pipeline), settings), settings)
    key = list(pipeline.tables[pipeline.score.entities].key)
    columns = [*key, *input_columns(pipeline, settings)]
    for day, rows in trained.groupby(DAY):
        scored = rows_to_score(pipeline, day, settings)
        assert pipeline.label.column not in scored
        found = rows[key].merge(scored, on=key, validate="one_to_one")[columns]
        pd.testing.assert_frame_equal(found, rows[columns].reset_index(drop=True))


def test_a_leaver_who_was_not_noticed_until_the_night_has_stayed(forwards):
    pipeline, settings = declared("churn"), settings_at(forwards["churn"], project=PROJECT)
    night, became = first_night(pipeline), load_reference("include.churn.source:became", PROJECT)
    rows = frame_of(assemble(pipeline, night, settings), settings)
    told = became(scored_day(pipeline))
    later = told[told["known_at"] > as_of(night, pipeline.schedule.timezone)]
    found = rows.query("airloom_split == 'holdout'").merge(later, on="customer_id", suffixes=("", "_later"))
    assert set(found["churned"]) == {0.0}
    assert set(found["churned_later"]) == {1.0}


def test_one_day_that_was_sold_labels_the_forecasts_of_several_days(forwards):
    pipeline, settings = declared("demand"), settings_at(forwards["demand"], project=PROJECT)
    rows = frame_of(assemble(pipeline, last_night(pipeline), settings), settings)
    labels = rows.groupby(["shop", "product", "target_day"])["sold"]
    assert set(labels.size()) == {1, 2, 3}
    assert set(labels.nunique()) == {1}


@pytest.mark.parametrize("name", NAMES)
def test_its_candidate_learns_and_predicts(name, forwards):
    pipeline, settings = declared(name), settings_at(forwards[name], project=PROJECT)
    rows = read_rows(assemble(pipeline, first_night(pipeline), settings), "train", settings)
    [(candidate, declared_so)] = pipeline.train.candidates.items()
    trained = train(pipeline, candidate, load_reference(declared_so.fit, PROJECT), rows, Unlogged())
    assert len(trained.outputs) == len(rows.frame)


class Unlogged:
    """A log that keeps nothing."""

    def log(self, metrics, step):
        pass


def replaced(settings, pipeline, table, day, change):
    """Publish a day of a table again, with its rows changed."""
    rows = Lake(settings.lake / pipeline.name).read(table, [day])
    publish(settings, pipeline.name, table, day, change(rows))


def scored_day(pipeline):
    """The newest day of the first night's training set, which is held out."""
    return first_night(pipeline) - pipeline.label.matures_after


@pytest.mark.parametrize("stamp", ["as_of", "known_at"])
def test_a_feature_that_is_stamped_after_the_day_is_refused_and_not_scored_with(copied, stamp):
    pipeline, settings = declared("churn"), copied("churn")
    day = scored_day(pipeline)
    moment = pd.Timestamp(as_of(day, pipeline.schedule.timezone)) + pd.Timedelta("1us")
    later = {stamp: moment, "known_at": moment, "visits_mean_3d": 1000.0}
    replaced(settings, pipeline, "features.habits", day, lambda rows: rows.assign(**later))
    with pytest.raises(DataError, match="Features are from after the end of their day") as refused:
        assemble(pipeline, first_night(pipeline), settings)
    assert refused.value.where == f"features.habits of {day}"
    assert rows_to_score(pipeline, day, settings)["habits__visits_mean_3d"].max() < 1000


@pytest.mark.parametrize(("name", "column"), [("churn", "visits"), ("demand", "price"), ("spam", "links")])
def test_a_correction_of_a_scored_row_that_came_after_the_day_is_not_learned_from(copied, name, column):
    pipeline, settings = declared(name), copied(name)
    day, table = scored_day(pipeline), pipeline.tables[pipeline.score.entities]
    before = assemble(pipeline, first_night(pipeline), settings)
    rows = frame_of(before, settings)
    corrected = rows.loc[rows[DAY] == day, list(table.key)].head(3)
    moment = pd.Timestamp(as_of(day, pipeline.schedule.timezone)) + pd.Timedelta("1us")

    def correct(rows):
        here = rows.merge(corrected, on=list(table.key), how="left", indicator=True)["_merge"] == "both"
        values = {column: rows[column].mask(here, 1000), table.known_at: rows[table.known_at].mask(here, moment)}
        return rows.assign(**values)

    replaced(settings, pipeline, f"raw.{pipeline.score.entities}", day, correct)
    compute(pipeline, day, settings)
    after = assemble(pipeline, first_night(pipeline), settings)
    late = [each.dropped["known too late to be scored"] for each in (before, after)]
    assert late[1] - late[0] == 3
    rows = frame_of(after, settings)
    assert rows.select_dtypes("number").max().max() < 1000
    assert rows.merge(corrected, on=list(table.key)).empty or name == "demand"


def test_a_correction_of_what_features_are_made_from_counts_from_the_day_on_which_it_is_known(copied):
    pipeline, settings = declared("demand"), copied("demand")
    day = scored_day(pipeline)
    known = pd.Timestamp(as_of(day, pipeline.schedule.timezone)) + pd.Timedelta("1us")
    recounted = {"counted_at": known, "sold": 100_000.0}
    before = day - timedelta(days=1)
    replaced(settings, pipeline, "raw.sales", before, lambda rows: rows.assign(**recounted))
    compute(pipeline, before, settings)
    feature = "recent_sales__sold_mean_5d"
    assert rows_to_score(pipeline, day, settings)[feature].max() < 100
    assert rows_to_score(pipeline, day + timedelta(days=1), settings)[feature].max() > 1000
    rows = frame_of(assemble(pipeline, first_night(pipeline), settings), settings)
    assert rows[feature].max() < 100


@pytest.mark.parametrize("name", NAMES)
def test_a_label_among_the_inputs_is_refused_by_name(name):
    pipeline = declared(name)
    document = pipeline.model_dump(mode="json")
    document["train"]["inputs"]["numeric"] += [pipeline.label.column]
    with pytest.raises(ValidationError, match=f"'{pipeline.label.column}' is the label"):
        Pipeline.model_validate(document)


def blocking(pipeline):
    return pipeline.model_copy(update={"train": pipeline.train.model_copy(update={"leak": "block"})})


def test_a_label_in_disguise_is_found_by_name(copied, caplog):
    """The visits of leavers are overwritten when they have left."""
    pipeline, settings = declared("churn"), copied("churn")
    living, end = (load_reference(f"include.churn.source:{name}", PROJECT) for name in ("living", "end"))
    for day in days_until(pipeline, scored_day(pipeline)):
        customers = living(day)
        left = customers[customers["left_at"] <= end(day + pipeline.label.horizon)]["customer_id"]

        def overwrite(rows, left=left):
            return rows.assign(visits=rows["visits"].mask(rows["customer_id"].isin(left), 99))

        replaced(settings, pipeline, "raw.customers", day, overwrite)
    leaks = assemble(pipeline, first_night(pipeline), settings).leaks
    assert ("visits", "separation") in [(leak.column, leak.sign) for leak in leaks]
    assert "visits separates the label by itself" in caplog.text
    with pytest.raises(DataError, match="Columns seem to know the label churned"):
        assemble(blocking(pipeline), first_night(pipeline), settings)


def test_a_profile_that_leavers_have_deleted_is_found_by_name(copied, caplog):
    pipeline, settings = declared("churn"), copied("churn")
    training = assemble(pipeline, first_night(pipeline), settings)
    assert [(leak.column, leak.sign) for leak in training.leaks] == [("profile__age", "missingness")]
    assert "profile__age" in caplog.text
    with pytest.raises(DataError) as refused:
        assemble(blocking(pipeline), first_night(pipeline), settings)
    assert refused.value.found.startswith("the label differs where profile__age is missing")


@pytest.mark.parametrize("name", ["demand", "spam"])
def test_nothing_is_found_where_nothing_is_planted(name, forwards):
    pipeline, settings = declared(name), settings_at(forwards[name], project=PROJECT)
    assert assemble(blocking(pipeline), first_night(pipeline), settings).leaks == ()


def test_a_view_cannot_read_the_label_of_its_rows(copied, tmp_path):
    pipeline, settings = declared("spam"), copied("spam")
    shutil.copytree(settings.include / "spam", tmp_path / "include" / "spam")
    sql = "SELECT domain, avg(spam) AS links_mean_3d, count(spam) AS messages_3d FROM messages GROUP BY domain"
    (tmp_path / "include" / "spam" / "sql" / "domains.sql").write_text(sql)
    with pytest.raises(DeclarationError, match="The SQL of the feature view domains cannot be run"):
        compute(pipeline, scored_day(pipeline), project_at(tmp_path))
