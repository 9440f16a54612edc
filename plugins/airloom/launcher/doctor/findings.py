"""What a check has found: a name, a state, what was found and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from airloom.core.errors import AirloomError
from airloom.core.failures import failure

if TYPE_CHECKING:
    from airloom.launcher.doctor.subject import Subject

State = Literal["ok", "skipped", "warning", "wrong"]


@dataclass(frozen=True)
class Finding:
    """What a check has found.

    Args:
        check: The check.
        state: Whether all is well; `skipped` where nobody has looked.
        said: What was found; no secret is in it.
        do: What to do about it; empty where nothing is to be done.
    """

    check: str
    state: State
    said: str
    do: str = ""


@dataclass(frozen=True)
class Check:
    """One thing to look at.

    Args:
        name: What people call it.
        look: Looks, and yields what it finds; an AirloomError is a finding too.
        needs: Checks that must be well before this one makes sense.
    """

    name: str
    look: Callable[[Subject], Iterator[Finding]]
    needs: tuple[str, ...] = ()

    def findings(self, subject: Subject) -> list[Finding]:
        """Look, and turn whatever goes wrong into a finding."""
        found: list[Finding] = []
        try:
            found.extend(self.look(subject))
        except AirloomError as error:
            found.append(told(self.name, error))
        except Exception as error:  # noqa: BLE001 - a check that fails says so, and keeps no other from being made
            found.append(_failed(self.name, error))
        return found


def ok(check: str, said: str) -> Finding:
    """Return the finding that all is well, or that there is nothing to look at."""
    return Finding(check, "ok", said)


def skipped(check: str, said: str) -> Finding:
    """Return the finding that nobody has looked, because something else comes first."""
    return Finding(check, "skipped", said)


def warning(check: str, said: str, do: str) -> Finding:
    """Return the finding that something will not stay well."""
    return Finding(check, "warning", said, do)


def wrong(check: str, said: str, do: str) -> Finding:
    """Return the finding that something does not work, or must not stay so."""
    return Finding(check, "wrong", said, do)


def told(check: str, error: AirloomError) -> Finding:
    """Return the finding that an error describes."""
    details = ": ".join(filter(None, [error.where, error.found]))
    do = error.do or (f"expected: {error.expected}" if error.expected else "")
    return wrong(check, " ".join(f"{error.what} {details}".split()), do)


def _failed(check: str, error: Exception) -> Finding:
    return wrong(check, f"it could not be looked at: {failure(error)}", "report this as a bug of Airloom")
