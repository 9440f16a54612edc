"""What the newest known value of a series predicts, against plain loops over what was published."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from airloom.core.partitions import as_of
from airloom.core.pipeline import Pipeline
from airloom.steps.assemble import assemble
from airloom.steps.baselines import predict_baselines
from airloom.steps.examples import DAY, scored_rows
from airloom.steps.series import predict_by_series
from airloom.steps.training_sets import read_file
from airloom.stores.lake import Lake
from tests.worlds.late_labels.days import arrive, days_until, declared, first_night, installed

DEMAND = declared("demand")
NIGHT = first_night(DEMAND) + timedelta(days=3)


@pytest.fixture(scope="module")
def settings(tmp_path_factory, module_include):
    settings = installed("demand", tmp_path_factory.mktemp("demand"))
    arrive(DEMAND, days_until(DEMAND, NIGHT), settings)
    return settings


@pytest.fixture(scope="module")
def rows(settings):
    days = days_until(DEMAND, NIGHT)[-3:]
    return scored_rows(DEMAND, days, Lake(settings.lake / "demand"))[0]


def expected(settings, rows, weekday):
    """Look at every published value for every row."""
    sales = Lake(settings.lake / "demand").read("raw.sales", days_until(DEMAND, NIGHT))
    found = []
    for row in rows.itertuples():
        known = sales[
            (sales["shop"] == row.shop)
            & (sales["product"] == row.product)
            & (pd.to_datetime(sales["counted_at"]) <= as_of(getattr(row, DAY), DEMAND.schedule.timezone))
        ].dropna(subset=["sold"])
        if weekday:
            local = pd.to_datetime(known["sold_at"], utc=True).dt.tz_convert(DEMAND.schedule.timezone)
            known = known[local.dt.weekday == pd.Timestamp(row.target_day).weekday()]
        newest = known.sort_values(["sold_at", "counted_at"], kind="stable")["sold"]
        found.append(newest.iloc[-1] if len(newest) else -1.0)
    return np.array(found)


def test_a_series_is_predicted_by_what_was_known_last_as_of_each_day(settings, rows):
    found = predict_by_series(DEMAND, rows, Lake(settings.lake / "demand"), np.full(len(rows), -1.0))
    np.testing.assert_array_equal(found["latest"], expected(settings, rows, weekday=False))
    np.testing.assert_array_equal(found["same_weekday"], expected(settings, rows, weekday=True))
    assert (found["latest"] >= 0).all()
    assert (found["same_weekday"] != found["latest"]).any()


def test_rows_keep_their_values_in_whatever_order_they_are(settings, rows):
    lake, otherwise = Lake(settings.lake / "demand"), np.arange(len(rows)) - 1e6
    shuffled = np.random.default_rng(5).permutation(len(rows))
    found = predict_by_series(DEMAND, rows, lake, otherwise)
    again = predict_by_series(DEMAND, rows.iloc[shuffled], lake, otherwise[shuffled])
    for name, values in found.items():
        np.testing.assert_array_equal(again[name], values[shuffled])


def test_a_row_whose_series_has_no_value_yet_gets_what_is_given(settings, rows):
    new, lake, otherwise = np.arange(len(rows)) % 2 == 0, Lake(settings.lake / "demand"), np.arange(len(rows)) * 1e6
    foreign = rows.assign(shop=rows["shop"].where(~new, "a shop that has just opened"))
    found = predict_by_series(DEMAND, foreign, lake, otherwise)
    np.testing.assert_array_equal(found["latest"][new], otherwise[new])
    np.testing.assert_array_equal(found["latest"][~new], expected(settings, rows, weekday=False)[~new])
    assert predict_by_series(DEMAND, rows.assign(shop="a shop that has just opened"), lake, otherwise) == {}


def test_both_are_among_the_baselines_of_a_training(settings):
    training = assemble(DEMAND, NIGHT, settings)
    learned, held_out = (read_file(settings.training / training.path, split) for split in ("train", "holdout"))
    found = predict_baselines(DEMAND, learned, held_out.frame, Lake(settings.lake / "demand", training.lake))
    assert found.keys() == {"constant", "linear", "latest", "same_weekday"}
    assert all(np.isfinite(each).all() and len(each) == len(held_out.frame) for each in found.values())


def test_another_series_can_be_declared(settings, rows):
    by_product = with_label(series="product")
    found = predict_by_series(by_product, rows, Lake(settings.lake / "demand"), np.full(len(rows), -1.0))
    one = rows["product"] == rows["product"].iloc[0]
    assert all(len(set(found["latest"][one & (rows[DAY] == day)])) == 1 for day in set(rows[DAY]))
    assert by_product.digest != DEMAND.digest


@pytest.mark.parametrize("name", ["churn", "spam"])
def test_classes_make_no_series(name, rows):
    assert predict_by_series(declared(name), rows.assign(customer_id=1, message_id=1), None, None) == {}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"series": "weather"}, "'weather' is no column of the label's key: shop, product, target_day"),
        ({"kind": "binary", "series": "shop"}, "only values make a series, and a binary label has classes"),
    ],
)
def test_a_series_that_cannot_be_is_refused(changed, told):
    with pytest.raises(ValidationError, match=told):
        with_label(**changed)


def with_label(**changed):
    facts = DEMAND.model_dump(mode="json")
    return Pipeline.model_validate({**facts, "label": {**facts["label"], **changed}})
