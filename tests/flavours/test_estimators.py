"""Every estimator of scikit-learn, behind what usually prepares its inputs: it can be kept, or is refused by name."""

import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder
from sklearn.svm import SVC, LinearSVC
from sklearn.utils import all_estimators
from sklearn.utils._test_common.instance_generator import _construct_instances

from airloom.core.errors import DataError
from airloom.flavours.flavour import Target
from airloom.flavours.registry import as_model

BINARY, REGRESSION = Target("binary"), Target("regression")
USUAL = (
    "AdaBoostClassifier",
    "BaggingRegressor",
    "CalibratedClassifierCV",
    "DecisionTreeRegressor",
    "ExtraTreesClassifier",
    "GaussianNB",
    "GradientBoostingClassifier",
    "GridSearchCV",
    "HistGradientBoostingRegressor",
    "KNeighborsClassifier",
    "LinearSVC",
    "LogisticRegression",
    "MLPClassifier",
    "RandomForestClassifier",
    "SGDClassifier",
    "StackingClassifier",
    "TweedieRegressor",
    "VotingRegressor",
)
#: They want another label, other inputs, or several labels.
NOT_FOR_THESE = {
    "ClassifierChain",
    "IsotonicRegression",
    "MultiOutputClassifier",
    "MultiOutputRegressor",
    "MultiTaskElasticNet",
    "MultiTaskElasticNetCV",
    "MultiTaskLasso",
    "MultiTaskLassoCV",
    "QuadraticDiscriminantAnalysis",
    "RegressorChain",
}
ESTIMATORS = {
    name: (cls, target)
    for kind, target in (("classifier", BINARY), ("regressor", REGRESSION))
    for name, cls in all_estimators(type_filter=kind)
}


def refusal(name, model, target):
    """Return what the refusal of a model must say, nothing of one that is taken."""
    if name == "DummyClassifier":  # The first of its kind draws lots.
        return "without chance"
    return "" if target is REGRESSION or hasattr(model, "predict_proba") else "CalibratedClassifierCV"


def prepared(estimator):
    numbers = make_pipeline(SimpleImputer(), MinMaxScaler())
    columns = [("words", OneHotEncoder(), ["word"]), ("numbers", numbers, ["a", "b"])]
    return make_pipeline(ColumnTransformer(columns, sparse_threshold=0), estimator)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in USUAL else pytest.mark.long) for name in sorted(ESTIMATORS)]
)
def test_an_estimator_can_be_kept_or_is_refused_in_words(name, frame, label, kept):
    cls, target = ESTIMATORS[name]
    model = prepared(next(iter(_construct_instances(cls))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model.fit(frame, label if target is BINARY else 2 * label + frame["b"])
        except (ValueError, IndexError):
            assert name in NOT_FOR_THESE
            return
        if hint := refusal(name, model, target):
            with pytest.raises(DataError, match=hint):
                kept(model, target)
            return
        predictions = kept(model, target).predict(frame)
        expected = model.predict_proba(frame)[:, 1] if target is BINARY else model.predict(frame)
    np.testing.assert_allclose(predictions, np.ravel(expected), rtol=1e-12)


def test_what_is_named_is_the_estimator_and_not_its_pipeline(frame, label):
    with pytest.raises(DataError, match="LinearSVC cannot be used as a model"):
        as_model(prepared(LinearSVC()).fit(frame, label), BINARY)
    assert as_model(prepared(CalibratedClassifierCV(LinearSVC())).fit(frame, label), BINARY)


@pytest.mark.parametrize("search", [GridSearchCV, RandomizedSearchCV])
def test_a_search_is_kept_with_what_it_has_found(search, frame, label, kept):
    model = search(
        prepared(RandomForestClassifier(5, random_state=1)), {"randomforestclassifier__max_depth": [2, 3]}, cv=2
    )
    options = {"n_iter": 2, "random_state": 1} if search is RandomizedSearchCV else {}
    model.set_params(scoring="neg_brier_score", **options).fit(frame, label)
    np.testing.assert_array_equal(model.predict_proba(frame)[:, 1], kept(model, BINARY).predict(frame))


class Cubed(TransformerMixin, BaseEstimator):
    """A transformer of a pipeline's own."""

    def fit(self, rows, label=None):
        self.fitted_ = True
        return self

    def transform(self, rows):
        return rows**3


def squared(rows):
    return rows**2


@pytest.mark.parametrize(
    ("step", "trusted"),
    [(FunctionTransformer(np.log1p), True), (FunctionTransformer(squared), False), (Cubed(), False)],
    ids=["numpy", "function", "class"],
)
def test_only_code_of_the_project_is_loaded(step, trusted, frame, label, kept, monkeypatch):
    columns = ColumnTransformer([("numbers", make_pipeline(SimpleImputer(), MinMaxScaler(), step), ["a", "b"])])
    model = make_pipeline(columns, LogisticRegression()).fit(frame, label)
    if not trusted:
        with pytest.raises(DataError, match=r"(?s)nothing of it was executed.*tests\.flavours"):
            kept(model, BINARY)
        return
    np.testing.assert_array_equal(model.predict_proba(frame)[:, 1], kept(model, BINARY).predict(frame))


def test_a_pickle_is_for_those_who_allow_it(frame, label, kept):
    columns = ColumnTransformer([("numbers", make_pipeline(SimpleImputer(), FunctionTransformer(squared)), ["a", "b"])])
    model = make_pipeline(columns, LogisticRegression()).fit(frame, label)
    np.testing.assert_array_equal(model.predict_proba(frame)[:, 1], kept(model, BINARY, pickle=True).predict(frame))


@pytest.mark.parametrize(
    ("fitted", "target", "found"),
    [
        (lambda frame, label: LogisticRegression(), BINARY, "not fitted"),
        (lambda frame, label: LinearRegression().fit(frame[["b"]], label), BINARY, "no `predict_proba`"),
        (lambda frame, label: LogisticRegression().fit(frame[["b"]], label), REGRESSION, "a classifier, for values"),
        (lambda frame, label: SVC().fit(frame[["b"]], label), BINARY, "CalibratedClassifierCV"),
    ],
)
def test_what_does_not_fit_the_label_is_refused(fitted, target, found, frame, label):
    with pytest.raises(DataError) as error:
        as_model(fitted(frame, label), target)
    assert found in str(error.value)


def test_columns_are_found_by_name_whatever_else_the_frame_has(frame, label, kept):
    model = LogisticRegression().fit(frame[["b"]], label)
    expected = model.predict_proba(frame[["b"]])[:, 1]
    np.testing.assert_array_equal(kept(model, BINARY).predict(frame[["word", "b", "a"]]), expected)


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (lambda frame: frame[["b"]].rename(columns={"b": "made"}), "columns that are no inputs: made"),
        (lambda frame: frame[["b"]].to_numpy(), "an array of 1 columns, where the frame has 3"),
    ],
)
def test_columns_that_were_made_outside_of_the_model_are_named(rows, found, frame, label):
    model = as_model(LogisticRegression().fit(rows(frame), label), BINARY)
    with pytest.raises(DataError, match=found):
        model.predict(frame)


