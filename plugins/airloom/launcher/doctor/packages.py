"""Whether the environment is the one that was tested."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import replace

from airloom.core.errors import SetupError
from airloom.launcher.doctor.findings import Finding, ok, told
from airloom.launcher.doctor.subject import Subject
from airloom.launcher.installation import LOCK, pins, require_installation

_IMAGE = "build the image again from this lock, with Compose: docker compose up --build --detach"


def packages(subject: Subject) -> Iterator[Finding]:
    """Compare Python and every package with the lock."""
    project = subject.settings.project
    try:
        require_installation(project)
    except SetupError as error:
        found = told("packages", error)
        yield replace(found, do=_IMAGE) if subject.on_servers else found
        return
    count = len(pins((project / LOCK).read_text(encoding="utf-8")))
    yield ok("packages", f"{count} packages as in {LOCK}, Python {platform.python_version()}")
