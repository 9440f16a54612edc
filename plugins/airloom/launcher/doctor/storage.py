"""Whether the storage lets a process write, read, list and remove, and can be trusted with commits."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime

from airloom.core.errors import SetupError
from airloom.core.places import Place, S3Path
from airloom.launcher.doctor.clocks import judge_clock
from airloom.launcher.doctor.findings import Finding, ok
from airloom.launcher.doctor.subject import Subject
from airloom.stores.files import create_file, files_below, read_bytes, remove_file, remove_folder
from airloom.stores.objects import require_answer, server_time
from airloom.stores.single_creation import require_single_creation


def storage(subject: Subject) -> Iterator[Finding]:
    """Try everything that Airloom does with a file of its own, which is removed again."""
    place = subject.settings.shared
    if not isinstance(place, S3Path) and not place.is_dir():
        raise SetupError("The folder of the storage is not there yet.", where=str(place), do=f"run: {subject.repair}")
    if isinstance(place, S3Path):
        require_answer(place)
    try:
        _try(place / f".airloom-doctor-{secrets.token_hex(8)}")
        if isinstance(place, S3Path):
            require_single_creation(place)
    except OSError as error:
        raise SetupError(
            "The storage cannot be used.",
            where=str(place),
            found=error.strerror or type(error).__name__,
            do="let this user read, write, list and remove there",
        ) from None
    yield ok("storage", f"{place} can be written, read, listed and removed")
    if isinstance(place, S3Path):
        before, there = datetime.now(UTC), server_time(place)
        yield judge_clock("clock of the storage", before, there, datetime.now(UTC))


def _try(folder: Place) -> None:
    probe = folder / "probe"
    try:
        create_file(probe, "probe")
        _require(read_bytes(probe) == b"probe", folder, "What was written is not what is read.")
        _require([each.place for each in files_below(folder)] == [probe], folder, "What was written is not listed.")
        remove_file(probe)
        _require(not list(files_below(folder)), folder, "What was removed is still listed.")
    finally:
        remove_folder(folder)


def _require(holds: bool, place: Place, what: str) -> None:
    if not holds:
        raise SetupError(
            what,
            where=str(place),
            expected="a server that shows at once what was written and removed, as Amazon S3 does",
            do="use another server, or a newer version of it",
        )
