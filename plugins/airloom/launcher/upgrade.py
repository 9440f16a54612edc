"""Brings what is kept in databases to what this code works with: part of a deployment, never of a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from airloom.core.declaration import read_pipelines
from airloom.core.settings import Settings
from airloom.core.wording import counted
from airloom.launcher.brought import Brought
from airloom.launcher.features import apply_pipeline

Report = Callable[[str], None]


def upgrade(settings: Settings, report: Report) -> Iterator[Brought]:
    """Upgrade Airloom's tables, make MLflow's where it has no server, and register what pipelines define.

    Doing so again, or in several places at once, changes nothing.

    Args:
        settings: The places of the installation.
        report: Is told what is being done.

    Yields:
        Each part when it is done.

    Raises:
        SetupError: A database cannot be reached or changed, or a newer code has upgraded it.
        DeclarationError: A pipeline is broken; everything else was done before.
    """
    report("upgrading the state database")
    yield _upgrade_state(settings)
    report("looking at MLflow's tables")
    yield _upgrade_mlflow(settings)
    pipelines, broken = read_pipelines(settings.include)
    for pipeline in pipelines:
        report(f"registering the features of {pipeline.name}")
        changed = apply_pipeline(settings, pipeline)
        views = counted(len(pipeline.features.views), "feature view")
        yield Brought(
            f"features of {pipeline.name}", changed, f"{views} registered" if changed else f"{views}, as they were"
        )
    if broken:
        raise broken[0]


def _upgrade_state(settings: Settings) -> Brought:
    from airloom.stores.state_schema import upgrade_state

    found = upgrade_state(settings.state_url)
    if found.before == found.after:
        return Brought("ledger", changed=False, outcome=f"revision {found.after}, as it was")
    before = f"from revision {found.before} " if found.before else ""
    return Brought("ledger", changed=True, outcome=f"upgraded {before}to revision {found.after}")


def _upgrade_mlflow(settings: Settings) -> Brought:
    """Let MLflow make its tables before several tasks would try at once."""
    from airloom.stores.tracking import has_tables, open_client

    if settings.tracking_url:
        open_client(settings)
        return Brought("MLflow", changed=False, outcome="has a server of its own, which answers")
    settings.artifacts.mkdir(parents=True, exist_ok=True)
    there = has_tables(settings)
    open_client(settings)
    return Brought("MLflow", changed=not there, outcome="tables, as they were" if there else "tables created")
