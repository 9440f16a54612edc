"""Whether the environment is the one that was tested."""

from __future__ import annotations

import platform
from collections.abc import Iterator

from airloom.launcher.doctor.findings import Finding, ok
from airloom.launcher.doctor.subject import Subject
from airloom.launcher.installation import LOCK, pins, require_installation


def packages(subject: Subject) -> Iterator[Finding]:
    """Compare Python and every package with the lock."""
    project = subject.settings.project
    require_installation(project)
    count = len(pins((project / LOCK).read_text(encoding="utf-8")))
    yield ok("packages", f"{count} packages as in {LOCK}, Python {platform.python_version()}")
