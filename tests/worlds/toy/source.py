"""Forty sales a day, made up; the same day is always the same."""

from datetime import UTC, datetime, time, timedelta

import numpy as np
import pandas as pd

SALES = 40


def extract(partition):
    """Return what was sold on the day, and what is going to be sold on the next."""
    day = datetime.combine(partition, time(), UTC)
    return {
        "sales": _sales(partition).assign(known_at=_moment(day + timedelta(hours=23))),
        "plan": _sales(partition + timedelta(days=1)).drop(columns="returned").assign(known_at=_moment(day)),
    }


def _sales(day):
    random = np.random.default_rng(day.toordinal())
    store = random.choice(["north", "south"], SALES)
    morning = datetime.combine(day, time(8), UTC)
    return pd.DataFrame(
        {
            "sale_id": [f"{day}/{number}" for number in range(SALES)],
            "sold_at": pd.to_datetime([morning + timedelta(minutes=10 * number) for number in range(SALES)], utc=True),
            "store": store,
            "price": random.uniform(1, 100, SALES).round(2),
            "returned": (random.random(SALES) < np.where(store == "north", 0.8, 0.3)).astype(float),
        }
    )


def _moment(moment):
    return pd.Timestamp(moment)
