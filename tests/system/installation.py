"""A whole installation for the system tests: a prepared one is copied into its own folder, with ports of its own."""

import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psutil
import yaml

from airloom.core.settings import Settings
from airloom.stores.lake import Lake
from airloom.stores.ledger import Ledger
from tests.servers.process import free_port
from tests.terminal import interruptible
from tests.worlds.prepared import TOY, copy_of, make_project, own_environment

PIPELINE = "parcels"
#: The days of the range that the tests run again and again.
FIRST, LAST = "2024-01-01", "2024-01-05"
#: What is wrong with each day, which task stops it, and what its log says.
CORRUPTED = {
    "2024-01-06": ("no keys", "validate", "parcels of 2024-01-06 is blocked"),
    "2024-01-08": ("no rows", "extract", "The source has no rows for parcels of 2024-01-08"),
    "2024-01-09": ("impossible times", "validate", "parcels of 2024-01-09 is blocked"),
}
BAD, GOOD = "2024-01-06", "2024-01-07"


@dataclass(frozen=True)
class Installation:
    """One installation in a folder of its own."""

    folder: Path
    airflow_port: int
    mlflow_port: int
    #: Where its events of lineage go besides the file.
    backend: str = ""

    @classmethod
    def create(cls, folder, template, backend=""):
        """Make an installation that has never run, as a copy of one that is prepared."""
        return cls.at(copy_of(template, folder), backend)

    @classmethod
    def at(cls, folder, backend=""):
        """Return the installation that is in a folder, with ports of its own."""
        return cls(folder, free_port(), free_port(), backend)

    @classmethod
    def with_toys(cls, folder, names):
        """Make one whose pipelines are copies of the smallest one."""
        return cls.with_copies(folder, dict.fromkeys(names, TOY))

    @classmethod
    def with_copies(cls, folder, originals):
        """Make one whose pipelines are copies, by name the folder that each is a copy of."""
        include = folder / "copies"
        include.mkdir(parents=True)
        (include / "__init__.py").touch()
        for name, original in originals.items():
            shutil.copytree(original, include / name, ignore=shutil.ignore_patterns("__pycache__"))
            declaration = yaml.safe_load((original / "pipeline.yaml").read_text()) | {"name": name}
            text = yaml.safe_dump(declaration, sort_keys=False).replace(f"include.{original.name}.", f"include.{name}.")
            (include / name / "pipeline.yaml").write_text(text)
        make_project(folder / "project", include)
        return cls.at(folder)

    @property
    def settings(self):
        var = self.folder / "var"
        return Settings(self.folder / "project", var, f"sqlite:///{var / 'state' / 'airloom.db'}")

    @property
    def airflow_url(self):
        return f"http://127.0.0.1:{self.airflow_port}"

    def login(self):
        """The name and the password of a person, as they find them."""
        [(user, password)] = json.loads((self.settings.var / "secrets" / "passwords.json").read_text()).items()
        return user, password

    @property
    def environment(self):
        return own_environment(
            AIRLOOM_PROJECT=str(self.settings.project),
            AIRLOOM_VAR=str(self.settings.var),
            AIRLOOM_AIRFLOW_PORT=str(self.airflow_port),
            AIRLOOM_MLFLOW_PORT=str(self.mlflow_port),
            AIRLOOM_LINEAGE_URL=self.backend,
            # A declaration that changes twice within half a minute is read twice.
            AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL="0",
            AIRFLOW_CONN_WAREHOUSE="postgres://user:PLANTED-PASSWORD@127.0.0.1/warehouse",
        )

    def airloom(self, *arguments, check=True):
        command = [str(Path(sys.executable).with_name("airloom")), *arguments]
        run = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=1700)
        if check and run.returncode:
            raise AssertionError(f"airloom {' '.join(arguments)}: {run.returncode}\n{run.stdout}\n{run.stderr}")
        return run

    def backfill(self, *options, first=FIRST, last=LAST, check=True):
        return self.airloom("backfill", PIPELINE, "--from", first, "--to", last, *options, check=check)

    def start(self, *arguments):
        """Start a command as a terminal does, in a process group of its own."""
        command = [str(Path(sys.executable).with_name("airloom")), *arguments]
        output = (self.folder / "started.log").open("ab")
        with output:
            return subprocess.Popen(
                interruptible(command),
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @contextlib.contextmanager
    def backfilling(self, *options):
        """Do something while a backfill is under way, and wait for its end."""
        command = self.start("backfill", PIPELINE, *options)
        try:
            yield
            assert command.wait(timeout=1500) == 0
        except subprocess.TimeoutExpired as slow:
            raise AssertionError(f"{slow}\nNot ended: {self.unfinished()}") from None
        finally:
            command.kill()
            command.wait()

    def unfinished(self):
        """Every task of a run that has not ended, with its state and attempt."""
        query = (
            "select t.dag_id, t.run_id, t.task_id, t.state, t.try_number from task_instance t "
            "join dag_run r using (dag_id, run_id) where r.state in ('queued', 'running') "
            "and coalesce(t.state, '') not in ('success', 'skipped')"
        )
        return self.ask(query)

    def processes(self):
        """Every living process of this installation."""
        return [process for process in psutil.process_iter() if self.owns(process)]

    def owns(self, process):
        """Whether a process lives and is ours; one that has named itself has overwritten its environment."""
        with contextlib.suppress(psutil.Error):
            here = process.cwd() == str(self.settings.project)
            mine = here or process.environ().get("AIRLOOM_VAR") == str(self.settings.var)
            return mine and process.status() != psutil.STATUS_ZOMBIE
        return False

    def airflow(self, *arguments):
        exports = self.airloom("env").stdout
        command = f"{exports}\n{Path(sys.executable).with_name('airflow')} {' '.join(arguments)}"
        return subprocess.run(
            ["bash", "-c", command], env=self.environment, capture_output=True, text=True, timeout=300
        )

    def change(self, day, what):
        (self.settings.include / PIPELINE / f"{day}.change").write_text(what)

    def correct(self, day):
        (self.settings.include / PIPELINE / f"{day}.change").unlink()

    @contextlib.contextmanager
    def declared(self, **changes):
        """Declare sections of the pipeline otherwise for a while: `train={"seed": 8}` changes one key of `train`."""
        file = self.settings.include / PIPELINE / "pipeline.yaml"
        before = file.read_text()
        declaration = yaml.safe_load(before)
        for section, change in changes.items():
            declaration[section] = {**declaration.get(section, {}), **change} if isinstance(change, dict) else change
        try:
            self._declare(yaml.safe_dump(declaration, sort_keys=False))
            yield
        finally:
            self._declare(before)

    def _declare(self, text):
        (self.settings.include / PIPELINE / "pipeline.yaml").write_text(text)
        done = self.airflow("dags", "reserialize")
        assert done.returncode == 0, done.stdout + done.stderr

    def lake(self):
        """Everything that is published, by table and day."""
        lake = Lake(self.settings.lake / PIPELINE)
        tables = [".".join(log.parent.relative_to(lake.root).parts) for log in lake.root.rglob("_delta_log")]
        return {table: lake.partitions(table) for table in sorted(tables)}

    def predicted_by(self, day):
        """The versions that have predicted a day."""
        rows = Lake(self.settings.lake / PIPELINE).read("predictions", [day])
        # An installation of an earlier version has a column without the prefix.
        return set(rows.filter(regex="^(airloom_)?model_version$").iloc[:, 0])

    def online(self):
        """Every row of the online store."""
        query = (
            "select v.name, v.newest_us, hex(e.entity), e.event_us, e.created_us, l.fields, hex(e.features) "
            "from entities e join views v on v.id = e.view join layouts l on l.id = e.layout order by 1, 3"
        )
        with sqlite3.connect(self.settings.online) as database:
            return database.execute(query).fetchall()

    def champions(self):
        """The champion history by as-of."""
        return [(row.effective_from, row.version) for row in Ledger(self.settings.state_url).history(PIPELINE)]

    def state(self):
        """Everything that must not depend on the order in which days were run."""
        return {"lake": self.lake(), "online": self.online(), "champions": self.champions()}

    def events(self):
        return [json.loads(line) for line in self.settings.lineage.read_text().splitlines()]

    def runs(self, stage):
        """The state of every run of a stage that has a day, by its day."""
        query = "select substr(logical_date, 1, 10), state from dag_run where dag_id = ? and logical_date is not null"
        return dict(self.ask(query, f"{PIPELINE}.{stage}"))

    def tasks(self, stage, day):
        """The state of every task of a run, by its name."""
        query = (
            "select t.task_id, t.state from task_instance t join dag_run r using (dag_id, run_id) "
            "where t.dag_id = ? and r.logical_date like ?"
        )
        return dict(self.ask(query, f"{PIPELINE}.{stage}", f"{day}%"))

    def ask(self, query, *values):
        """Ask Airflow's own database; there is nothing in it before the first start."""
        file = self.settings.var / "airflow" / "airflow.db"
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=60)) as database:
            return database.execute(query, values).fetchall()

    def change_database(self, *statements):
        """Change Airflow's own database by hand."""
        file = self.settings.var / "airflow" / "airflow.db"
        with contextlib.closing(sqlite3.connect(file, timeout=60)) as database, database:
            for statement in statements:
                assert database.execute(statement).rowcount == 1, statement

    def service_log(self, service):
        """What one of Airflow's servers has logged."""
        return (self.settings.var / "logs" / f"{service}.log").read_text()

    def log(self, stage, task, day="*"):
        """Everything that was logged by a task of a day, whatever the run and the attempt."""
        runs = self.ask(
            "select run_id from dag_run where dag_id = ? and coalesce(logical_date, '') glob ?",
            f"{PIPELINE}.{stage}",
            f"{day}*",
        )
        folder = self.settings.var / "logs" / "airflow" / f"dag_id={PIPELINE}.{stage}"
        files = [file for (run,) in runs for file in (folder / f"run_id={run}" / f"task_id={task}").rglob("*.log*")]
        return "\n".join(file.read_text() for file in sorted(files))


def wait_until(look, wanted, seconds=900):
    """Look until the first column of the first row is what is wanted; the limit only ends what hangs."""
    deadline = time.monotonic() + seconds
    while (found := look()) != [(wanted,)]:
        assert time.monotonic() < deadline, f"{found} instead of {wanted!r}"
        time.sleep(0.5)


def day(number):
    return date(2024, 1, number)
