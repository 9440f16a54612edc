"""The source: a reading of every machine on every day; a day is made from the day alone."""

from datetime import date, timedelta

import numpy as np
import pandas as pd

MACHINES = 40
MATERIALS = np.array(["brass", "iron", "steel"])


def by_number(partition: date) -> dict[str, pd.DataFrame]:
    """Return a day's readings, of machines that have a number."""
    return {"readings": readings(partition).assign(machine_id=np.arange(MACHINES) + 10**12)}


def by_text(partition: date) -> dict[str, pd.DataFrame]:
    """Return a day's readings, of machines that have a serial number with letters."""
    return {"readings": readings(partition).assign(serial=[f"Ä-{number:03}/x" for number in range(MACHINES)])}


def by_several(partition: date) -> dict[str, pd.DataFrame]:
    """Return a day's readings, of machines that are told by their plant and their line."""
    numbers = np.arange(MACHINES)
    plants = np.array(["north", "south"])[numbers % 2]
    return {"readings": readings(partition).assign(plant=plants, line=numbers // 2)}


def readings(day: date) -> pd.DataFrame:
    """Return the readings; hot machines fail, of brass sooner."""
    random = np.random.default_rng(day.toordinal())
    heat, material = random.normal(60, 15, MACHINES), MATERIALS[np.arange(MACHINES) % 3]
    left = np.clip(140 - heat - 20 * (material == "brass") + random.normal(0, 5, MACHINES), 0, None)
    noon = pd.Timestamp(day, tz="UTC") + timedelta(hours=15)
    return pd.DataFrame(
        {
            "day": day.isoformat(),
            "read_at": noon + pd.to_timedelta(np.arange(MACHINES), unit="s"),
            "material": np.where(random.random(MACHINES) < 0.05, None, material),
            "heat": np.where(random.random(MACHINES) < 0.05, np.nan, heat),
            "age": random.integers(0, 30, MACHINES),
            "fails": np.where(left < 70, "fails", "runs on"),
            "state": np.select([left < 60, left < 80], ["broken", "worn"], "fine"),
            "hours_left": left,
        }
    )
