"""Settings of a test's installation, a declaration, and the function that publishes a table's day."""

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from airloom.core.settings import Settings
from airloom.stores.content import content_version
from airloom.stores.lake import Lake, PartitionVersion
from airloom.stores.lake_types import held

PROJECT = Path(__file__).parents[2]


def settings_at(folder: Path, project: Path = PROJECT, **more: Any) -> Settings:
    """Return the settings of an installation on one machine, which keeps everything in `var/` of a folder."""
    var = folder / "var"
    return Settings(project=project, var=var, state_url=f"sqlite:///{var}/state/airloom.db", **more)


def project_at(folder: Path) -> Settings:
    """Return the settings of an installation whose project, written by the test, is in the folder too."""
    return settings_at(folder, project=folder)


def declaration(name: str, **sections: Any) -> dict[str, Any]:
    """Return a declaration as YAML has it; the caller adds tables, features, label and score, or replaces a section."""
    return {
        "name": name,
        "description": "A pipeline of the tests",
        "owner": "tests",
        "schedule": {"nightly": "02:00", "timezone": "America/New_York", "start": date(2024, 1, 1)},
        "source": "none:none",
        "train": {"window": "5d", "holdout": "2d", "inputs": {}, "candidates": {"one": {"fit": "none:none"}}},
        "gate": {"metric": "roc_auc"},
        **sections,
    }


def publish(
    settings: Settings,
    pipeline: str,
    table: str,
    day: date,
    rows: pd.DataFrame | pa.Table,
    degraded: bool = False,
    facts: dict[str, Any] | None = None,
) -> None:
    """Replace a table's day, under the version of its content as the lake holds it."""
    given = rows if isinstance(rows, pa.Table) else pa.Table.from_pandas(rows, preserve_index=False)
    content = held(given.replace_schema_metadata(None), table)
    version = PartitionVersion(day, content_version(content), degraded=degraded)
    Lake(settings.lake / pipeline).replace(table, version, content, facts)
