"""What this machine has to offer: room on its disk, and ports that only it can reach."""

from __future__ import annotations

import ipaddress
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from airloom.core.wording import counted
from airloom.launcher.doctor.findings import Finding, ok, warning, wrong
from airloom.launcher.doctor.subject import Subject

if TYPE_CHECKING:
    import psutil

_GIB = 2**30
_LITTLE, _TOO_LITTLE = 5 * _GIB, 1 * _GIB
_FREE = "airloom vacuum <pipeline> --dry-run shows what may go; or give it more room"


def disk(subject: Subject) -> Iterator[Finding]:
    """Look at the room that is left where files of this machine are made, and in a folder that all share."""
    var, storage = subject.settings.var, subject.settings.storage
    yield judge_room(var, shutil.disk_usage(existing(var)).free)
    if isinstance(storage, Path) and existing(storage).stat().st_dev != existing(var).stat().st_dev:
        yield judge_room(storage, shutil.disk_usage(existing(storage)).free)


def judge_room(folder: Path, free: int) -> Finding:
    """Judge how many bytes are free."""
    said = f"{free / _GIB:,.1f} GiB free for {folder}"
    if free < _TOO_LITTLE:
        return wrong("disk", said, _FREE)
    return warning("disk", said, _FREE) if free < _LITTLE else ok("disk", said)


def existing(folder: Path) -> Path:
    """Return the folder, or the nearest above it that is there."""
    return next(each for each in (folder, *folder.absolute().parents) if each.exists())


def ports(subject: Subject) -> Iterator[Finding]:
    """Find what the servers that `airloom up` has started let other machines connect to."""
    running = subject.services.running()
    listening = {server.name: _listening(server.session()) for server in running}
    for name, addresses in listening.items():
        for host, port in sorted(addresses):
            if not ipaddress.ip_address(host).is_loopback:
                said = f"{name} listens on {host}:{port}, where other machines can reach it"
                yield wrong("ports", said, "airloom down && airloom up; what else was started by hand must be ended")
                return
    if not running:
        yield ok("ports", "no server that airloom up has started runs on this machine")
    else:
        count = sum(map(len, listening.values()))
        yield ok("ports", f"{counted(count, 'port')} open, on the loopback address only")


def _listening(processes: list[psutil.Process]) -> set[tuple[str, int]]:
    import psutil

    found: set[tuple[str, int]] = set()
    for process in processes:
        with suppress(psutil.Error):
            for each in process.net_connections("inet"):
                if each.status == psutil.CONN_LISTEN:
                    found.add((each.laddr.ip, each.laddr.port))
    return found
