"""Brings everything that an installation on one machine has made to the databases and the storage of this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from airloom.core.declaration import read_pipelines
from airloom.core.errors import SetupError, UsageError
from airloom.core.settings import Settings
from airloom.core.wording import counted
from airloom.launcher.brought import Brought
from airloom.launcher.importing.ledger import import_ledger, is_imported
from airloom.launcher.importing.lineage import import_lineage
from airloom.launcher.importing.models import import_models
from airloom.launcher.importing.online import fill_online
from airloom.launcher.ports import Ports
from airloom.launcher.services import Services
from airloom.stores.copied_files import copy_files

Report = Callable[[str], None]


def import_installation(var: Path, settings: Settings, report: Report) -> Iterator[Brought]:
    """Copy tables, audits, training sets, runs, models, lineage and ledger; nothing is changed where they come from.

    The ledger is last: once it is there, everything is. Interrupted, it can be done again; done again, it does nothing.

    Args:
        var: The folder of the other installation, its `var`.
        settings: The places of this installation, whose databases are upgraded.
        report: Is told what is being done.

    Yields:
        Each part when it is done.

    Raises:
        UsageError: There is no installation in the folder, or it is this one.
        DeclarationError: A pipeline here is broken; nothing was copied.
        SetupError: It was not stopped, or a server here cannot be reached or refuses.
        DataError: Something else of the same name is here already.
    """
    source = _installation_in(var, settings)
    report("comparing the ledgers")
    if is_imported(source, settings):
        yield Brought("everything", changed=False, outcome="was imported before")
        return
    pipelines, broken = read_pipelines(settings.include)
    if broken:
        # The ledger, which says that everything is there, must not come without somebody's online features.
        raise broken[0]
    yield from _import_files(source, settings, report)
    report("copying runs and models")
    yield import_models(source, settings)
    report("copying lineage")
    yield import_lineage(source, settings)
    for pipeline in pipelines:
        report(f"writing the online features of {pipeline.name}")
        yield fill_online(pipeline, settings)
    report("copying the ledger")
    yield import_ledger(source, settings)


def _installation_in(var: Path, settings: Settings) -> Settings:
    """Return the places of an installation that has no servers, and was stopped.

    Raises:
        UsageError: There is none, or it is this one.
        SetupError: It was not stopped.
    """
    database = var.resolve() / "state" / "airloom.db"
    if not database.is_file():
        raise UsageError(
            "There is no installation to import.",
            where=str(var),
            found="no state/airloom.db",
            expected="the folder var of an installation on one machine",
        )
    source = Settings(settings.project, var.resolve(), f"sqlite:///{database}")
    if source.state_url == settings.state_url:
        raise UsageError(
            "This installation cannot import itself.",
            where="AIRLOOM_STATE_URL",
            found=settings.state_url,
            expected="another database than that of the installation to import",
        )
    # Their processes cannot be seen from a container, nor from another machine: what they have left behind can.
    if left := [each.record for each in Services(source, Ports()).all if each.record.is_file()]:
        raise SetupError(
            "The installation to import still runs, or has crashed.",
            where=str(left[0].parent),
            found=", ".join(record.name for record in left),
            expected="none of these: an installation that is stopped",
            do="make down where it runs, after a crash too: it removes them",
        )
    return source


def _import_files(source: Settings, settings: Settings, report: Report) -> Iterator[Brought]:
    """Copy what is in the storage."""
    if settings.shared == source.shared:
        return
    for part, folder, place in (
        ("tables", "lake", settings.lake),
        ("audits", "validations", settings.validations),
        ("quarantine", "quarantine", settings.quarantine),
        ("training sets", "training", settings.training),
    ):
        report(f"copying {part}")
        copied = copy_files(source.var / folder, place, partial(_tell, report, part))
        yield Brought(part, changed=copied > 0, outcome=f"{counted(copied, 'file')} copied")


def _tell(report: Report, part: str, done: int, of: int) -> None:
    report(f"copying {part}: {done:,} of {of:,} files")
