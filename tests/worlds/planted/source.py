"""Twenty payments a day."""

import json
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from include.planted import fault

PAYMENTS = 20
AMOUNT = 918273.645


def extract(partition):
    """Return what was paid on the day, and what is going to be paid on the next."""
    day = datetime.combine(partition, time(), UTC)
    payments = _payments(partition).assign(known_at=pd.Timestamp(day + timedelta(hours=23)))
    plan = _payments(partition + timedelta(days=1)).drop(columns="fraud").assign(known_at=pd.Timestamp(day))
    return {"payments": FAULTS.get(fault(), lambda rows: rows)(payments), "plan": plan}


def keep_alert(alert):
    """Write an alert to a file beside this one."""
    with Path(__file__).with_name("alerts.txt").open("a") as file:
        file.write(json.dumps([alert.pipeline, str(alert.partition), alert.message]) + "\n")


def _payments(day):
    random = np.random.default_rng(day.toordinal())
    account = np.where(random.random(PAYMENTS) < 0.5, "SECRETACCOUNT-1", "SECRETACCOUNT-2")
    morning = datetime.combine(day, time(8), UTC)
    moments = [morning + timedelta(minutes=10 * number) for number in range(PAYMENTS)]
    return pd.DataFrame(
        {
            "payment_id": [f"SECRETKEY-{day}-{number}" for number in range(PAYMENTS)],
            "paid_at": pd.to_datetime(moments, utc=True),
            "account": account,
            "amount": [AMOUNT] * PAYMENTS,
            "currency": ["SECRETCURRENCY"] * PAYMENTS,
            "fraud": (random.random(PAYMENTS) < np.where(account == "SECRETACCOUNT-1", 0.8, 0.3)).astype(float),
        }
    )


def _raise(rows):
    raise ValueError(f"cannot read {rows.iloc[0].to_dict()}")


def _first(rows, column, value):
    return rows.assign(**{column: [value, *rows[column].iloc[1:]]})


FAULTS = {
    "extract raises": _raise,
    "no table": lambda rows: rows["currency"],
    "Arrow of other columns": lambda rows: pa.Table.from_pandas(rows.drop(columns="paid_at")),
    "frames of mixed types": lambda rows: [rows.iloc[:10], rows.iloc[10:].assign(currency=AMOUNT)],
    "dictionaries of mixed types": lambda rows: _first(rows, "currency", AMOUNT).to_dict("records"),
    "mixed types": lambda rows: _first(rows, "currency", 918273.645),
    "a bad time": lambda rows: _first(rows, "paid_at", "SECRETKEY-now"),
    "a key twice": lambda rows: _first(rows, "payment_id", rows["payment_id"].iloc[1]),
    "null keys": lambda rows: rows.assign(payment_id=None),
    "one null key": lambda rows: _first(rows, "payment_id", None),
    "negative amounts": lambda rows: rows.assign(amount=-AMOUNT),
    "amounts that are words": lambda rows: rows.assign(amount="SECRETCURRENCY 918273.645"),
    "an unknown label": lambda rows: _first(rows, "fraud", AMOUNT),
}
