"""An MLflow server for tests, which keeps the files of models too."""

import contextlib
import os
import signal
import sys
from pathlib import Path

from tests.servers.process import ServerProcess, free_port


class MlflowServer(ServerProcess):
    """One server over a database, in a process group of its own."""

    def __init__(self, folder: Path, database: str, port: int | None = None):
        port = port or free_port()
        command = [
            *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
            *("--backend-store-uri", database, "--serve-artifacts", "--artifacts-destination", str(folder / "kept")),
        ]
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        super().__init__(command, port, folder / "mlflow.log", env=environment, start_new_session=True)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def kill(self, how=signal.SIGKILL):
        """End what it has started, too."""
        os.killpg(self.process.pid, how)
        self.process.wait()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()


@contextlib.contextmanager
def running_mlflow(folder, database):
    """Run a server until the block ends."""
    server = MlflowServer(folder, database)
    try:
        server.start()
        yield server
    finally:
        server.stop()
