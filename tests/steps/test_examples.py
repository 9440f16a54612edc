"""Scored rows and their labels: matched by key, within the horizon, as they were known as of a day."""

from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from airloom.core.errors import DataError
from airloom.core.partitions import as_of, day_range
from airloom.core.pipeline import Pipeline
from airloom.steps.examples import DAY, add_labels, describe_label, scored_rows
from airloom.stores.lake import Lake
from tests.worlds.installation import declaration, publish, settings_at

ZONE = "Europe/Berlin"
START, NIGHT = date(2024, 3, 20), date(2024, 4, 2)  # The clocks change between them.
CUSTOMERS = ("ann", "bob", "cas")


def churn(**label):
    """Customers are looked at every day; within three days some leave, which is known a day later at most."""
    tables = {
        "customers": {
            "key": ["customer", "day"],
            "time": "seen_at",
            "known_at": "seen_at",
            "expectations": "none.yaml",
        },
        "leavers": {"key": ["customer", "day"], "time": "left_at", "known_at": "told_at", "expectations": "none.yaml"},
    }
    declared = declaration(
        "churn",
        schedule={"nightly": "02:00", "timezone": ZONE, "start": START},
        tables=tables,
        features={"module": "none", "views": {"v": {"reads": "customers", "window": "7d", "sql": "v.sql"}}},
        label={"table": "leavers", "column": "left", "horizon": "3d", "delay": "1d", **label},
        train={"window": "9d", "holdout": "2d", "inputs": {}, "candidates": {"one": {"fit": "none:none"}}},
        score={"entities": "customers"},
    )
    return Pipeline.model_validate(declared)


def seen_on(day, customers=CUSTOMERS):
    at = pd.Timestamp(as_of(day, ZONE)) - pd.Timedelta(hours=1)
    return pd.DataFrame({"customer": customers, "day": day.isoformat(), "seen_at": at, "visits": range(len(customers))})


def outcome(customer, day, left=1.0, after="1h", told="1h"):
    """A row of the label's table: when it happened after the end of the day, and when it was told after that."""
    left_at = pd.Timestamp(as_of(day, ZONE)) + pd.Timedelta(after)
    row = {"customer": customer, "day": day.isoformat(), "left_at": left_at, "left": left}
    return row | {"told_at": left_at + pd.Timedelta(told)}


@pytest.fixture
def lake(tmp_path):
    """Every day's customers, and one day's outcomes: partition by partition, whoever calls `tell` adds more."""
    settings = settings_at(tmp_path)
    for day in day_range(START, NIGHT):
        publish(settings, "churn", "raw.customers", day, seen_on(day))
    return settings


def tell(settings, day, *outcomes):
    publish(settings, "churn", "raw.leavers", day, pd.DataFrame(list(outcomes)))


def labelled(settings, days, night=NIGHT, pipeline=None):
    pipeline, lake = pipeline or churn(), Lake(settings.lake / "churn")
    rows, _ = scored_rows(pipeline, days, lake)
    found, dropped = add_labels(pipeline, rows, night, lake)
    return {(row.customer, getattr(row, DAY)): row.left for row in found.itertuples()}, dropped


S = date(2024, 3, 25)


def test_a_label_is_found_by_its_key_wherever_it_was_published(lake):
    tell(lake, S + timedelta(days=1), outcome("ann", S))
    tell(lake, S + timedelta(days=4), outcome("bob", S, 0.0, after="71h", told="20h"))
    found, dropped = labelled(lake, [S])
    assert found == {("ann", S): 1.0, ("bob", S): 0.0}
    assert dropped == {"without a label": 1, "label outside its horizon": 0}


@pytest.mark.parametrize(("after", "counts"), [("0s", False), ("1us", True), ("71h", True), ("71h1us", False)])
def test_an_outcome_lies_after_the_as_of_and_within_the_horizon(lake, after, counts):
    """Three days of the calendar, one of which has 23 hours."""
    night = date(2024, 3, 30)
    tell(lake, night + timedelta(days=1), outcome("ann", night, after=after, told="0s"))
    found, dropped = labelled(lake, [night], date(2024, 4, 3))
    assert (("ann", night) in found, dropped["label outside its horizon"]) == (counts, 0 if counts else 1)


def test_the_newest_known_correction_counts_and_one_that_is_known_later_does_not(lake):
    first, second, third = S + timedelta(days=1), S + timedelta(days=2), NIGHT
    tell(lake, first, outcome("ann", S, 1.0))
    tell(lake, second, outcome("ann", S, 0.0, told="30h"))
    tell(lake, third, outcome("ann", S, 1.0, told=str(pd.Timestamp(as_of(NIGHT, ZONE)) - pd.Timestamp(as_of(S, ZONE)))))
    assert labelled(lake, [S])[0] == {("ann", S): 0.0}
    assert labelled(lake, [S], S + timedelta(days=1))[0] == {("ann", S): 1.0}


