"""Lineage events that a backend has not accepted yet: one file an event, from before it is sent until it is accepted.

Whoever is sending an event holds a lock on its file, which ends with the process. So nothing is lost when a process
is killed in the middle, and no two processes send the same event.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from airloom.lineage.delivery.answer import Answer

_PRIVATE = 0o600
_counter = itertools.count()


@dataclass(frozen=True)
class Held:
    """An event that this process alone may send.

    Args:
        path: Its file.
        refused: Where it goes when it is refused.
        descriptor: The open file, which holds the lock.
    """

    path: Path
    refused: Path
    descriptor: int

    def event(self) -> str:
        """Return the event, as JSON."""
        return self.path.read_text(encoding="utf-8")

    def settle(self, answer: Answer) -> None:
        """Forget the event when it was accepted, put it aside when it was refused, and let it go."""
        try:
            if answer.outcome == "refused":
                self._put_aside(answer)
            if answer.outcome != "lost":
                self.path.unlink(missing_ok=True)
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Leave the event to the next who wants to send it."""
        os.close(self.descriptor)

    def _put_aside(self, answer: Answer) -> None:
        reason = {"status": answer.status, "answer": answer.words, "event": self.event().rstrip()}
        self.refused.parent.mkdir(mode=0o700, exist_ok=True)
        os.close(_written(self.refused, json.dumps(reason) + "\n"))


@dataclass(frozen=True)
class Unsent:
    """The events of one installation that a backend has not accepted.

    Args:
        folder: The folder of lineage; `unsent` and `refused` are below it.
    """

    folder: Path

    def hold(self, event: str) -> Held:
        """Keep an event, and the right to send it.

        Args:
            event: The event, as JSON.

        Raises:
            OSError: It could not be written.
        """
        self._unsent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._unsent / f"{time.time_ns():020d}-{os.getpid()}-{next(_counter)}.json"
        return self._held(path, _written(path, event + "\n"))

    def take(self, path: Path) -> Held | None:
        """Take the right to send an event; None when somebody else has it, or the event is gone."""
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            gone = os.fstat(descriptor).st_nlink == 0
        except BlockingIOError:
            gone = True
        if gone:
            os.close(descriptor)
            return None
        return self._held(path, descriptor)

    def paths(self) -> list[Path]:
        """Return the files of all events that were not accepted, the oldest first."""
        return sorted(self._unsent.glob("[0-9]*.json"))

    def refusals(self) -> list[tuple[int | None, str]]:
        """Return the backend's answer, status and words, for every event that it refused, the oldest first."""
        answers = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(self._refused.glob("[0-9]*.json"))]
        return [(each["status"], each["answer"]) for each in answers]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until nobody else sends all that is left, so that it is sent in order."""
        self._unsent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._unsent / ".lock", os.O_WRONLY | os.O_CREAT, _PRIVATE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @property
    def _unsent(self) -> Path:
        return self.folder / "unsent"

    @property
    def _refused(self) -> Path:
        return self.folder / "refused"

    def _held(self, path: Path, descriptor: int) -> Held:
        return Held(path, self._refused / path.name, descriptor)


def _written(path: Path, text: str) -> int:
    """Write a file that others see whole and locked, and return it open."""
    draft = path.with_name(f".{path.name}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(text.encode())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        os.close(descriptor)
        raise
    return descriptor
