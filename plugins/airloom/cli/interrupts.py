"""Ctrl-C ends a command wherever it is pressed."""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_AGAIN_SECONDS = 0.05


def keep_interrupts() -> None:
    """Repeat a Ctrl-C that Python could not raise.

    Python drops what is raised in a finalizer or in the callback of a weak reference, and those run at any moment. The
    command goes on then as if nobody had pressed it: of twelve interrupts right after preparing an installation, one.
    """
    sys.unraisablehook = _repeat


def _repeat(dropped: UnraisableHookArgs) -> None:
    if not issubclass(dropped.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(dropped)
        return
    # Later, from a thread: raised in here it would be dropped as well.
    again = threading.Timer(_AGAIN_SECONDS, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
    again.daemon = True
    again.start()
