"""Candidates of several libraries; each returns what its library gives it."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import torch
import xgboost
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from torch import nn

from airloom.flavours.network import Network
from airloom.steps.candidates import MetricLog, Params, TrainingData


def known(words: pd.DataFrame) -> pd.DataFrame:
    """Return words, where a missing one is a word of its own."""
    return words.astype(object).where(words.notna(), "unknown")


def inputs(data: TrainingData) -> ColumnTransformer:
    """Return what makes numbers of the columns."""
    words = make_pipeline(FunctionTransformer(known), OneHotEncoder(handle_unknown="ignore", sparse_output=False))
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    return ColumnTransformer([("words", words, list(data.categorical)), ("numbers", numbers, list(data.numeric))])


def fitted(data: TrainingData, classifier: Any, regressor: Any) -> Pipeline:
    """Fit the estimator for the kind of label behind the inputs."""
    estimator = regressor if data.kind == "regression" else classifier
    return make_pipeline(inputs(data), estimator).fit(data.frame, data.label)


def linear(data: TrainingData, params: Params, log: MetricLog) -> Pipeline:
    """Fit a linear model."""
    return fitted(data, LogisticRegression(max_iter=1000), Ridge())


def forest(data: TrainingData, params: Params, log: MetricLog) -> Pipeline:
    """Fit a random forest."""
    options = {"n_estimators": 20, "min_samples_leaf": 3, "random_state": data.seed}
    return fitted(data, RandomForestClassifier(**options), RandomForestRegressor(**options))


def light_trees(data: TrainingData, params: Params, log: MetricLog) -> Pipeline:
    """Fit boosted trees of lightgbm."""
    options = {"n_estimators": 20, "min_child_samples": 5, "random_state": data.seed, "verbose": -1}
    model = fitted(data, lightgbm.LGBMClassifier(**options), lightgbm.LGBMRegressor(**options))
    return model


def trees(data: TrainingData, params: Params, log: MetricLog) -> Pipeline:
    """Fit boosted trees of xgboost."""
    options = {"n_estimators": 20, "max_depth": 3, "random_state": data.seed}
    return fitted(data, xgboost.XGBClassifier(**options), xgboost.XGBRegressor(**options))


class Layers(nn.Module):
    """One hidden layer."""

    def __init__(self, inputs: int, outputs: int, centre: float) -> None:
        super().__init__()
        self.hidden, self.last, self.centre = nn.Linear(inputs, 16), nn.Linear(16, outputs), centre

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return one value or several for every row."""
        return self.last(torch.relu(self.hidden(rows))) + self.centre


def network(data: TrainingData, params: Params, log: MetricLog) -> Network:
    """Fit a network by gradient descent."""
    torch.manual_seed(data.seed)
    transformer = inputs(data)
    rows = torch.tensor(transformer.fit_transform(data.frame), dtype=torch.float32)
    label = torch.tensor(data.label)
    several = data.kind == "multiclass"
    centre = float(np.mean(data.label)) if data.kind == "regression" else 0.0
    module = Layers(rows.shape[1], len(data.classes) if several else 1, centre)
    losses = {
        "binary": lambda found: nn.functional.binary_cross_entropy_with_logits(found[:, 0], label.float()),
        "multiclass": lambda found: nn.functional.cross_entropy(found, label.long()),
        "regression": lambda found: nn.functional.l1_loss(found[:, 0], label.float()),
    }
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    for epoch in range(60):
        optimizer.zero_grad()
        loss = losses[data.kind](module(rows))
        loss.backward()
        optimizer.step()
        log.log({"train.loss": loss.item()}, step=epoch)
    return Network(module, transformer)
