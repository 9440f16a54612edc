"""One background process: kept running in a session of its own, found again, stopped with everything it started."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

_CLOCK_TOLERANCE = 0.5
_LOG_TAIL = 15
_LOOK_SECONDS = 0.1
#: A server that only waits needs minutes for so much CPU time; one that starts on a busy machine does not.
_STEP_SECONDS = 5.0

#: Starts the command that follows, and starts it again when it ends by itself. Its folder is no place for imports.
_KEEPER = ("-P", str(Path(__file__).with_name("keeper.py")))


@dataclass(frozen=True)
class Background:
    """A background process of one installation, which is started again when it ends by itself.

    Args:
        name: What people call it.
        command: The arguments of this Python interpreter.
        folder: The installation's folder; its log goes to `logs/`, its identity to `run/`.
        grace: Seconds that it gets to end by itself when it is stopped.
        variables: Environment variables of this process alone.
    """

    name: str
    command: tuple[str, ...]
    folder: Path
    grace: float
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """The file with everything that it prints."""
        return self.folder / "logs" / f"{self.name}.log"

    @property
    def record(self) -> Path:
        """The file that says which process it is."""
        return self.folder / "run" / f"{self.name}.json"

    def start(self, environment: dict[str, str], cwd: Path) -> None:
        """Start it, readable by its owner only and out of reach of this terminal's signals.

        Args:
            environment: All its environment variables.
            cwd: Its working directory.
        """
        import psutil

        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.record.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log, _uninterrupted():
            started = subprocess.Popen(
                [sys.executable, *_KEEPER, sys.executable, *self.command],
                env={**environment, **self.variables},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
            )
            # Detached on purpose: it outlives this command, and nobody waits for it.
            started.returncode = 0
            identity = {"pid": started.pid, "created": psutil.Process(started.pid).create_time()}
            self.record.write_text(json.dumps(identity), encoding="utf-8")

    def process(self) -> psutil.Process | None:
        """Return the process that keeps it running, None when that has ended or given up.

        A later process with its number is not taken for it.
        """
        import psutil

        try:
            leader, created = self._identity()
            process = psutil.Process(leader)
            same = abs(process.create_time() - created) < _CLOCK_TOLERANCE
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except (OSError, ValueError, KeyError, psutil.Error):
            return None

    def started(self) -> float | None:
        """Return when the server was last started, in seconds since the epoch; None when it is not kept running.

        Between its end and its next start that is now: a heartbeat from before was its predecessor's.
        """
        import psutil

        keeper = self.process()
        if keeper is None:
            return None
        with contextlib.suppress(psutil.Error):
            return max((child.create_time() for child in keeper.children()), default=time.time())
        return None

    def session(self) -> list[psutil.Process]:
        """Return every living process of its session, also those whose parents have ended."""
        try:
            leader, created = self._identity()
        except (OSError, ValueError, KeyError):
            return []
        members = session_of(leader)
        # Its number is free for another session only once all of its own have ended, at the latest by a crash.
        if any(each.pid == leader and abs(each.create_time() - created) >= _CLOCK_TOLERANCE for each in members):
            return []
        return members

    def activity(self) -> tuple[int, int]:
        """Return how much it has logged and computed, in bytes and steps of CPU time: either grows while it starts."""
        import psutil

        seconds = 0.0
        for process in self.session():
            with contextlib.suppress(psutil.Error):
                seconds += sum(process.cpu_times()[:4])
        try:
            logged = self.log.stat().st_size
        except OSError:
            logged = 0
        return logged, int(seconds / _STEP_SECONDS)

    def _identity(self) -> tuple[int, float]:
        """Return its number, which is that of its session, and when it was started."""
        identity = json.loads(self.record.read_text(encoding="utf-8"))
        return identity["pid"], identity["created"]

    def last_lines(self) -> str:
        """Return the end of its log."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-_LOG_TAIL:])


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Keep Ctrl-C waiting for a moment: a process that was started and not recorded could not be stopped any more."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def stop(services: Iterable[Background]) -> int:
    """Ask processes and all they started to end, then end those that have not within their grace.

    Args:
        services: What to stop, all at once.

    Returns:
        How many processes were ended.
    """
    import psutil

    left = {service.name: service for service in services}
    members = [process for service in left.values() for process in service.session()]
    keepers = {process.pid for process in members if _session(process) == process.pid}
    for process in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            # A keeper passes the signal on to its server, for which a second one would cut a graceful end short.
            if process.ppid() not in keepers:
                process.terminate()
    began = time.monotonic()
    while left:
        for service in list(left.values()):
            if not service.session() or time.monotonic() - began > service.grace:
                _kill(left.pop(service.name))
        time.sleep(_LOOK_SECONDS)
    return len(members)


def _kill(service: Background) -> None:
    """End what is left of a session, and what that started meanwhile."""
    import psutil

    while processes := service.session():
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=1)
    service.record.unlink(missing_ok=True)


def session_of(leader: int) -> list[psutil.Process]:
    """Return every living process of a session; its leader first, so that it is also the first to be told to end."""
    import psutil

    living = [each for each in psutil.process_iter(["status"]) if each.info["status"] != psutil.STATUS_ZOMBIE]
    members = [process for process in living if _session(process) == leader]
    return sorted(members, key=lambda process: process.pid != leader)


def _session(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except OSError:
        return None
