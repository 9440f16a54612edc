"""Names of datasets and jobs in lineage: one scheme for tables, feature views, runs, models and predictions."""

from __future__ import annotations

#: One namespace for everything that Airloom keeps; asset URIs begin with the same word.
NAMESPACE = "airloom"


def dataset_name(pipeline: str, dataset: str) -> str:
    """Return the name of a dataset in lineage and assets: `flight_delays/raw.flights`."""
    return f"{pipeline}/{dataset}"
