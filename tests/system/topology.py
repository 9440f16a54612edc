"""The stack of docker-compose.yaml on this machine: every Python service by its own command and environment.

What differs from Compose is all here:

- PostgreSQL, Redis and the S3 endpoint are Debian's and moto's, not images. Redis has the options of the file;
  PostgreSQL does not wait for the disk, and its superuser's password is the tests'; moto looks at no key unless it is
  told to. The script that makes the databases and the passwords are the stack's own; the bucket is made by `airloom
  upgrade`, as there.
- Containers are processes: a service's host name is the loopback address, its port is one that is free, and the ports
  that only other services of the same container see (health checks, logs) are made different.
- They see this machine's environment too, but for what begins as a variable of Airflow, Airloom or AWS.
- `/opt/airloom` is a project with the tests' own pipelines, and `/opt/airloom/var`, the shared volume, its `var`.
- What is lost with a process is noticed within seconds (`_SOONER`).
- There is no `dumb-init`; limits of memory and processors, health checks as conditions, restarts, and the time that a
  service has to end are the engine's. Marquez is not started.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import psutil
import pytest

from airloom.core.settings import Settings
from tests.deploy.compose import PROJECT, read_compose, read_variables
from tests.servers.postgres import running_postgres
from tests.servers.process import free_port
from tests.servers.redis_server import running_redis
from tests.servers.required import program
from tests.servers.s3 import forget_clients, running_s3
from tests.system.installation import PIPELINE
from tests.worlds.prepared import make_project

#: In which the engine would start them.
ORDER = (
    *("mlflow", "airflow-init", "airflow-api-server", "airflow-scheduler", "airflow-dag-processor"),
    *("airflow-triggerer", "worker", "worker-training"),
)
#: The days that the tests run on it while a worker and the scheduler are killed; in the long form some days more, and
#: those while which everything is killed.
FIRST, LAST = date(2024, 1, 1), date(2024, 1, 5)
FIRST_CALM, LAST_CALM = date(2024, 1, 6), date(2024, 1, 10)
FIRST_KILLED, LAST_KILLED = date(2024, 1, 11), date(2024, 1, 14)
_ONE_SHOT = ("airflow-init",)
#: Ports inside a container, which two processes of one machine cannot share.
_INSIDE = (
    "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT",
    "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT",
    "AIRFLOW__CELERY__FLOWER_PORT",
)
#: What only ends a wait for something that hangs.
_HANGS_SECONDS = 900
#: What is lost with a process is noticed within seconds, not minutes.
_SOONER = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
    "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "30",
}


@dataclass
class Topology:
    """The stack in a folder, with the servers that it needs."""

    folder: Path
    project: Path
    variables: dict
    postgres: object
    redis: object
    s3: object
    ports: dict
    own: dict = field(default_factory=dict)
    running: dict = field(default_factory=dict)
    #: A service is started by one thread at a time.
    starting: threading.RLock = field(default_factory=threading.RLock)

    @property
    def services(self):
        return read_compose(self.variables)["services"]

    @property
    def var(self):
        return self.folder / "var"

    def environment(self, service):
        """The environment of a service, in the terms of this machine."""
        here = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AIRLOOM", "AWS"))}
        image = dict(re.findall(r"(AIR\w+)=(\S+)", (PROJECT / "Dockerfile").read_text()))
        given = {
            name: self._local(str(value)) for name, value in {**image, **self.services[service]["environment"]}.items()
        }
        inside = self.own.setdefault(service, {name: str(free_port()) for name in _INSIDE})
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {**here, **given, **_SOONER, **inside, "PATH": path, "HOME": str(self.folder)}

    def command(self, service):
        """The command of a service, through the image's entry point."""
        words = [self._local(word) for word in self.services[service]["command"]]
        return ["airloom", "exec", "--", *words]

    def start(self, *services):
        """Start services as the engine does, each once those that it depends on are healthy, until all of them are."""
        for service in services or ORDER:
            for other in self.services[service]["depends_on"]:
                if other in self.running:
                    self.wait_until_healthy(other)
            if service in _ONE_SHOT:
                self.run(service)
            else:
                self.spawn(service)
        for service in services or self.running:
            if service not in _ONE_SHOT:
                self.wait_until_healthy(service)

    def spawn(self, service):
        self._spawn(service, self.command(service), self.environment(service))

    def spawn_worker(self, name, queues, concurrency):
        """Start one more worker, besides those that Compose names."""
        words = ["--queues", queues, "--concurrency", str(concurrency), "--celery-hostname", f"{name}@%h"]
        environment = self.environment("worker") | {name: str(free_port()) for name in _INSIDE}
        self._spawn(name, ["airloom", "exec", "--", "airflow", "celery", "worker", *words], environment)

    def processes(self):
        """The first process of everything that runs, by what it is."""
        servers = {"postgres": self.postgres, "redis": self.redis, "s3": self.s3}
        return {**self.running, **{name: server.process for name, server in servers.items()}}

    def _spawn(self, service, command, environment):
        with (self.folder / f"{service}.log").open("ab") as log:
            self.running[service] = subprocess.Popen(
                command,
                env=environment,
                cwd=self.project,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self, service, *command, check=True, seconds=1500, **variables):
        """Run a service to its end, with another command and more variables if they are given."""
        words = ["airloom", "exec", "--", *command] if command else self.command(service)
        environment = self.environment(service) | variables
        run = subprocess.run(words, env=environment, cwd=self.project, capture_output=True, text=True, timeout=seconds)
        if check and run.returncode:
            raise AssertionError(f"{service}: {' '.join(words)}: {run.returncode}\n{run.stdout}\n{run.stderr}")
        return run

    def is_healthy(self, service):
        """Whether a service does what Compose's health check asks for."""
        check = self.services[service]["healthcheck"]["test"]
        words = check[1:] if check[0] == "CMD" else ["bash", "-c", check[1]]
        words = [self._local(word.replace("${HOSTNAME}", _hostname()), self.own[service]) for word in words]
        return subprocess.run(words, env=self.environment(service), capture_output=True, timeout=600).returncode == 0

    def wait_until_healthy(self, service):
        deadline = time.monotonic() + _HANGS_SECONDS
        while not self.is_healthy(service):
            ended = self.running[service].poll() is not None
            if ended or time.monotonic() > deadline:
                raise AssertionError(f"{service} is not healthy:\n{self.log(service)[-5000:]}")
            time.sleep(0.5)

    def wait_until_whole(self):
        """Wait until every service is healthy, also one that has to be started again meanwhile."""
        deadline = time.monotonic() + _HANGS_SECONDS
        while sick := [service for service in self.running if not self.is_healthy(service)]:
            if time.monotonic() > deadline:
                raise AssertionError(f"not healthy: {sick}\n{self.log(sick[0])[-5000:]}")
            time.sleep(0.5)

    def kill(self, service):
        """End a container's processes at once, as the kernel would for want of memory; the engine starts it again."""
        with self.starting:
            _end(self.running[service], signal.SIGKILL)
            self.spawn(service)

    @contextlib.contextmanager
    def without(self, service, how=signal.SIGTERM):
        """End a service, as `docker compose stop` does or otherwise, and start it again when the block ends."""
        _stop(self.running.pop(service), how)
        try:
            yield
        finally:
            self.start(service)

    @contextlib.contextmanager
    def besides(self, service):
        """Run a service that only a profile starts, until the block ends."""
        self.start(service)
        try:
            yield
        finally:
            _stop(self.running.pop(service), signal.SIGTERM)

    @contextlib.contextmanager
    def restarting(self):
        """Start again whatever ends by itself, as the restart policy says, until the block ends."""
        over = threading.Event()
        thread = threading.Thread(target=self._restart, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _restart(self, over):
        while not over.wait(0.5):
            with self.starting:
                for service, process in list(self.running.items()):
                    if process.poll() is not None:
                        _end(process, signal.SIGKILL)
                        self.spawn(service)

    def stop(self):
        """Stop every service, workers first, and leave nothing behind."""
        for service in reversed(list(self.running)):
            if process := self.running.pop(service):
                _stop(process, signal.SIGTERM)

    def backfill(self, first, last, *options, check=True, seconds=1500):
        """Run every stage, as the service `demo` does, for other days."""
        demo = self.services["demo"]["command"]
        command = [*demo[: demo.index("backfill") + 1], PIPELINE, "--from", str(first), "--to", str(last), *options]
        return self.run("demo", *command, check=check, seconds=seconds)

    def import_from(self, var):
        """Bring along what an installation in a folder has made, as the service `import` does with its mount."""
        [*command, mounted] = self.services["import"]["command"]
        assert f":{mounted}" in self.services["import"]["volumes"][-1]
        return self.run("import", *command, str(var))

    @contextlib.contextmanager
    def as_worker(self):
        """Where everything is, for this process, which has the credentials of a worker until the block ends."""
        variables = self.environment("worker")
        with pytest.MonkeyPatch.context() as patched:
            for name, value in variables.items():
                if name.startswith("AWS"):
                    patched.setenv(name, value)
            forget_clients()
            yield Settings.from_environment(variables)
        forget_clients()

    def ask(self, query, database="airflow"):
        """Ask Airflow's own database, or another one."""
        with self._connected(database) as connection:
            return connection.execute(query).fetchall()

    def do(self, statement, database):
        """Change what is in a database behind everybody's back."""
        with self._connected(database) as connection:
            connection.execute(statement)

    def log(self, service):
        return (self.folder / f"{service}.log").read_text(errors="replace")

    def _connected(self, database):
        import psycopg

        return psycopg.connect(self.postgres.url(database).replace("+psycopg", ""))

    def _local(self, text, inside=None):
        for (host, port), local in self.ports.items():
            text = re.sub(rf"(?<![\w.-]){re.escape(host)}:{port}\b", f"127.0.0.1:{local}", text)
        text = re.sub(r"^--port=5000$", f"--port={self.ports['mlflow', '5000']}", text)
        text = re.sub(r"^8080$", str(self.ports["airflow-api-server", "8080"]), text)
        if inside:
            text = text.replace(":8974", f":{inside['AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT']}")
            text = text.replace(":5555", f":{inside['AIRFLOW__CELERY__FLOWER_PORT']}")
        text = text.replace("0.0.0.0", "127.0.0.1")
        text = text.replace("/opt/airloom/var", str(self.var)).replace(
            "/opt/airloom/airflow", str(self.folder / "airflow")
        )
        return text.replace("/opt/airloom", str(self.project))


@contextlib.contextmanager
def running_topology(folder):
    """Run everything that the stack needs besides its Python services, until the block ends.

    Args:
        folder: For everything that is made.
    """
    make_project(folder / "project")
    shutil.copytree(PROJECT / "deploy", folder / "deploy")
    subprocess.run(["bash", str(folder / "deploy" / "create-env.sh")], check=True, capture_output=True)
    variables = read_variables(folder / ".env")
    _, *redis_options = read_compose(variables)["services"]["redis"]["command"]
    with (
        running_postgres() as postgres,
        running_redis(folder, variables["REDIS_PASSWORD"], redis_options) as redis,
        running_s3(folder, page=1000) as s3,
    ):
        _create_databases(postgres, variables)
        topology = Topology(folder, folder / "project", variables, postgres, redis, s3, _ports(postgres, redis, s3))
        try:
            yield topology
        finally:
            topology.stop()


def _ports(postgres, redis, s3):
    """Where each port of a container is on this machine; health checks ask their own container."""
    mlflow, airflow = free_port(), free_port()
    return {
        ("postgres", "5432"): postgres.port,
        ("redis", "6379"): redis.port,
        ("s3", "7070"): s3.port,
        **dict.fromkeys((("mlflow", "5000"), ("127.0.0.1", "5000"), ("localhost", "5000")), mlflow),
        **dict.fromkeys((("airflow-api-server", "8080"), ("127.0.0.1", "8080"), ("localhost", "8080")), airflow),
    }


def _create_databases(postgres, variables):
    """Run the stack's own script, as PostgreSQL's image does."""
    environment = {**os.environ, **variables, "PGHOST": "127.0.0.1", "PGPORT": str(postgres.port)}
    environment |= {"PGPASSWORD": postgres.password, "PATH": f"{program('psql').parent}:{os.environ['PATH']}"}
    subprocess.run([str(PROJECT / "deploy" / "postgres" / "create-databases.sh")], env=environment, check=True)


def _hostname():
    return os.uname().nodename


def _stop(process, how):
    """Tell a process to end, and end what is left of it after a while."""
    process.send_signal(how)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(20)
    _end(process, signal.SIGKILL)


def _end(process, how):
    """End a process with everything that it has started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        for each in [parent, *parent.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.send_signal(how)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, how)
    process.wait()
