"""Series: what the newest known value of the same series predicts, and the newest of the same weekday.

The naive forecasts of Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., section 5.2, with what
was known as of each row's day.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airloom.core.partitions import day_range
from airloom.core.pipeline import Pipeline
from airloom.steps.examples import DAY, HAPPENED, KNOWN, as_ofs, entity, is_day, label_rows
from airloom.stores.lake import Lake

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

LATEST, SAME_WEEKDAY = "latest", "same_weekday"
#: So many days before the first row values are looked for.
_LOOK_BACK = timedelta(days=28)
_WEEKDAY, _AS_OF = "airloom_weekday", "airloom_as_of"


def predict_by_series(
    pipeline: Pipeline, rows: pd.DataFrame, lake: Lake, otherwise: np.ndarray
) -> dict[str, np.ndarray]:
    """Predict values by what the rows' series had last, as far as that was known at the end of their day.

    Args:
        pipeline: The declaration.
        rows: Scored rows, with the key and the day.
        lake: The tables, as they are read.
        otherwise: What is predicted for each row whose series has no known value.

    Returns:
        The predictions, by `latest` and `same_weekday`; none of a label that is no value, or where no row's series has
        a known one.
    """
    import numpy as np

    if pipeline.label.kind != "regression" or rows.empty:
        return {}
    series = list(pipeline.label.series or entity(pipeline, rows))
    days = sorted(set(rows[DAY]))
    first = max(pipeline.schedule.start, days[0] - _LOOK_BACK)
    known = label_rows(pipeline, day_range(first, days[-1]), lake)
    if not set(series) <= set(known):
        return {}
    values = known.dropna(subset=[pipeline.label.column, *series])
    values = values.assign(
        **{
            KNOWN: values[KNOWN].dt.as_unit("us"),
            _WEEKDAY: values[HAPPENED].dt.tz_convert(pipeline.schedule.timezone).dt.weekday,
        }
    )
    asked = rows[series].assign(**{_AS_OF: as_ofs(pipeline, rows).dt.as_unit("us"), _WEEKDAY: _weekday(pipeline, rows)})
    asked_by = {LATEST: series, SAME_WEEKDAY: [*series, _WEEKDAY]}
    found = {name: _newest(pipeline.label.column, asked, values, by) for name, by in asked_by.items()}
    if np.isnan(found[LATEST]).all():
        return {}
    return {name: np.where(np.isnan(each), otherwise, each) for name, each in found.items()}


def _weekday(pipeline: Pipeline, rows: pd.DataFrame) -> pd.Series:
    """Return the weekday on which each row's outcome happens: that of a day in its key, or of its horizon's end."""
    import pandas as pd

    target = next((name for name in pipeline.label_key if name in rows and is_day(rows[name])), None)
    days = rows[DAY] if target is None else rows[target]
    moments = pd.to_datetime(days)
    return (moments if target else moments + pipeline.label.horizon).dt.weekday


def _newest(column: str, asked: pd.DataFrame, values: pd.DataFrame, by: list[str]) -> np.ndarray:
    """Return for every row the value that had happened last, of those of its group that were known by then."""
    import pandas as pd

    ordered = values.sort_values([KNOWN, HAPPENED], kind="stable")
    # What is known later of an earlier day is no newer value.
    newest = ordered[ordered[HAPPENED] >= ordered.groupby(by, dropna=False)[HAPPENED].cummax()]
    left = asked.reset_index(drop=True).rename_axis("row").reset_index().sort_values(_AS_OF, kind="stable")
    found = pd.merge_asof(left, newest[[*by, KNOWN, column]], left_on=_AS_OF, right_on=KNOWN, by=by)
    return found.sort_values("row")[column].to_numpy(dtype=float)
