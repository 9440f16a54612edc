"""Code of a pipeline that fails with a value of the data in its message, in every place where it is called."""

import sys

import numpy as np
import pandas as pd
import pyarrow as pa
from airflow.sdk.exceptions import AirflowFailException

from tests.worlds.candidates import Untold
from tests.worlds.trips import ordinary_day

SECRET = "4929-1337-0042-9999"


def raises(partition):
    raise ValueError(f"cannot read the card {SECRET}")


def raises_from_another(partition):
    try:
        {}[SECRET]
    except KeyError as error:
        raise RuntimeError(f"while reading {SECRET}") from error


def exits(partition):
    sys.exit(f"no more after {SECRET}")


def times_out(partition):
    raise TimeoutError(f"asked for {SECRET}")


def gives_up(partition):
    raise AirflowFailException(f"never again {SECRET}")


def parses(partition):
    return pd.to_numeric(pd.Series([SECRET]))


def arrow(partition):
    return ordinary_day(partition) | {"trips": pa.table({"trip_id": [SECRET], "late": [1.0]})}


def mixed(partition):
    day = ordinary_day(partition)
    return day | {"trips": day["trips"].assign(rider=[SECRET, 17] * 20)}


def nothing(partition):
    return [SECRET]


class Predicting(Untold):
    """Raises when it predicts, with a value of the frame."""

    def predict(self, frame):
        raise LookupError(f"no rate for {SECRET}")


class Refusing(Untold):
    """Predicts words."""

    def predict(self, frame):
        return np.array([SECRET] * len(frame))


def fit_raises(data, params, log):
    raise ArithmeticError(f"the row {SECRET} is singular")


def fit_exits(data, params, log):
    sys.exit(SECRET)


def predict_raises(data, params, log):
    return Predicting()


def predict_returns_words(data, params, log):
    return Refusing()


def alert(alert):
    raise ConnectionError(f"https://chat.example/{SECRET}")
