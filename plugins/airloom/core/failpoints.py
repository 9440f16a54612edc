"""Failpoints: named places between two durable effects, at which a test can stop the process.

`AIRLOOM_FAILPOINT=promote.before_commit#2:kill` does so when the place is passed for the second time (without `#2`, for
the first). `AIRLOOM_FAILPOINTS_LIST=<file>` appends the name of every place that is passed, one a line.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from airloom.core.errors import UsageError

ARMED = "AIRLOOM_FAILPOINT"
LISTED = "AIRLOOM_FAILPOINTS_LIST"

_passed: Counter[str] = Counter()


class FailpointReached(Exception):
    """What a failpoint raises that is armed with `raise`; nothing but a test catches it."""


def failpoint(name: str) -> None:
    """Mark a place at which the process may die; nothing happens unless the environment arms it.

    Args:
        name: The unit of work and the place in it, such as `promote.before_commit`.

    Raises:
        FailpointReached: It is armed with `raise`.
        UsageError: It is armed with an action that there is not.
    """
    if ARMED in os.environ or LISTED in os.environ:
        _reached(name)


def _reached(name: str) -> None:
    _passed[name] += 1
    if LISTED in os.environ:
        with Path(os.environ[LISTED]).open("a", encoding="utf-8") as file:
            file.write(f"{name}\n")
    where, _, action = os.environ.get(ARMED, "").partition(":")
    wanted, _, time = where.partition("#")
    if (wanted, int(time or 1)) == (name, _passed[name]):
        _action(action)(name)


def _action(action: str) -> Callable[[str], None]:
    if action not in _ACTIONS:
        raise UsageError(
            f"A failpoint cannot {action or 'do nothing'}.", where=ARMED, found=action, expected=" or ".join(_ACTIONS)
        )
    return _ACTIONS[action]


def _raise(name: str) -> None:
    raise FailpointReached(name)


def _send(number: signal.Signals) -> Callable[[str], None]:
    return lambda _name: os.kill(os.getpid(), number)


_ACTIONS: dict[str, Callable[[str], None]] = {
    "kill": _send(signal.SIGKILL),
    "terminate": _send(signal.SIGTERM),
    "stop": _send(signal.SIGSTOP),
    "raise": _raise,
}
