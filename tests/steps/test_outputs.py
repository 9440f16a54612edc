"""What a model may return, of every kind of label: taken by rule or refused, never changed and never reordered."""

import ast
import sys
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import airloom
from airloom.core.errors import DataError
from airloom.core.pipeline import Label, Pipeline
from airloom.steps import predict as predicting
from airloom.steps.evaluate import evaluate
from airloom.steps.fit import fit
from airloom.steps.outputs import predicted
from airloom.steps.predict import predict
from airloom.steps.prove import prove_version
from airloom.steps.versions import KnownVersion
from tests.steps.test_kinds import KINDS, pipeline_of, rows_of
from tests.worlds import candidates
from tests.worlds.installation import settings_at
from tests.worlds.nights import COLUMNS, NIGHT, example_rows, training_set

CLASSES = ("near", "middle", "far")
LABELS = {
    "binary": Label(table="t", column="c", horizon="1d"),
    "multiclass": Label(table="t", column="c", horizon="1d", kind="multiclass", classes=CLASSES),
    "regression": Label(table="t", column="c", horizon="1d", kind="regression"),
}
kinds = st.sampled_from(sorted(LABELS))


class Returns:
    """A model that calls a function with its frame."""

    def __init__(self, function):
        self.predict = function


def ask(kind, rows, function, index=None):
    frame = pd.DataFrame({"x": np.arange(rows)}, index=index)
    return predicted(LABELS[kind], Returns(function), frame, "Version 7")


def refusal(kind, rows, function):
    with pytest.raises(DataError, match="Version 7") as refused:
        ask(kind, rows, function)
    return refused.value


@st.composite
def right(draw):
    """A kind, and predictions of it that single precision holds."""
    kind, rows = draw(kinds), draw(st.integers(1, 6))
    if kind == "multiclass":
        cuts = [sorted(draw(st.tuples(st.integers(0, 64), st.integers(0, 64)))) for _ in range(rows)]
        return kind, np.array([[low / 64, (high - low) / 64, 1 - high / 64] for low, high in cuts])
    values = st.floats(0, 1, width=32) if kind == "binary" else st.floats(-(2.0**60), 2.0**60, width=32)
    return kind, np.array(draw(st.lists(values, min_size=rows, max_size=rows)))


def objects(number):
    """Return a form in which every value is an object of its own."""

    def convert(values, frame):
        found = np.empty(values.shape, dtype=object)
        found.ravel()[:] = [number(each) for each in values.ravel().tolist()]
        return found

    return convert


def framed(values, frame):
    """Return a pandas object with the index of the frame."""
    return (pd.Series if values.ndim == 1 else pd.DataFrame)(values, index=frame.index)


FORMS = {
    "array": lambda values, frame: values,
    "single precision": lambda values, frame: values.astype(np.float32),
    "list": lambda values, frame: values.tolist(),
    "tuple": lambda values, frame: tuple(map(tuple, values)) if values.ndim == 2 else tuple(values),
    "floats": objects(float),
    "decimals": objects(Decimal),
    "fractions": objects(Fraction),
    "mixed": objects(lambda value: int(value) if value.is_integer() and abs(value) < 2**53 else np.float32(value)),
    "pandas": framed,
    "pandas objects": lambda values, frame: framed(values.astype(object), frame),
    "nullable": lambda values, frame: framed(values, frame).astype("Float64"),
    "named classes": lambda values, frame: (
        pd.DataFrame(values, index=frame.index, columns=CLASSES) if values.ndim == 2 else framed(values, frame)
    ),
    "not masked": lambda values, frame: np.ma.array(values),
}


@hypothesis_settings(deadline=None)  # The first example imports pandas and torch.
@given(right(), st.sampled_from(sorted(FORMS)), st.randoms())
def test_every_form_of_the_same_numbers_is_the_same_predictions(given_values, form, random):
    kind, values = given_values
    index = random.sample(range(100), len(values))
    found = ask(kind, len(values), lambda frame: FORMS[form](values, frame), index)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("kind", ["binary", "regression"])
