import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from airloom.flavours.flavour import Target
from airloom.flavours.registry import as_model
from include.flight_delays import models
from tests.worlds.candidates import training_data

CATEGORICAL = ("carrier", "tailnum")
NUMERIC = ("distance", "late_rate")


def boosting(data, params, log):
    return as_model(models.boosting(data, params, log), Target("binary"))


def torch_mlp(data, params, log):
    return as_model(models.torch_mlp(data, params, log), Target("binary"))


CANDIDATES = {
    "boosting": (boosting, {"max_iter": 15, "min_samples_leaf": 20}),
    "torch_mlp": (torch_mlp, {"epochs": 4, "learning_rate": 0.01}),
}
candidates = pytest.mark.parametrize(("fit", "params"), CANDIDATES.values(), ids=CANDIDATES.keys())


class Losses:
    def __init__(self):
        self.steps = []

    def log(self, metrics, step):
        self.steps.append((step, dict(metrics)))


def flights(rows=1500, seed=7):
    random = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "carrier": random.choice(["UA", "B6", "WN"], rows),
            "tailnum": [f"N{number}" for number in random.integers(0, 400, rows)],
            "distance": random.integers(90, 4000, rows),
            "late_rate": random.random(rows),
        }
    )
    frame.loc[::17, ["tailnum", "late_rate"]] = [None, np.nan]
    chance = 0.1 + 0.5 * frame["late_rate"].fillna(0.5) + 0.3 * (frame["carrier"] == "WN")
    label = (random.random(rows) < chance).astype(float)
    return training_data(frame, label.to_numpy(), CATEGORICAL, NUMERIC, seed)


@candidates
def test_candidate_learns_what_there_is_to_learn(fit, params):
    data = flights()
    predicted = fit(data, params, Losses()).predict(data.frame)
    assert predicted.shape == (len(data.frame),)
    assert ((predicted > 0) & (predicted < 1)).all()
    assert roc_auc_score(data.label, predicted) > 0.65


@candidates
def test_same_data_and_seed_give_the_same_predictions(fit, params):
    data = flights()
    first, second = (fit(data, params, Losses()).predict(data.frame) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@candidates
def test_training_leaves_the_random_numbers_of_others_alone(fit, params):
    import torch

    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    fit(flights(200), params, Losses())
    assert torch.rand(1) == expected


@candidates
def test_unknown_words_and_missing_values_are_scored(fit, params):
    model = fit(flights(), params, Losses())
    frame = pd.DataFrame(
        {
            "carrier": ["ZZ", None, "UA"],
            "tailnum": [None, "N-NEW", "N1"],
            "distance": [100, 200, 300],
            "late_rate": [np.nan, np.inf, -1e12],
        }
    )
    assert np.isfinite(model.predict(frame)).all()


@candidates
def test_a_column_that_is_all_missing_is_scored(fit, params):
    model = fit(flights(), params, Losses())
    frame = flights(5).frame.assign(carrier=None, late_rate=None)
    assert np.isfinite(model.predict(frame)).all()


@candidates
def test_a_row_is_scored_the_same_whatever_rows_are_beside_it(fit, params):
    data = flights()
    model = fit(data, params, Losses())
    alone = [model.predict(data.frame.iloc[[row]])[0] for row in range(5)]
    np.testing.assert_allclose(alone, model.predict(data.frame)[:5], rtol=1e-6)


@candidates
def test_columns_that_nobody_learned_from_change_nothing(fit, params):
    data = flights()
    model = fit(data, params, Losses())
    widened = data.frame.assign(new="column")[["new", *reversed(data.frame.columns)]]
    np.testing.assert_array_equal(model.predict(data.frame), model.predict(widened))


@candidates
def test_unknown_parameter_is_refused(fit, params):
    with pytest.raises(TypeError, match="max_itter"):
        fit(flights(50), {"max_itter": 3}, Losses())


@candidates
def test_losses_are_reported(fit, params):
    losses = Losses()
    fit(flights(), params, losses)
    assert losses.steps
    assert all(np.isfinite(loss) for _, metrics in losses.steps for loss in metrics.values())


def test_the_network_reports_every_epoch_and_gets_better():
    losses = Losses()
    models.torch_mlp(flights(), {"epochs": 3, "learning_rate": 0.01}, losses)
    assert [step for step, _ in losses.steps] == [0, 1, 2]
    assert losses.steps[-1][1]["train.loss"] < losses.steps[0][1]["train.loss"]


@candidates
def test_words_beyond_the_most_frequent_are_one(fit, params):
    model = fit(flights(), {**params, "most_words": 3}, Losses())
    rare = flights(50).frame.assign(carrier="UA", distance=500, late_rate=0.5)
    assert len(np.unique(model.predict(rare))) <= 3
