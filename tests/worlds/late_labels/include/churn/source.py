"""The source: customers who are looked at every day, and what became of each look; a day is made from the day alone."""

from datetime import date, timedelta
from functools import cache

import numpy as np
import pandas as pd

from airloom.core.partitions import as_of

ZONE = "Europe/Berlin"
JOINING = 2
PLANS = ["free", "basic", "premium"]
LONGEST_LIFE = 240
HORIZON = timedelta(days=7)
#: A leaver is noticed within five days; looks of the week before have an outcome until then.
KNOWN_WITHIN = 12


def extract(partition: date) -> dict[str, pd.DataFrame]:
    """Return a day's customers and their profiles, and the outcomes that became known on it."""
    return {"customers": customers(partition), "profiles": profiles(partition), "outcomes": outcomes(partition)}


def mistaken(partition: date) -> dict[str, pd.DataFrame]:
    """Return what the source said of a day at first, before it was corrected: half of the rows, with other values."""
    halves = {name: rows.iloc[::2] for name, rows in extract(partition).items()}
    halves["customers"] = halves["customers"].assign(visits=halves["customers"]["visits"] * 2)
    halves["outcomes"] = halves["outcomes"].assign(churned=1 - halves["outcomes"]["churned"])
    return halves


def leavers(partition: date) -> dict[str, pd.DataFrame]:
    """Return a day whose outcomes are those of leavers alone; on every third day there are none."""
    tables = extract(partition)
    left = tables["outcomes"][tables["outcomes"]["churned"] == 1]
    return {**tables, "outcomes": left.iloc[:0] if partition.day % 3 == 0 else left}


def customers(day: date) -> pd.DataFrame:
    """Return all customers at the end of a day; leavers visit less, and some rows arrive after midnight."""
    rows, random = living(day), np.random.default_rng(10_000_000 + day.toordinal())
    fading = rows["left_at"] < end(day) + timedelta(days=14)
    known = np.where(random.random(len(rows)) < 0.02, 3, -1)
    return pd.DataFrame(
        {
            "customer_id": rows["customer_id"],
            "snapshot_day": day.isoformat(),
            "seen_at": end(day) - timedelta(hours=1),
            "known_at": end(day) + pd.to_timedelta(known, unit="h"),
            "plan": rows["plan"],
            "visits": random.poisson(np.where(fading, 2, 4)),
        }
    )


def profiles(day: date) -> pd.DataFrame:
    """Return the profiles at the end of a day; many leavers have deleted theirs, ten days before they leave."""
    rows = living(day)
    there = ~(rows["deletes_profile"] & (rows["left_at"] < end(day) + timedelta(days=10)))
    return rows.loc[there, ["customer_id", "age"]].assign(updated_at=end(day) - timedelta(hours=2))


def outcomes(day: date) -> pd.DataFrame:
    """Return what became known on a day: who has left, who has stayed for a week, and what was wrong before."""
    looks = pd.concat([became(day - timedelta(days=back)) for back in range(1, KNOWN_WITHIN + 1)])
    return looks[looks["known_at"].dt.tz_convert(ZONE).dt.date == day]


@cache
def became(snapshot: date) -> pd.DataFrame:
    """Return all outcomes of the looks of a day, in the order in which they became known.

    A customer whose leaving is not noticed within the week has stayed at first, and is corrected. Of those who have
    stayed, a few were taken for leavers.
    """
    rows, until = living(snapshot), end(snapshot + HORIZON)
    random = np.random.default_rng(20_000_000 + snapshot.toordinal())
    left = rows[rows["left_at"] <= until]
    left = left.assign(happened_at=left["left_at"], known_at=left["noticed_at"], churned=1.0)
    stayed = rows[rows["noticed_at"] >= until]
    stayed = stayed.assign(happened_at=until - timedelta(hours=1), known_at=until - timedelta(hours=1), churned=0.0)
    wrong = stayed[random.random(len(stayed)) < 0.02]
    wrong = wrong.assign(happened_at=end(snapshot) + timedelta(hours=60), churned=1.0)
    wrong = wrong.assign(known_at=wrong["happened_at"])
    found = pd.concat([left, stayed, wrong]).assign(snapshot_day=snapshot.isoformat())
    return found[["customer_id", "snapshot_day", "happened_at", "known_at", "churned"]].sort_values("known_at")


@cache
def living(day: date) -> pd.DataFrame:
    """Return the customers who have not left at the end of a day, with all that will become of them."""
    rows = pd.concat([joined(day - timedelta(days=back)) for back in range(LONGEST_LIFE)], ignore_index=True)
    return rows[rows["left_at"] > end(day)].reset_index(drop=True)


@cache
def joined(day: date) -> pd.DataFrame:
    """Return the customers who join on a day, when each will leave, and when that will be noticed."""
    random = np.random.default_rng(day.toordinal())
    minutes = random.integers(40 * 1440, LONGEST_LIFE * 1440, JOINING)
    slow = random.random(JOINING) < 0.3
    unnoticed = np.where(slow, random.integers(2 * 1440, 5 * 1440, JOINING), random.integers(10, 600, JOINING))
    left_at = end(day) + pd.to_timedelta(minutes, unit="min")
    return pd.DataFrame(
        {
            "customer_id": [f"{day}/{number}" for number in range(JOINING)],
            "plan": random.choice(PLANS, JOINING),
            "age": random.integers(18, 80, JOINING),
            "deletes_profile": random.random(JOINING) < 0.7,
            "left_at": left_at,
            "noticed_at": left_at + pd.to_timedelta(unnoticed, unit="min"),
        }
    )


def end(day: date) -> pd.Timestamp:
    """Return the end of a day."""
    return pd.Timestamp(as_of(day, ZONE))