@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, "boolean", "Int64"])
def test_booleans_and_whole_numbers_are_numbers(kind, dtype):
    found = ask(kind, 3, lambda frame: pd.Series([1, 0, 1], index=frame.index).astype(dtype))
    np.testing.assert_array_equal(found, [1.0, 0.0, 1.0])


#: Values that no prediction may have, and how they are counted.
NEVER = {float("nan"): "missing or NaN", float("inf"): "infinite", float("-inf"): "infinite", None: "missing or NaN"}
NO_PROBABILITY = {-4.0: "below 0 or above 1", 17.3: "below 0 or above 1", 1.0000001: "below 0 or above 1"}


@given(right(), st.data())
def test_one_wrong_value_anywhere_is_refused_and_counted(given_values, data):
    kind, values = given_values
    wrong = NEVER if kind == "regression" else NEVER | NO_PROBABILITY
    value = data.draw(st.sampled_from(list(wrong)))
    place = data.draw(st.integers(0, values.size - 1))
    returned = values.astype(object if value is None or data.draw(st.booleans()) else float)
    returned.ravel()[place] = value
    error = refusal(kind, len(values), lambda frame: returned)
    assert error.found == f"1 of {values.size} values {wrong[value]}"
    assert "17.3" not in str(error)


@given(st.floats(1e-4, 0.5), st.sampled_from([-1, 1]))
def test_probabilities_of_classes_sum_to_one(by, sign):
    error = refusal("multiclass", 2, lambda frame: [[0.5, 0.25, 0.25], [0.5, 0.25, 0.25 + sign * by / 2]])
    assert error.found == "1 of 2 rows whose sum is not 1"
    ask("multiclass", 2, lambda frame: np.float32([[0.1, 0.2, 0.7], [1 / 3, 1 / 3, 1 / 3 + 5e-6]]))


SHAPES = {
    "too short": lambda values: values[1:],
    "too long": lambda values: np.concatenate([values, values[:1]]),
    "nothing": lambda values: values[:0],
    "a scalar": lambda values: float(values.ravel()[0]),
    "None": lambda values: None,
    "a column too many": lambda values: np.column_stack([values, values]),
    "one column": lambda values: values[:, :1] if values.ndim == 2 else values[:, None],
    "three dimensions": lambda values: values[None],
    "turned": lambda values: np.vstack([values.T] * 4),
    "ragged": lambda values: [[0.5], [0.5, 0.5]],
    "a dictionary": lambda values: dict(enumerate(values.tolist())),
    "a set": lambda values: set(values.ravel().tolist()),
    "a generator": lambda values: (each for each in values),
    "masked": lambda values: np.ma.array(values, mask=True),
    "another index": lambda values: (pd.Series if values.ndim == 1 else pd.DataFrame)(values).add_prefix("r", axis=0),
}
TYPES = {
    "text": lambda values: values.astype(str),
    "text as objects": lambda values: values.astype(str).astype(object),
    "one text": lambda values: [str(values[0]), *values[1:]],
    "bytes": lambda values: values.astype("S"),
    "complex": lambda values: values.astype(complex),
    "times": lambda values: np.zeros(values.shape, dtype="datetime64[s]"),
    "durations": lambda values: np.zeros(values.shape, dtype="timedelta64[s]"),
    "NaT": lambda values: np.full(values.shape, pd.NaT, dtype=object),
    "large whole numbers": lambda values: np.full(values.shape, 2**53 + 1),
    "larger whole numbers": lambda values: np.full(values.shape, 10**400, dtype=object),
    "large fractions": lambda values: np.full(values.shape, Fraction(10**400, 3), dtype=object),
    "lists": lambda values: pd.Series([[0.5]] * len(values)),
}


