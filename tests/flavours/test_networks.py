"""torch's modules and skorch's nets: kept without pickle, with what they read of a row."""

import numpy as np
import pytest
import torch
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import nn

from airloom.core.errors import DataError
from airloom.flavours.flavour import Target
from airloom.flavours.network import Network
from airloom.flavours.registry import as_model

BINARY, REGRESSION, SEVERAL = Target("binary"), Target("regression"), Target("multiclass", ("x", "y", "z"))


@pytest.fixture
def transformer(frame):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return ColumnTransformer([("words", OneHotEncoder(), ["word"]), ("numbers", numbers, ["a", "b"])]).fit(frame)


def layers(inputs, outputs, *last):
    torch.manual_seed(1)
    return nn.Sequential(nn.BatchNorm1d(inputs), nn.Linear(inputs, 4), nn.GELU(), nn.Linear(4, outputs), *last)


@pytest.mark.parametrize(
    ("module", "target", "probabilities"),
    [
        (layers(5, 1), BINARY, False),
        (layers(5, 1, nn.Sigmoid()), BINARY, True),
        (layers(5, 2), BINARY, False),
        (layers(5, 3), SEVERAL, False),
        (layers(5, 3, nn.Softmax(dim=1)), SEVERAL, True),
        (layers(5, 1), REGRESSION, False),
    ],
)
def test_a_module_is_kept_with_what_prepares_its_inputs(module, target, probabilities, frame, transformer, kept):
    network = Network(module, transformer, probabilities=probabilities)
    predictions = kept(network, target).predict(frame)
    np.testing.assert_array_equal(predictions, as_model(network, target).predict(frame))
    assert predictions.shape == ((len(frame), 3) if target is SEVERAL else (len(frame),))
    module.eval()
    given = module(network.tensor(frame)).detach().double()
    if target is REGRESSION:
        np.testing.assert_allclose(predictions, given[:, 0])
    elif given.shape[1] == 1:
        np.testing.assert_allclose(predictions, (given if probabilities else given.sigmoid())[:, 0])
    else:
        expected = given if probabilities else given.softmax(dim=1)
        np.testing.assert_allclose(predictions, expected[:, 1] if target is BINARY else expected)


def test_columns_by_name_are_read_in_their_order(frame, kept):
    network = Network(nn.Linear(2, 1), ["b", "b"])
    weight, offset = (each.detach().numpy() for each in (network.module.weight, network.module.bias))
    expected = frame["b"].to_numpy() * weight.sum() + offset[0]
    np.testing.assert_allclose(kept(network, REGRESSION).predict(frame), expected, rtol=1e-5)


def test_a_module_without_its_inputs_is_asked_for_them():
    with pytest.raises(DataError, match=r"say what the module reads: `return Network\(module, inputs="):
        as_model(nn.Linear(2, 1), BINARY)


class Own(nn.Module):
    """A module of code that is not in `include`."""

    def forward(self, rows):
        return rows[:, :1]


def test_a_module_of_foreign_code_is_refused_by_name(kept):
    with pytest.raises(DataError, match=r"(?s)nothing of it was executed.*tests\.flavours\.test_networks\.Own"):
        kept(Network(Own(), ["b"]), REGRESSION)


def test_a_local_function_cannot_be_kept(kept):
    module = nn.Linear(1, 1)
    module.activation = lambda rows: rows
    with pytest.raises(DataError, match=r"(?s)A Linear cannot be saved.*no lambda"):
        kept(Network(module, ["b"]), REGRESSION)


def test_rows_are_predicted_the_same_beside_many_others(frame, transformer):
    model = as_model(Network(layers(5, 1), transformer), BINARY)
    many = frame.sample(40_000, replace=True, random_state=1)
    np.testing.assert_allclose(model.predict(many)[:3], model.predict(many.head(3)), rtol=1e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_a_net_of_skorch_is_kept_as_the_module_that_it_has_trained(kind, frame, label, transformer, kept):
    import skorch

    torch.manual_seed(1)
    options = {"max_epochs": 2, "verbose": 0, "train_split": None, "module__dtype": torch.float64}
    if kind == "binary":
        net = skorch.NeuralNetBinaryClassifier(nn.Linear, module__in_features=5, module__out_features=1, **options)
        target, wanted = BINARY, label
    elif kind == "multiclass":
        net = skorch.NeuralNetClassifier(
            nn.Linear, criterion=nn.CrossEntropyLoss, module__in_features=5, module__out_features=3, **options
        )
        target, wanted = SEVERAL, np.digitize(frame["b"], [0.3, 0.6]).astype(np.int64)
    else:
        net = skorch.NeuralNetRegressor(nn.Linear, module__in_features=5, module__out_features=1, **options)
        target, wanted = REGRESSION, frame[["b"]].to_numpy()
    model = make_pipeline(transformer, net).fit(frame, wanted)
    expected = model.predict(frame)[:, 0] if kind == "regression" else model.predict_proba(frame)
    predictions = kept(model, target).predict(frame)
    np.testing.assert_allclose(predictions, expected[:, 1] if kind == "binary" else expected, rtol=1e-5, atol=1e-6)


def test_a_net_alone_is_asked_for_a_pipeline(frame):
    import skorch

    net = skorch.NeuralNetRegressor(nn.Linear, module__in_features=1, module__out_features=1, max_epochs=1, verbose=0)
    with pytest.raises(DataError, match="not fitted"):
        as_model(net, REGRESSION)
    net.fit(frame[["b"]].to_numpy(np.float32), frame[["b"]].to_numpy(np.float32))
    with pytest.raises(DataError, match=r"make_pipeline\(ColumnTransformer"):
        as_model(net, REGRESSION)