def test_what_was_fitted_on_an_array_is_given_one(frame, label, kept):
    numbers = frame[["b"]]
    model = as_model(LogisticRegression().fit(numbers.to_numpy(), label), BINARY)
    assert model.predict(numbers).shape == (len(frame),)


@pytest.mark.parametrize("names", [False, True])
def test_classes_are_told_by_position_or_name_and_absent_ones_are_impossible(names, frame, kept):
    target = Target("multiclass", ("low", "middle", "high", "none"))
    codes = np.digitize(frame["b"], [0.3, 0.6])
    model = LogisticRegression().fit(frame[["b"]], np.array(target.classes)[codes] if names else codes.astype(float))
    predictions = kept(model, target).predict(frame)
    assert predictions.shape == (len(frame), 4)
    assert (predictions[:, 3] == 0).all()
    np.testing.assert_allclose(predictions.sum(axis=1), 1)
    assert (predictions.argmax(axis=1) == codes).mean() > 0.8


@pytest.mark.parametrize("classes", [("1", "2", "3"), ("0", "2", "1")])
@pytest.mark.parametrize("kind", [int, float])
def test_a_number_is_a_position_also_where_names_are_numbers(classes, kind, frame):
    codes = np.digitize(frame["b"], [0.3, 0.6])
    model = LogisticRegression().fit(frame[["b"]], codes.astype(kind))
    predictions = as_model(model, Target("multiclass", classes)).predict(frame)
    np.testing.assert_array_equal(predictions, model.predict_proba(frame[["b"]]))
    named = LogisticRegression().fit(frame[["b"]], np.array(classes)[codes])
    places = [classes.index(name) for name in named.classes_]
    found = as_model(named, Target("multiclass", classes)).predict(frame)
    np.testing.assert_array_equal(found[:, places], named.predict_proba(frame[["b"]]))


def test_a_window_of_one_class_says_that_the_other_never_happens(frame, kept):
    from sklearn.dummy import DummyClassifier

    model = DummyClassifier().fit(frame[["b"]], np.zeros(len(frame)))
    assert (kept(model, BINARY).predict(frame) == 0).all()


def test_classes_that_nobody_has_declared_are_refused(frame, label):
    model = as_model(LogisticRegression().fit(frame[["b"]], np.where(label == 1, "yes", "no")), BINARY)
    with pytest.raises(DataError, match="other classes than are declared"):
        model.predict(frame)
    declared = as_model(
        LogisticRegression().fit(frame[["b"]], np.where(label == 1, "yes", "no")), Target("binary", ("no", "yes"))
    )
    assert ((declared.predict(frame) > 0.5) == (label == 1)).mean() > 0.9