@given(right(), st.sampled_from(sorted(SHAPES | TYPES)))
def test_what_is_no_number_a_row_is_refused_in_words(given_values, what):
    kind, values = given_values
    values = np.concatenate([values, values])
    error = refusal(kind, len(values), lambda frame: (SHAPES | TYPES)[what](values))
    assert error.found
    assert error.expected
    assert error.do


@given(st.permutations(range(4)).filter(lambda order: order != [0, 1, 2, 3]))
def test_a_series_in_another_order_is_refused(order):
    values = [0.1, 0.2, 0.3, 0.4]
    error = refusal("binary", 4, lambda frame: pd.Series(values, index=frame.index).iloc[order])
    assert error.found == "a Series whose index is not that of the frame"
    refusal("binary", 4, lambda frame: pd.Series(values, index=frame.index + 1))


@given(st.permutations(CLASSES).filter(lambda order: tuple(order) != CLASSES))
def test_classes_in_another_order_are_refused(order):
    table = {"near": [0.2, 0.1], "middle": [0.3, 0.2], "far": [0.5, 0.7]}
    error = refusal("multiclass", 2, lambda frame: pd.DataFrame(table)[list(order)])
    assert error.found == "a DataFrame whose columns are not the declared classes in their order"


def test_a_model_gets_a_frame_of_its_own():
    frame = pd.DataFrame({"x": [1.0, 2.0], "word": ["a", "b"]}, index=[7, 3])
    before = frame.copy(deep=True)

    def change(own):
        own.loc[:, "x"] = -1.0
        own["more"] = 0
        own.drop(index=own.index[0], inplace=True)
        return [0.5, 0.5]

    predicted(LABELS["binary"], Returns(change), frame, "Version 7")
    pd.testing.assert_frame_equal(frame, before)


def silent(frame):
    raise AssertionError


def told(frame):
    raise ValueError("could not convert string to float: 'a secret'")


def leaving(frame):
    sys.exit(3)


def leaving_well(frame):
    sys.exit()


@pytest.mark.parametrize("function", [silent, told, leaving, leaving_well])
def test_a_model_that_fails_is_told_by_type_file_and_line_alone(function):
    error = refusal("binary", 2, function)
    line = function.__code__.co_firstlineno + 1
    kind = {silent: "AssertionError", told: "ValueError"}.get(function, "SystemExit")
    assert error.found == f"{kind} at tests/steps/test_outputs.py, line {line}"
    assert "secret" not in str(error)


def test_a_person_who_stops_a_run_stops_it():
    def stopped(frame):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask("binary", 2, stopped)


def test_models_are_asked_in_one_place():
    root = Path(airloom.__file__).parent
    asked = {
        f"{file.relative_to(root)}: {ast.unparse(node.func.value)}"
        for file in root.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "predict"
    }
    # A registered version's own method; the estimators in a baseline and in flavours, which are models themselves.
    asked = {each for each in asked if not each.startswith("flavours/")}
    assert asked - {"stores/model_outputs.py: model", "steps/baseline_models.py: self.estimator"} == {
        "steps/same_rows.py: self.new",
        "steps/same_rows.py: self.old",
        "steps/same_rows.py: version",
    }


