"""The models that baselines are: a constant, and a linear model; they travel with a version, and import little."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from airloom.core.metrics import Kind
from airloom.flavours.estimator_files import load_estimator, save_estimator
from airloom.steps.candidates import MetricLog, Params, TrainingData

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: So many words of a column are told apart; the rest are one.
_LEVELS = 100
#: A column of words is text if this share of its values is distinct, and they have so many words on average.
_DISTINCT, _WORDS = 0.5, 3
_HASHED = 2**12


@dataclass(frozen=True)
class Constant:
    """Predicts the same for every row.

    Args:
        values: A probability or a value, or one probability a class.
    """

    values: tuple[float, ...]

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the value for every row."""
        import numpy as np

        several = len(self.values) > 1
        return np.tile(self.values, (len(frame), 1)) if several else np.full(len(frame), self.values[0])

    def save(self, folder: Path) -> None:
        """Write the values."""
        (folder / "constant.json").write_text(json.dumps(self.values), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls(tuple(json.loads((folder / "constant.json").read_text(encoding="utf-8"))))


def constant(data: TrainingData, params: Params, log: MetricLog) -> Constant:
    """Learn the shares of the classes, or the mean or the median of the values.

    Half a row is added to every class (Jeffreys' prior), so that one that was never seen is not impossible.

    Args:
        data: What to learn from.
        params: `value`, of a regression: `mean` (by default) or `median`.
        log: Receives nothing.
    """
    import numpy as np

    label, weight = data.label, data.weight
    if data.kind == "regression" and params.get("value") == "median":
        order = np.argsort(label, kind="stable")
        half = np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)
        return Constant((float(label[order][half]),))
    if data.kind == "regression":
        return Constant((float(np.average(label, weights=weight)),))
    classes = len(data.classes) or 2
    counts = np.bincount(label.astype(int), weights=weight, minlength=classes) + 0.5
    shares = tuple(float(share) for share in counts / counts.sum())
    return Constant(shares if data.classes else shares[1:])


@dataclass(frozen=True)
class Linear:
    """A regularised linear model over coded words, hashed text and scaled numbers.

    Args:
        kind: The kind of label.
        classes: How many classes a multiclass label has; 0 of other kinds.
        text: The columns that hold text.
        words: The columns that hold words.
        numeric: The columns that hold numbers.
        estimator: scikit-learn's pipeline.
    """

    kind: Kind
    classes: int
    text: tuple[str, ...]
    words: tuple[str, ...]
    numeric: tuple[str, ...]
    estimator: Any

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return a probability, a probability for each class, or a value, for every row."""
        import numpy as np

        prepared = _prepared(frame, (*self.text, *self.words), self.numeric)
        if self.kind == "regression":
            return np.asarray(self.estimator.predict(prepared), dtype=float)
        found = self.estimator.predict_proba(prepared)
        if self.kind == "binary":
            return np.asarray(found[:, 1])
        probabilities = np.zeros((len(frame), self.classes))
        probabilities[:, self.estimator.classes_.astype(int)] = found
        return probabilities

    def save(self, folder: Path) -> None:
        """Write the estimator, and as JSON what it reads."""
        save_estimator(self.estimator, folder / "linear.skops")
        facts = {name: getattr(self, name) for name in ("kind", "classes", "text", "words", "numeric")}
        (folder / "linear.json").write_text(json.dumps(facts), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        facts = json.loads((folder / "linear.json").read_text(encoding="utf-8"))
        columns = {name: tuple(facts[name]) for name in ("text", "words", "numeric")}
        return cls(facts["kind"], facts["classes"], **columns, estimator=load_estimator(folder / "linear.skops"))


def linear(data: TrainingData, params: Params, log: MetricLog) -> Linear:
    """Fit a logistic or a ridge regression; of a column of words the 100 most frequent count, text is hashed.

    Args:
        data: What to learn from.
        params: `c`, the inverse strength of the regularisation (1.0 by default).
        log: Receives nothing.
    """
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline

    strength = float(params.get("c", 1.0))
    text = tuple(name for name in data.categorical if _is_text(data.frame[name]))
    words = tuple(name for name in data.categorical if name not in text)
    regression = data.kind == "regression"
    model = Ridge(alpha=1 / strength) if regression else LogisticRegression(C=strength, max_iter=1000)
    estimator = make_pipeline(_encoder(text, words, data.numeric), model)
    step = "ridge" if regression else "logisticregression"
    label = data.label if regression else data.label.astype(int)
    prepared = _prepared(data.frame, data.categorical, data.numeric)
    estimator.fit(prepared, label, **{f"{step}__sample_weight": data.weight})
    return Linear(data.kind, len(data.classes), text, words, data.numeric, estimator)


def _encoder(text: tuple[str, ...], words: tuple[str, ...], numeric: tuple[str, ...]) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    coded = OneHotEncoder(max_categories=_LEVELS, handle_unknown="infrequent_if_exist")
    scaled = make_pipeline(SimpleImputer(add_indicator=True, keep_empty_features=True), StandardScaler())
    hashed = [(f"text {name}", HashingVectorizer(n_features=_HASHED), name) for name in text]
    return ColumnTransformer([("words", coded, list(words)), ("numbers", scaled, list(numeric)), *hashed])


def _prepared(frame: pd.DataFrame, words: tuple[str, ...], numeric: tuple[str, ...]) -> pd.DataFrame:
    """Return words as text, where a missing one is a word of its own, and numbers, where an infinite one is missing."""
    import numpy as np
    import pandas as pd

    text = {name: frame[name].astype("string").fillna("(none)").astype(object) for name in words}
    numbers = {
        name: pd.to_numeric(frame[name], errors="coerce").astype(float).replace([np.inf, -np.inf], np.nan)
        for name in numeric
    }
    return pd.DataFrame({**text, **numbers}, index=frame.index)


def _is_text(column: pd.Series) -> bool:
    values = column.dropna().astype(str)
    if values.empty or values.nunique() < _DISTINCT * len(values):
        return False
    return bool(values.str.split().str.len().mean() >= _WORDS)