def test_a_label_that_is_taken_back_is_none(lake):
    tell(lake, S + timedelta(days=1), outcome("ann", S), outcome("bob", S))
    tell(lake, S + timedelta(days=2), outcome("ann", S, None, told="30h"))
    assert labelled(lake, [S])[0] == {("bob", S): 1.0}


def test_no_outcome_is_the_negative_class_where_that_is_declared(lake):
    tell(lake, S + timedelta(days=1), outcome("ann", S), outcome("bob", S, after="80h", told="0s"))
    found, dropped = labelled(lake, [S], pipeline=churn(missing="negative"))
    assert found == {("ann", S): 1.0, ("bob", S): 0.0, ("cas", S): 0.0}
    assert set(dropped.values()) == {0}


def test_days_without_outcomes_are_days_on_which_nobody_left(lake):
    pipeline = churn(missing="negative")
    assert pipeline.allows_empty("leavers")
    for day in day_range(S + timedelta(days=1), NIGHT):
        publish(lake, "churn", "raw.leavers", day, pd.DataFrame())
    assert set(labelled(lake, [S], pipeline=pipeline)[0].values()) == {0.0}
    tell(lake, S + timedelta(days=1), outcome("ann", S))
    assert labelled(lake, [S], pipeline=pipeline)[0] == {("ann", S): 1.0, ("bob", S): 0.0, ("cas", S): 0.0}


def test_a_day_on_which_nobody_is_looked_at_has_no_rows_to_score(tmp_path):
    settings = settings_at(tmp_path)
    publish(settings, "churn", "raw.customers", S, pd.DataFrame())
    rows, late = scored_rows(churn(), [S], Lake(settings.lake / "churn"))
    assert (len(rows), late) == (0, 0)


def test_a_key_without_a_day_is_refused_where_the_same_is_scored_on_several(lake):
    days = day_range(S, S + timedelta(days=1))
    tell(lake, S + timedelta(days=1), outcome("ann", S))
    with pytest.raises(DataError, match="does not tell them apart") as error:
        labelled(lake, days, pipeline=churn(key=["customer"]))
    assert error.value.do == "add day to `label.key`"
    assert labelled(lake, [S], pipeline=churn(key=["customer"]))[0] == {("ann", S): 1.0}


def test_a_day_that_says_nothing_of_the_look_does_not_tell_looks_apart(lake):
    """The day on which a customer has joined is the same in every look."""
    for day in (days := day_range(S, S + timedelta(days=1))):
        publish(lake, "churn", "raw.customers", day, seen_on(day).assign(joined="2023-06-01"))
    tell(lake, S + timedelta(days=1), outcome("ann", S) | {"joined": "2023-06-01"})
    with pytest.raises(DataError, match="does not tell them apart") as error:
        labelled(lake, days, pipeline=churn(key=["customer", "joined"]))
    assert error.value.do == "add day to `label.key`"


def test_a_key_of_another_type_is_refused_by_name(lake):
    tell(lake, S + timedelta(days=1), outcome("ann", S) | {"day": S})
    with pytest.raises(DataError, match="has another type") as error:
        labelled(lake, [S])
    assert (error.value.where, error.value.found) == ("pipeline churn, column day", "date32[day] in raw.leavers")
    assert error.value.expected == "string, as in raw.customers"


def test_a_key_of_other_columns_is_refused_with_what_the_table_has(lake):
    tell(lake, S + timedelta(days=1), outcome("ann", S))
    with pytest.raises(DataError) as error:
        labelled(lake, [S], pipeline=churn(key=["customer", "visits"]))
    assert (error.value.where, error.value.expected) == ("pipeline churn, table leavers", "visits")


def test_several_days_share_the_label_of_the_day_that_they_predict(tmp_path):
    settings = settings_at(tmp_path)
    target = S + timedelta(days=2)
    tables = {
        name: {"key": ["store", "target"], "time": "at", "known_at": "known_at", "expectations": "none.yaml"}
        for name in ("forecasts", "sales")
    }
    declared = churn(key=["store", "target"]).model_dump(mode="json") | {"tables": tables}
    declared["label"] |= {"table": "sales", "column": "sold", "kind": "regression"}
    declared |= {"score": {"entities": "forecasts"}, "gate": {"metric": "r2"}}
    declared["features"]["views"]["v"]["reads"] = "sales"
    pipeline = Pipeline.model_validate(declared)
    for day in day_range(S, target - timedelta(days=1)):
        rows = pd.DataFrame({"store": ["north"], "target": [target], "known_at": pd.Timestamp(as_of(day, ZONE))})
        publish(settings, "churn", "raw.forecasts", day, rows.assign(at=rows["known_at"]))
    moment = pd.Timestamp(as_of(target, ZONE)) - pd.Timedelta(hours=2)
    sold = pd.DataFrame({"store": ["north"], "target": [target], "at": moment, "known_at": moment, "sold": 7.0})
    publish(settings, "churn", "raw.sales", target, sold)
    lake = Lake(settings.lake / "churn")
    rows, _ = scored_rows(pipeline, day_range(S, target - timedelta(days=1)), lake)
    found, _ = add_labels(pipeline, rows, NIGHT, lake)
    assert list(zip(found[DAY], found["sold"], strict=True)) == [(S, 7.0), (S + timedelta(days=1), 7.0)]


