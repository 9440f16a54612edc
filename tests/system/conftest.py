"""Installations that have run, and what was seen of them at once: tests may ask in any order."""

import fcntl
import pickle
from dataclasses import dataclass
from datetime import date

import pytest

from airloom.lineage.events import read_events
from airloom.stores.quarantine import Quarantine
from tests.lineage.receiver import receiving
from tests.system.installation import BAD, CORRUPTED, FIRST, GOOD, LAST, PIPELINE, Installation, day, wait_until
from tests.system.published import published
from tests.system.topology import LAST_KILLED


@pytest.fixture(scope="session")
def backend():
    """A lineage backend that takes what is well-formed."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def installation(tmp_path_factory, prepared_installation, backend):
    """An installation that has run the demo, and runs."""
    folder = tmp_path_factory.mktemp("chain") / "installation"
    installation = Installation.create(folder, prepared_installation, backend.url)
    try:
        installation.airloom("demo", PIPELINE, "--from", FIRST, "--to", LAST)
        yield installation
    finally:
        installation.airloom("down")


@dataclass(frozen=True)
class Ran:
    """What there was after the range was run once, several days at a time.

    Args:
        state: Everything that must not depend on the order in which days were run.
        published: What another kind of installation must publish, too.
        runs: The state of every run by its day, by stage.
        tasks: The state of every task of two nights' trainings, by day.
        status: What `airloom status --json` printed.
    """

    state: dict
    published: dict
    runs: dict
    tasks: dict
    status: str


@pytest.fixture(scope="session")
def ran(request, shared_folder):
    """What the first worker that asks has seen: the days are run once, for all that is compared with them."""
    file = shared_folder / "ran"
    with (shared_folder / "ran.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            file.write_bytes(pickle.dumps(_observe(request.getfixturevalue("installation"))))
    return pickle.loads(file.read_bytes())


def _observe(installation):
    return Ran(
        state=installation.state(),
        published=published(installation.settings, PIPELINE, day(1), day(5)),
        runs={stage: installation.runs(stage) for stage in ("ingest", "features", "train", "score")},
        tasks={night: installation.tasks("train", night) for night in ("2024-01-03", "2024-01-04")},
        status=installation.airloom("status", "--json").stdout,
    )


@dataclass(frozen=True)
class Again:
    """The state before and after something was run again."""

    before: dict
    after: dict


@pytest.fixture(scope="session")
def repeated(installation, ran):
    """The same range once more."""
    installation.backfill("--reprocess", "completed")
    return Again(ran.state, installation.state())


@pytest.fixture(scope="session")
def corrected(installation, repeated):
    """One day is corrected, and run again but for its training."""
    installation.change("2024-01-03", "fewer parcels")
    stages = ("--stage", "ingest", "--stage", "features", "--stage", "score")
    installation.backfill(*stages, "--reprocess", "completed", first="2024-01-03", last="2024-01-03")
    return Again(repeated.after["lake"], installation.lake())


@dataclass(frozen=True)
class Corrupted:
    """What was seen after three corrupted days and a good one between them."""

    code: int
    output: str
    runs: dict
    lake: dict
    tasks: dict
    blocked: list


@pytest.fixture(scope="session")
def corrupted(installation, corrected):
    for bad, (change, _, _) in CORRUPTED.items():
        installation.change(bad, change)
    done = installation.backfill(first=BAD, last="2024-01-09", check=False)
    quarantine = Quarantine(installation.settings.quarantine / PIPELINE)
    asked = [("train", GOOD), ("score", BAD), ("score", GOOD), *(("ingest", bad) for bad in CORRUPTED)]
    return Corrupted(
        code=done.returncode,
        output=done.stdout + done.stderr,
        runs={stage: installation.runs(stage) for stage in ("ingest", "features", "train", "score")},
        lake=installation.lake(),
        tasks={(stage, each): installation.tasks(stage, each) for stage, each in asked},
        blocked=[each for each in CORRUPTED if quarantine.is_blocked("parcels", date.fromisoformat(each))],
    )


@dataclass(frozen=True)
class Repaired:
    """What was seen when the first corrupted day was run again as it was, and then corrected, with the day after it."""

    as_it_was: tuple[int, str]
    lake: dict
    tasks: dict
    events: list


@pytest.fixture(scope="session")
def repaired(installation, corrupted):
    as_it_was = installation.airloom("run", PIPELINE, "--day", BAD, "--stage", "ingest", check=False)
    installation.correct(BAD)
    for each in (BAD, GOOD):
        installation.airloom("run", PIPELINE, "--day", each)
    return Repaired(
        as_it_was=(as_it_was.returncode, as_it_was.stdout + as_it_was.stderr),
        lake=installation.lake(),
        tasks=installation.tasks("train", GOOD),
        events=list(read_events(installation.settings.lineage)),
    )


@pytest.fixture(scope="session")
def undated(installation, ran):
    """The first task of runs without a logical date, by stage; their conf holds what no log may hold."""
    tasks = {"ingest": "extract", "train": "await_inputs"}
    conf = """'{"password": "PLANTED-PARAMETER"}'"""
    for stage in tasks:
        dag = f"{PIPELINE}.{stage}"
        triggered = installation.airflow("dags", "trigger", dag, "--run-id", "no_date", "--conf", conf)
        assert triggered.returncode == 0, triggered.stderr
    ended = "select count(*) from dag_run where run_id = 'no_date' and state = 'failed'"
    wait_until(lambda: installation.ask(ended), len(tasks))
    return tasks


@pytest.fixture(scope="session")
def embedded(tmp_path_factory, prepared_installation):
    """What one machine alone makes of all days of the long forms; it does not run any more."""
    installation = Installation.create(tmp_path_factory.mktemp("embedded") / "installation", prepared_installation)
    try:
        installation.airloom("demo", PIPELINE, "--from", FIRST, "--to", str(LAST_KILLED))
    finally:
        installation.airloom("down")
    return installation
