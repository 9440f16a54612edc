"""The source: parcels of three couriers and two depots, made from the day alone, so that a day is always the same.

A file `<day>.change` beside this one changes what the source returns for that day.
"""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from airloom.core.partitions import as_of

ZONE = "Europe/Berlin"
PARCELS = 120
COURIERS = {"ann": 0.1, "bob": 0.4, "cas": 0.8}
DEPOTS = ["north", "south"]


def extract(partition: date) -> dict[str, pd.DataFrame]:
    """Return a day's parcels and traffic, and the orders of the next day."""
    parcels = delivered(partition)
    change = Path(__file__).with_name(f"{partition}.change")
    if change.exists():
        parcels = CHANGES[change.read_text()](parcels)
    return {"parcels": parcels, "traffic": traffic(partition), "orders": orders(partition)}


def planned(day: date) -> pd.DataFrame:
    """Return what is known of a day's parcels before they are sent."""
    random = np.random.default_rng(day.toordinal())
    minutes = np.sort(random.integers(8 * 60, 18 * 60, PARCELS))
    return pd.DataFrame(
        {
            "parcel_id": [f"{day}/{number:03}" for number in range(PARCELS)],
            "sent_at": _start(day) + pd.to_timedelta(minutes, unit="min"),
            "courier": random.choice(list(COURIERS), PARCELS),
            "depot": random.choice(DEPOTS, PARCELS),
            "weight": random.uniform(0.1, 30.0, PARCELS).round(2),
        }
    )


def delivered(day: date) -> pd.DataFrame:
    """Return a day's parcels and how late they were; some are delivered after midnight."""
    rows = planned(day)
    random = np.random.default_rng(10_000_000 + day.toordinal())
    chance = rows["courier"].map(COURIERS) * (0.6 + rows["weight"] / 60)
    late = random.random(PARCELS) < chance
    minutes = np.where(late, random.uniform(30, 300, PARCELS), random.uniform(-30, 15, PARCELS)).round(1)
    return rows.assign(
        delay=minutes,
        delivered_at=rows["sent_at"] + pd.to_timedelta(240 + minutes, unit="min"),
        late=late.astype("float64"),
    )


def orders(partition: date) -> pd.DataFrame:
    """Return the next day's parcels, which are known when this day ends."""
    rows = planned(partition + timedelta(days=1))
    rows.insert(2, "announced_at", as_of(partition, ZONE))
    return rows


def traffic(day: date) -> pd.DataFrame:
    """Return the hourly speed around each depot."""
    random = np.random.default_rng(20_000_000 + day.toordinal())
    hours = pd.date_range(_start(day), periods=24, freq="h")
    return pd.DataFrame(
        {
            "depot": np.repeat(DEPOTS, len(hours)),
            "observed_at": list(hours) * len(DEPOTS),
            "speed": random.uniform(10, 80, len(hours) * len(DEPOTS)).round(1),
        }
    )


def record_alert(alert) -> None:
    """Write an alert to a file beside this one."""
    with Path(__file__).with_name("alerts.txt").open("a") as file:
        print(alert.pipeline, alert.partition, alert.message, file=file)


def _start(day: date) -> pd.Timestamp:
    return pd.Timestamp(day, tz=ZONE).tz_convert("UTC")


CHANGES = {
    "fewer parcels": lambda parcels: parcels.iloc[5:].reset_index(drop=True),
    "no keys": lambda parcels: parcels.assign(parcel_id=None),
    "no rows": lambda parcels: parcels.iloc[:0],
    "impossible times": lambda parcels: parcels.assign(
        sent_at=parcels["sent_at"] + pd.Timedelta(days=3000), courier="PLANTED-ROW"
    ),
}