def nan_in_the_middle(values):
    values = np.array(values, dtype=float)
    values[len(values) // 2] = np.nan
    return values


def raising(values):
    raise AssertionError


#: What goes wrong in steps: one of each way.
WRONG = {
    "NaN": nan_in_the_middle,
    "infinite": lambda values: values + np.inf,
    "None": lambda values: None,
    "too short": lambda values: values[1:],
    "text": lambda values: np.asarray(values).astype(str),
    "shifted": lambda values: (pd.Series if values.ndim == 1 else pd.DataFrame)(values).shift(1).iloc[1:],
    "failing": raising,
    "leaving": lambda values: sys.exit(0),
}
wrong = st.sampled_from(sorted(WRONG))
few = hypothesis_settings(max_examples=4, deadline=None)


@contextmanager
def changed(change):
    """Let the models of the tests return something else, made of what is right and of their frame."""
    models = (candidates.ByRate, candidates.ByDistance)
    before = [model.predict for model in models]
    for model, predict_well in zip(models, before, strict=True):
        model.predict = lambda self, frame, right=predict_well: change(right(self, frame), frame)
    try:
        yield
    finally:
        for model, predict_well in zip(models, before, strict=True):
            model.predict = predict_well


class World:
    """A champion of a kind, and a night with the same candidate and a constant one."""

    def __init__(self, kind, folder):
        self.settings = settings_at(folder)
        self.rows = rows_of(kind, NIGHT)
        declared = pipeline_of(kind, 0.9).model_dump(mode="json", exclude_unset=True)
        declared["train"]["candidates"]["constant"] = {"fit": "airloom.steps.baselines:constant"}
        self.pipeline = Pipeline.model_validate(declared)
        self.training = training_set(self.pipeline, self.settings, self.rows)
        self.fitted = [
            fit(self.pipeline, NIGHT, name, self.training, self.settings) for name in ("distance", "constant")
        ]
        only = [self.fitted[0]]
        self.version = evaluate(self.pipeline, NIGHT, self.training, only, None, self.settings).challenger_version


@pytest.fixture(scope="module", params=sorted(KINDS))
def world(request, tmp_path_factory):
    return World(request.param, tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("form", ["list", "decimals", "pandas", "named classes"])
def test_every_form_goes_the_whole_way(world, form):
    other = training_set(world.pipeline, world.settings, world.rows.iloc[::-1])
    with changed(FORMS[form]):
        fitted = [fit(world.pipeline, NIGHT, "distance", other, world.settings)]
        found = evaluate(world.pipeline, NIGHT, other, fitted, world.version, world.settings)
        assert prove_version(world.pipeline, found.challenger_version, world.settings).difference == 0
    assert found.metrics["distance"] == found.metrics["champion"]


@few
@given(wrong)
def test_in_training_the_candidate_is_left_out(world, what):
    other = training_set(world.pipeline, world.settings, world.rows.iloc[1:])
    with changed(lambda values, frame: WRONG[what](values)), pytest.raises(DataError, match="The candidate distance"):
        fit(world.pipeline, NIGHT, "distance", other, world.settings)


@few
@given(wrong)
def test_in_evaluation_a_candidate_is_left_out_and_a_champion_has_no_metrics(world, what):
    arguments = world.pipeline, NIGHT, world.training
    with changed(lambda values, frame: WRONG[what](values)):
        found = evaluate(*arguments, world.fitted, world.version, world.settings)
        with pytest.raises(DataError, match="no candidate with a finite") as error:
            evaluate(*arguments, world.fitted[:1], None, world.settings)
    assert found.challenger == "constant"
    assert found.left_out["distance"].startswith("The candidate distance ")
    assert "; distance left out: The candidate distance " in found.headline
    assert found.champion_problem.startswith(f"Version {world.version} ")
    assert set(found.metrics["distance"].values()) == set(found.metrics["champion"].values()) == {None}
    assert error.value.found.startswith("The candidate distance ")


@few
@given(wrong)
def test_in_every_other_step_nothing_comes_of_it(world, what):
    rows = example_rows().head(7).assign(scheduled_at=pd.Timestamp("2024-01-11", tz="UTC"))
    with changed(lambda values, frame: WRONG[what](values)), pytest.MonkeyPatch.context() as patch:
        patch.setattr(predicting, "input_columns", lambda pipeline, settings: COLUMNS.all)
        assert prove_version(world.pipeline, world.version, world.settings).problem.startswith("Version ")
        with pytest.raises(DataError, match=f"Version {world.version}"):
            KnownVersion(world.pipeline, world.version, world.settings).predict(rows)
        with pytest.raises(DataError, match=f"Version {world.version}"):
            predict(world.pipeline, rows, {"": world.version}, world.settings)
