"""Where Airloom keeps what it makes: one folder, `var/`, unless the environment names servers and a bucket."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airloom.core.places import Place, S3Path, parse_place

PROJECT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Settings:
    """The places of one installation.

    Args:
        project: The folder with `dags/`, `plugins/` and `include/`.
        var: The folder for what is made on this machine.
        state_url: SQLAlchemy URL of the state database (ledger, Feast registry; MLflow too, unless it has a server).
        storage: What all machines share: tables, audits, training sets. By default `var`.
        online_url: URL of the online store, `postgresql://` or `redis://`. By default a SQLite file in `var`.
        tracking_url: Address of an MLflow tracking server. By default MLflow's tables are in the state database.
        predictions_url: SQLAlchemy URL of the database that predictions are copied to, where a pipeline says so.
    """

    project: Path
    var: Path
    state_url: str = field(repr=False)
    storage: Place | None = None
    online_url: str = field(default="", repr=False)
    tracking_url: str = field(default="", repr=False)
    predictions_url: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] = os.environ) -> Settings:
        """Read `AIRLOOM_PROJECT`, `_VAR` and, with `_URL` after them, `_STATE`, `_STORAGE`, `_ONLINE` and so on.

        Args:
            variables: The environment; one that is missing or empty has its default.

        Raises:
            SetupError: The storage is neither a folder nor in S3.
        """
        # Processes that are started from here work in other folders.
        project = Path(variables.get("AIRLOOM_PROJECT") or PROJECT).absolute()
        var = Path(variables.get("AIRLOOM_VAR") or project / "var").absolute()
        storage = variables.get("AIRLOOM_STORAGE_URL")
        return cls(
            project=project,
            var=var,
            state_url=variables.get("AIRLOOM_STATE_URL") or f"sqlite:///{var / 'state' / 'airloom.db'}",
            storage=parse_place(storage) if storage else None,
            online_url=variables.get("AIRLOOM_ONLINE_URL", ""),
            tracking_url=variables.get("AIRLOOM_TRACKING_URL", ""),
            predictions_url=variables.get("AIRLOOM_PREDICTIONS_URL", ""),
        )

    @property
    def include(self) -> Path:
        """The folder with one pipeline per folder."""
        return self.project / "include"

    @property
    def shared(self) -> Place:
        """The root of what all machines share."""
        return self.storage or self.var

    @property
    def tracking_uri(self) -> str:
        """Where MLflow's runs and models are: its server, or the state database."""
        return self.tracking_url or self.state_url

    @property
    def lake(self) -> Place:
        """The root of the versioned tables."""
        return self.shared / "lake"

    @property
    def staging(self) -> Place:
        """Extracted and not yet audited data."""
        return self.shared / "staging"

    @property
    def quarantine(self) -> Place:
        """Rows and partitions that failed a critical expectation."""
        return self.shared / "quarantine"

    @property
    def validations(self) -> Place:
        """Immutable validation results."""
        return self.shared / "validations"

    @property
    def training(self) -> Place:
        """Assembled training sets and per-row evaluations."""
        return self.shared / "training"

    @property
    def artifacts(self) -> Path:
        """MLflow's artifacts, where it has no server that keeps them."""
        return self.var / "mlflow"

    @property
    def online(self) -> Path:
        """The file of the SQLite online store."""
        return self.var / "online.db"

    @property
    def lineage(self) -> Place:
        """The events of OpenLineage: a file with one a line, or a prefix of the bucket with one an object."""
        return self.storage / "lineage" if isinstance(self.storage, S3Path) else self.delivery / "events.ndjson"

    @property
    def delivery(self) -> Path:
        """What this machine still has to tell a lineage backend."""
        return self.var / "lineage"
