"""A PostgreSQL server for tests, with a password and databases of its own."""

import contextlib
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.servers.process import ServerProcess, free_port
from tests.servers.required import demoted, program

PASSWORD = "planted-postgres"


class Postgres(ServerProcess):
    """One cluster in a folder of its own."""

    def __init__(self, folder):
        port = free_port()
        self.folder, self.password, self.programs = folder, PASSWORD, _programs(folder)
        command = [
            *(str(self.programs / "postgres"), "-D", str(folder / "data"), "-p", str(port), "-k", str(folder)),
            *("-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200", "-c", "fsync=off"),
        ]
        super().__init__(command, port, folder / "log", cwd=folder, **demoted())

    def initialise(self):
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        command = [
            *(str(self.programs / "initdb"), "-D", str(self.folder / "data"), "-U", "postgres"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", f"--pwfile={secret}"),
        ]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder, **demoted())

    def run(self, statement):
        """Run a statement as the superuser."""
        import psycopg

        with psycopg.connect(self.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(statement)

    def create(self, database):
        """Create a database; return its SQLAlchemy URL."""
        self.run(f'CREATE DATABASE "{database}"')
        return self.url(database)

    def url(self, database):
        return f"postgresql+psycopg://postgres:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def _answers(self):
        """Say whether it serves: it accepts connections before it has recovered what it had."""
        import psycopg

        with contextlib.suppress(psycopg.OperationalError):
            self.run("SELECT 1")
            return True
        return False

    def stop(self):
        """End it at once, even while clients are connected or have not said who they are."""
        if self.process is not None and self.process.poll() is None:
            self.kill(signal.SIGQUIT)


def _programs(folder):
    """Return the folder of its programs; where it runs as another user, who may not enter the environment, a copy."""
    programs = program("initdb").parent
    if not demoted() or programs.is_relative_to("/usr"):
        return programs
    environment = programs.parents[2]
    for part in (programs.parent, environment / f"{programs.parents[1].name}.libs"):
        copy = folder / "programs" / part.relative_to(environment)
        shutil.copytree(part, copy, ignore=shutil.ignore_patterns("include"))
    return folder / "programs" / programs.relative_to(environment)


@contextlib.contextmanager
def running_postgres():
    """Run a server until the block ends."""
    # Not below pytest's folder: only root may enter that, and the server is another user. A socket's path is short.
    folder = Path(tempfile.mkdtemp(prefix="airloom-pg-"))
    folder.chmod(0o755)
    server = None
    try:
        server = Postgres(folder)
        if user := demoted().get("user"):
            shutil.chown(folder, user)
        server.initialise()
        server.start()
        yield server
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
