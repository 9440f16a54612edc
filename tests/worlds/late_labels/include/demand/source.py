"""The source: what shops sell, and the days ahead for which that is forecast; a day is made from the day alone."""

from datetime import date, timedelta

import numpy as np
import pandas as pd

from airloom.core.partitions import as_of

ZONE = "America/New_York"
SHOPS, PRODUCTS = ["north", "south", "west"], ["bread", "milk", "pears", "salt", "tea", "wine"]
WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
DAYS_AHEAD = 3


def extract(partition: date) -> dict[str, pd.DataFrame]:
    """Return the forecasts that are asked for on a day, its sales, and those of two days before, counted again."""
    again = recounted(partition - timedelta(days=2))
    return {"forecasts": forecasts(partition), "sales": pd.concat([sales(partition), again], ignore_index=True)}


def mistaken(partition: date) -> dict[str, pd.DataFrame]:
    """Return what the source said of a day at first, before it was corrected: half of the rows, with other values."""
    halves = {name: rows.iloc[::2] for name, rows in extract(partition).items()}
    halves["forecasts"] = halves["forecasts"].assign(price=halves["forecasts"]["price"] + 1)
    halves["sales"] = halves["sales"].assign(sold=halves["sales"]["sold"] * 2)
    return halves


def forecasts(day: date) -> pd.DataFrame:
    """Return every shop, product and day ahead, as it is known in the evening of a day."""
    rows = [offered(day + timedelta(days=ahead)).assign(days_ahead=ahead) for ahead in range(1, DAYS_AHEAD + 1)]
    return pd.concat(rows, ignore_index=True).assign(asked_at=end(day) - timedelta(hours=2))


def offered(day: date) -> pd.DataFrame:
    """Return what is planned for a day: every shop, product, and its price."""
    random = np.random.default_rng(day.toordinal())
    pairs = pd.MultiIndex.from_product([SHOPS, PRODUCTS], names=["shop", "product"]).to_frame(index=False)
    return pairs.assign(
        target_day=day.isoformat(), weekday=WEEKDAYS[day.weekday()], price=random.integers(1, 9, len(pairs))
    )


def sales(day: date) -> pd.DataFrame:
    """Return what was sold on a day, as it is counted on the next morning; a few are never counted."""
    rows, random = offered(day), np.random.default_rng(10_000_000 + day.toordinal())
    rows = rows.assign(
        sold=random.poisson(30 / rows["price"]).astype(float),
        sold_at=end(day) - timedelta(hours=1),
        counted_at=end(day) + timedelta(hours=6),
    )
    return rows.loc[random.random(len(rows)) > 0.03, ["shop", "product", "target_day", "sold_at", "counted_at", "sold"]]


def recounted(day: date) -> pd.DataFrame:
    """Return those sales of a day that are counted again, two days later."""
    rows, random = sales(day), np.random.default_rng(20_000_000 + day.toordinal())
    rows = rows.assign(sold=rows["sold"] + 3, counted_at=end(day + timedelta(days=2)) - timedelta(hours=12))
    return rows[random.random(len(rows)) < 0.2]


def end(day: date) -> pd.Timestamp:
    """Return the end of a day."""
    return pd.Timestamp(as_of(day, ZONE))