def test_a_label_that_was_split_off_its_row_is_that_of_the_same_day(tmp_path):
    settings = settings_at(tmp_path)
    pipeline = churn(table="customers", column="spam")
    for day in day_range(S, S + timedelta(days=1)):
        publish(settings, "churn", "raw.customers", day, seen_on(day))
        publish(settings, "churn", "labels", day, seen_on(day)[["customer", "day"]].assign(spam=[0.0, 1.0, None]))
    lake = Lake(settings.lake / "churn")
    rows, _ = scored_rows(pipeline, day_range(S, S + timedelta(days=1)), lake)
    found, dropped = add_labels(pipeline, rows, NIGHT, lake)
    assert list(found["spam"]) == [0.0, 1.0, 0.0, 1.0]
    assert dropped["without a label"] == 2


def described(settings, customer, day, pipeline=None):
    pipeline, lake = pipeline or churn(), Lake(settings.lake / "churn")
    rows, _ = scored_rows(pipeline, [day], lake)
    return describe_label(pipeline, rows[rows["customer"] == customer], lake)


def test_the_label_of_a_row_is_described_with_its_times_and_where_it_was_published(lake):
    tell(lake, S + timedelta(days=1), outcome("ann", S))
    tell(lake, S + timedelta(days=4), outcome("ann", S, 0.0, told="73h"))
    assert described(lake, "ann", S) == {
        "label": "0.0",
        "label from": "raw.leavers 2024-03-29",
        "label happened": "2024-03-26 00:00:00 UTC",
        "label known": "2024-03-29 01:00:00 UTC",
        "label complete": "as of 2024-03-29",
    }


def test_a_row_without_a_label_says_whether_it_may_still_get_one(lake):
    tell(lake, S + timedelta(days=3), outcome("ann", S))
    negative = churn(missing="negative")
    for pipeline in (churn(), negative):
        assert described(lake, "bob", S, pipeline) == {"label": "not known yet", "label complete": "as of 2024-03-29"}
    tell(lake, S + timedelta(days=4), outcome("ann", S))
    assert described(lake, "bob", S)["label"] == "without a label"
    assert described(lake, "bob", S, negative)["label"] == "0.0"


def test_a_label_that_was_known_before_its_row_was_scored_is_refused(lake):
    tell(lake, S + timedelta(days=1), outcome("ann", S) | {"told_at": pd.Timestamp(as_of(S, ZONE))})
    with pytest.raises(DataError, match="known before the rows") as error:
        labelled(lake, [S])
    assert error.value.found == "1 of 3 rows"


OUTCOMES = st.lists(
    st.tuples(
        st.sampled_from(CUSTOMERS),
        st.integers(0, 4),  # the day after START that it is about
        st.sampled_from([0.0, 1.0, None]),
        st.integers(-10, 90),  # hours after that day's end
        st.integers(0, 60),  # hours until it is told
    ),
    min_size=1,
    max_size=25,
)


@hypothesis_settings(max_examples=25, deadline=None)
@given(OUTCOMES, st.integers(0, 2), st.randoms())
def test_labels_are_those_of_a_plain_loop_in_whatever_order_they_arrive(tmp_path_factory, outcomes, late, random):
    """Each row arrives on the day on which it is told, or some days later; the newest that was told counts."""
    settings = settings_at(tmp_path_factory.mktemp("churn"))
    days = day_range(START, START + timedelta(days=4))
    for day in days:
        publish(settings, "churn", "raw.customers", day, seen_on(day))
    told, arrived = [], {}
    for number, (customer, place, left, hours, more) in enumerate(outcomes):
        row = outcome(customer, days[place], left, f"{hours}h", f"{more * 60 + number}min")
        day = row["told_at"].tz_convert(ZONE).date() + timedelta(days=random.randint(0, late))
        told.append((row, day))
        arrived.setdefault(day, []).append(row)
    for day in random.sample(sorted(arrived), len(arrived)):
        tell(settings, day, *arrived[day])
    night = days[-1] + timedelta(days=5)
    expected = {}
    for customer in CUSTOMERS:
        for day in days:
            mine = [
                (row["told_at"], came, row)
                for row, came in told
                if (row["customer"], row["day"]) == (customer, day.isoformat())
                and days[0] < came <= night
                and row["told_at"] <= as_of(night, ZONE)
            ]
            if mine:
                row = max(mine, key=lambda each: each[:2])[2]
                until = as_of(day + timedelta(days=3), ZONE)
                if row["left"] is not None and as_of(day, ZONE) < row["left_at"] <= until:
                    expected[customer, day] = row["left"]
    if not any(days[0] < came <= night for _, came in told):
        return
    assert labelled(settings, days, night)[0] == expected
