"""Whether lineage events reach their backend, and how many have not."""

from __future__ import annotations

import os
from collections.abc import Iterator

from airloom.core.errors import SetupError
from airloom.core.wording import counted
from airloom.launcher.doctor.findings import Finding, ok, warning
from airloom.launcher.doctor.subject import Subject
from airloom.launcher.environment import configured_by_hand
from airloom.launcher.lineage import backend_key
from airloom.lineage.delivery.address import KEY, Address
from airloom.lineage.delivery.unsent import Unsent

_SECONDS = 5.0
_NO_SUCH_PATH = 404
_KEYLESS = (401, 403)
_BROKEN = 500
_OFF = ("AIRFLOW__OPENLINEAGE__DISABLED", "OPENLINEAGE_DISABLED")
#: As the provider reads the second of them.
_TRUE = ("true", "1", "t")


def lineage(subject: Subject) -> Iterator[Finding]:
    """Ask the backend for anything, and count what it has not accepted."""
    backend = Address.from_environment()
    if _is_switched_off():
        said = "OpenLineage is switched off: no event is kept or sent"
        yield warning("lineage", said, f"unset {' and '.join(_OFF)}")
    elif configured_by_hand(os.environ):
        yield ok("lineage", "your own configuration of OpenLineage is used")
    elif backend is None:
        yield ok("lineage", f"no backend is used; events are kept in {subject.settings.lineage}")
    else:
        yield _answered(backend, subject)
    yield from _left(Unsent(subject.settings.delivery))


def _is_switched_off() -> bool:
    from airflow.configuration import conf

    return conf.getboolean("openlineage", "disabled", fallback=False) or os.environ.get(_OFF[1], "").lower() in _TRUE


def _answered(backend: Address, subject: Subject) -> Finding:
    import httpx

    key = backend_key(backend, subject.settings)
    try:
        answer = httpx.get(backend.url, headers={"Authorization": key} if key else {}, timeout=_SECONDS)
    except httpx.HTTPError as error:
        found = str(error) or type(error).__name__
        raise _refused(backend, found, "start it, or correct AIRLOOM_LINEAGE_URL") from None
    said = f"{answer.status_code} {answer.reason_phrase}"
    if answer.status_code in _KEYLESS:
        raise _refused(backend, said, f"correct {KEY}, or the connection that holds the key")
    if answer.status_code >= _BROKEN:
        raise _refused(backend, said, "its own log says why")
    if answer.status_code == _NO_SUCH_PATH:
        return warning("lineage", f"{backend.url} answers {said}", "see that AIRLOOM_LINEAGE_URL has the right path")
    return ok("lineage", f"{backend.url} answers")


def _refused(backend: Address, found: str, do: str) -> SetupError:
    return SetupError("The lineage backend does not take events.", where=backend.url, found=found, do=do)


def _left(unsent: Unsent) -> Iterator[Finding]:
    waiting, refused = len(unsent.paths()), len(unsent.refusals())
    if waiting:
        yield warning("lineage", f"{counted(waiting, 'event')} not sent yet", "airloom lineage resend")
    if refused:
        do = f"airloom lineage status says why; they are kept in {unsent.folder / 'refused'}"
        yield warning("lineage", f"{counted(refused, 'event')} refused by the backend", do)
