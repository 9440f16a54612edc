"""Keeps one server running: starts a command, and starts it again when it ends by itself.

Usage: python -P keeper.py COMMAND [ARGUMENT ...]

A keeper leads the session of its server. On SIGTERM it passes the signal on, waits for the server and starts nothing
more. It gives up, with the server's exit status, when the server has ended early several times in a row: that one
cannot start, and whoever waits for it must see that. It costs little memory: only the standard library is imported.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

#: A server that ends sooner than this after its start has ended early: a busy machine needs a minute to start one.
_EARLY_SECONDS = 120.0
_EARLY_ENDS = 3
_PAUSE_SECONDS = 1.0


class Keeper:
    """Runs a command again and again until it is told to stop.

    Args:
        command: The program and its arguments.
        pause: Seconds before the second start; twice as many before the third in a row.
    """

    def __init__(self, command: list[str], pause: float = _PAUSE_SECONDS) -> None:
        self.command = command
        self.pause = pause
        self.stopping = False
        self.child: subprocess.Popen[bytes] | None = None

    def stop(self, *_: object) -> None:
        """Pass SIGTERM on to the server, and start it no more."""
        self.stopping = True
        if self.child is not None:
            self.child.terminate()

    def run(self) -> int:
        """Keep the server running.

        Returns:
            Its exit status, 128 and the signal's number where a signal has ended it.
        """
        early = 0
        while True:
            began = time.monotonic()
            self.child = subprocess.Popen(self.command)
            if self.stopping:
                # The signal came before there was a server to pass it on to.
                self.child.terminate()
            status = self.child.wait()
            if self.stopping:
                return _shell_status(status)
            early = early + 1 if time.monotonic() - began < _EARLY_SECONDS else 0
            if early == _EARLY_ENDS:
                _print(f"ended {early} times in a row soon after its start; it is not started again")
                return _shell_status(status)
            _print(f"ended with status {_shell_status(status)}; it is started again")
            _end_rest_of_session()
            self._wait(self.pause * max(early, 1))
            if self.stopping:
                return 0

    def _wait(self, seconds: float) -> None:
        """Sleep in short steps: Python goes on with a sleep that a signal has interrupted."""
        until = time.monotonic() + seconds
        while not self.stopping and time.monotonic() < until:
            time.sleep(0.1)


def _end_rest_of_session() -> None:
    """Kill what the server has left behind: it would hold the port, or run tasks that are going to run again."""
    import psutil

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and os.getsid(process.pid) == os.getpid():
                process.kill()


def _shell_status(status: int) -> int:
    return 128 - status if status < 0 else status


def _print(text: str) -> None:
    sys.stdout.write(f"[{time.strftime('%Y-%m-%dT%H:%M:%S%z')}] airloom: the server {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    keeper = Keeper(sys.argv[1:])
    signal.signal(signal.SIGTERM, keeper.stop)
    sys.exit(keeper.run())
