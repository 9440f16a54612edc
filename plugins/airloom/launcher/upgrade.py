"""Brings what is kept in databases to what this code works with: part of a deployment, never of a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from airloom.core.declaration import find_pipeline, read_pipelines
from airloom.core.errors import DeclarationError
from airloom.core.pipeline import Pipeline
from airloom.core.places import S3Path
from airloom.core.reserved import PREFIX
from airloom.core.settings import Settings
from airloom.core.wording import counted
from airloom.launcher.brought import Brought
from airloom.launcher.features import apply_pipeline
from airloom.steps.outcomes import PREDICTIONS
from airloom.stores.database import is_sqlite
from airloom.stores.lake import Lake
from airloom.stores.ledger_mark import accept_loss, require_ledger
from airloom.stores.sink import open_sink

Report = Callable[[str], None]


def upgrade(settings: Settings, report: Report, create_bucket: bool, accepting: str | None = None) -> Iterator[Brought]:
    """Look at the bucket, upgrade Airloom's tables, make MLflow's, and register what pipelines define.

    Doing so again, or in several places at once, changes nothing. A pipeline that is broken is told and harms no other.

    Args:
        settings: The places of the installation.
        report: Is told what is being done.
        create_bucket: Whether to make the bucket where there is none.
        accepting: Who accepts that the state database lacks champions which the lake knows of; None for nobody.

    Yields:
        Each part when it is done.

    Raises:
        SetupError: S3 or a database cannot be reached or changed, a newer code has upgraded it, or champions are lost.
    """
    if isinstance(settings.storage, S3Path):
        report(f"looking at the bucket {settings.storage.bucket}")
        yield _look_at_bucket(settings.storage, create_bucket)
    report("upgrading the state database")
    if accepting is None:
        require_ledger_file(settings)
    yield _upgrade_state(settings)
    report("comparing the ledger with the lake")
    yield from _compare_ledgers(settings, accepting)
    report("looking at MLflow's tables")
    yield _upgrade_mlflow(settings)
    pipelines, broken = read_pipelines(settings.include)
    for pipeline in pipelines:
        report(f"registering the features of {pipeline.name}")
        yield _register(settings, pipeline)
    # Told and not raised: the servers of all other pipelines wait for this to end well.
    yield from (Brought("a pipeline", changed=False, outcome=f"is broken. {error}") for error in broken)


def rename_columns(settings: Settings, name: str | None, report: Report) -> Iterator[Brought]:
    """Give the columns that Airloom adds to predictions the prefix that new tables have, in the lake and in SQL.

    A kill leaves each table as it was or renamed; doing so again does what is left.

    Args:
        settings: The places of the installation.
        name: The pipeline, None for all of them.
        report: Is told what is being done.

    Yields:
        Each table when it is done.

    Raises:
        DeclarationError: There is no such pipeline, or it is broken.
        SetupError: A SQL table cannot be altered.
        Unavailable: A database cannot be reached, or a table of the lake kept changing.
    """
    from airloom.stores.renaming import rename_predictions

    for pipeline in [find_pipeline(settings.include, name)] if name else read_pipelines(settings.include)[0]:
        report(f"renaming columns of {pipeline.name}")
        scored = pipeline.tables[pipeline.score.entities]
        yield _renamed(
            f"predictions of {pipeline.name}",
            rename_predictions(Lake(settings.lake / pipeline.name), PREDICTIONS, (*scored.key, scored.time)),
        )
        if sink := open_sink(pipeline, settings):
            yield _renamed(f"SQL table {sink.name}", sink.rename())


def _renamed(part: str, changed: bool) -> Brought:
    return Brought(part, changed, f"columns of ours begin with {PREFIX}{' now' if changed else ''}")


def require_ledger_file(settings: Settings) -> None:
    """Make sure that no state database is made in the place of one that is gone and can be restored.

    A server's tables are made by `upgrade`, and compared afterwards.

    Raises:
        SetupError: The state database is a file that is not there, or lacks champions that a lake knows of.
    """
    if is_sqlite(settings.state_url):
        for pipeline in read_pipelines(settings.include)[0]:
            require_ledger(pipeline.name, settings)


def _compare_ledgers(settings: Settings, accepting: str | None) -> Iterator[Brought]:
    """Compare what every lake knows of champions with the ledger; what is lost is given up if somebody accepts."""
    for pipeline in read_pipelines(settings.include)[0]:
        if accepting is None:
            require_ledger(pipeline.name, settings)
        elif lost := accept_loss(pipeline.name, settings, accepting):
            yield Brought(f"champions of {pipeline.name}", changed=True, outcome=f"given up: {lost}")


def _register(settings: Settings, pipeline: Pipeline) -> Brought:
    part, views = f"features of {pipeline.name}", counted(len(pipeline.features.views), "feature view")
    try:
        changed = apply_pipeline(settings, pipeline)
    except DeclarationError as error:
        return Brought(part, changed=False, outcome=f"not registered. {error}")
    return Brought(part, changed, f"{views} registered" if changed else f"{views}, as they were")


def _look_at_bucket(storage: S3Path, create: bool) -> Brought:
    """Make sure that there is a bucket, and that its server can be trusted with commits."""
    from airloom.stores.objects import create_bucket
    from airloom.stores.single_creation import require_single_creation

    new = create and create_bucket(storage)
    require_single_creation(storage)
    return Brought("bucket", changed=new, outcome=f"{storage.bucket} {'created' if new else 'was there'}")


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
