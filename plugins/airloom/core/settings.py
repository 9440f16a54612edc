"""Where Airloom keeps what it makes: one folder, `var/`, unless the environment says otherwise."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Settings:
    """The places of one installation.

    Args:
        project: The folder with `dags/`, `plugins/` and `include/`.
        var: The folder for everything that runs make.
        state_url: SQLAlchemy URL of the state database (MLflow, Feast registry, ledger).
    """

    project: Path
    var: Path
    state_url: str

    @classmethod
    def from_environment(cls) -> Settings:
        """Read `AIRLOOM_PROJECT`, `AIRLOOM_VAR` and `AIRLOOM_STATE_URL`, each with its default."""
        project = Path(os.environ.get("AIRLOOM_PROJECT", PROJECT))
        var = Path(os.environ.get("AIRLOOM_VAR", project / "var"))
        state_url = os.environ.get("AIRLOOM_STATE_URL", f"sqlite:///{var / 'state' / 'airloom.db'}")
        return cls(project=project, var=var, state_url=state_url)

    @property
    def include(self) -> Path:
        """The folder with one pipeline per folder."""
        return self.project / "include"

    @property
    def lake(self) -> Path:
        """The root of the versioned tables."""
        return self.var / "lake"

    @property
    def staging(self) -> Path:
        """Extracted and not yet audited data."""
        return self.var / "staging"

    @property
    def quarantine(self) -> Path:
        """Rows and partitions that failed a critical expectation."""
        return self.var / "quarantine"

    @property
    def validations(self) -> Path:
        """Immutable validation results."""
        return self.var / "validations"

    @property
    def training(self) -> Path:
        """Assembled training sets and per-row evaluations."""
        return self.var / "training"

    @property
    def artifacts(self) -> Path:
        """MLflow's artifacts."""
        return self.var / "mlflow"

    @property
    def online(self) -> Path:
        """The file of the SQLite online store."""
        return self.var / "online.db"

    @property
    def lineage(self) -> Path:
        """The file of the OpenLineage file transport, one event a line."""
        return self.var / "lineage" / "events.ndjson"
