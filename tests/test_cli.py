import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.terminal import interruptible

COMMAND = [sys.executable, "-c", "from airloom.cli import main; main()"]
PROJECT = Path(__file__).parents[1]


@pytest.fixture
def airloom(tmp_path):
    environment = {
        **os.environ,
        "AIRLOOM_VAR": str(tmp_path / "var"),
        "PYTHONPATH": str(PROJECT / "plugins"),
        "COLUMNS": "200",
    }

    def run(*arguments, **variables):
        return subprocess.run(
            [*COMMAND, *arguments],
            env={**environment, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    return run


def test_an_unknown_command_is_a_usage_error(airloom):
    done = airloom("upp")
    assert done.returncode == 2
    assert "upp" in done.stderr


def test_an_unknown_pipeline_is_named_with_those_that_exist_and_no_traceback(airloom):
    done = airloom("status", "fligth_delays")
    assert (done.returncode, done.stdout) == (2, "")
    assert "There is no pipeline 'fligth_delays'. Did you mean 'flight_delays'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_day_that_does_not_exist_is_a_usage_error(airloom):
    done = airloom("backfill", "flight_delays", "--from", "2013-13-01", "--to", "2013-02-01")
    assert done.returncode == 2
    assert "'2013-13-01'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "2013-02-02", "--to", "2013-02-01"], "ends before it starts"),
        (["--from", "2012-02-02", "--to", "2013-02-01"], "does not cover"),
        (["--from", "2013-02-01", "--to", "2013-02-01", "--stage", "trian"], "no stage 'trian'"),
        (["--from", "2013-02-01", "--to", "2013-02-01", "--reprocess", "some"], "none, failed, completed"),
    ],
)
def test_a_backfill_that_makes_no_sense_is_refused(airloom, arguments, message):
    done = airloom("backfill", "flight_delays", *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_backfill_needs_a_running_airflow_and_says_how_to_start_it(airloom):
    done = airloom("backfill", "flight_delays", "--from", "2013-02-01", "--to", "2013-02-01")
    assert done.returncode == 5
    assert "airloom up" in done.stderr


ELSEWHERE = {"AIRLOOM_AIRFLOW_URL": "http://127.0.0.1:9"}


@pytest.mark.parametrize("command", ["up", "demo"])
def test_on_servers_no_airflow_is_started_inside_a_container(airloom, tmp_path, command):
    # Were it not refused, the busy port would keep anything from being started.
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        done = airloom(command, AIRLOOM_AIRFLOW_PORT=str(server.getsockname()[1]), **ELSEWHERE)
    assert done.returncode == 5
    assert "started by somebody else" in done.stderr
    assert not (tmp_path / "var").exists()


def test_an_airflow_on_servers_that_does_not_answer_is_not_to_be_started_here(airloom, tmp_path):
    (tmp_path / "var" / "secrets").mkdir(parents=True)
    (tmp_path / "var" / "secrets" / "passwords.json").write_text('{"admin": "planted"}')
    days = ("flight_delays", "--from", "2013-02-01", "--to", "2013-02-01")
    here, there = airloom("backfill", *days), airloom("backfill", *days, **ELSEWHERE)
    assert (here.returncode, there.returncode) == (5, 5)
    assert "do:       airloom up\n" in here.stderr
    assert "is at AIRLOOM_AIRFLOW_URL" in there.stderr


def test_a_busy_port_stops_the_start_before_anything_is_made(airloom, tmp_path):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = str(server.getsockname()[1])
        done = airloom("up", AIRLOOM_AIRFLOW_PORT=port)
    assert done.returncode == 5
    assert f"Port {port} is busy" in done.stderr
    assert "AIRLOOM_AIRFLOW_PORT=" in done.stderr
    assert not (tmp_path / "var" / "secrets").exists()


def test_status_as_json_is_for_programs(airloom):
    done = airloom("status", "--json")
    assert done.returncode == 0
    [status] = json.loads(done.stdout)
    assert status["pipeline"] == "flight_delays"
    assert [stage["stage"] for stage in status["stages"]] == ["ingest", "features", "train", "score"]
    assert (status["champion"], status["verdict"]) == (None, None)


def test_status_is_a_table_for_people(airloom):
    done = airloom("status", "flight_delays")
    assert done.returncode == 0
    assert "ingest" in done.stdout
    assert "none yet" in done.stdout


def test_the_environment_can_be_evaluated_by_a_shell(airloom, tmp_path):
    lines = airloom("env").stdout
    shell = subprocess.run(
        ["/bin/sh", "-c", f"eval {shlex.quote(lines)}; echo $AIRFLOW_HOME; command -v airflow"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin"},
    ).stdout.splitlines()
    assert shell == [str(tmp_path / "var" / "airflow"), str(Path(sys.executable).parent / "airflow")]


def test_down_when_nothing_runs_says_so(airloom):
    done = airloom("down")
    assert (done.returncode, done.stdout.strip()) == (0, "Nothing was running.")


FAILING = """
import sys
from airloom.cli import app, main

@app.command("fail")
def fail():
    int("PLANTED")

for arguments in (["fail"], ["--debug", "fail"]):
    sys.argv = ["airloom", *arguments]
    try:
        main()
    except SystemExit as ended:
        sys.stderr.write(f"ended with {ended.code}\\n")
"""


def test_an_error_that_no_command_has_foreseen_is_its_type_and_place_unless_more_is_asked_for(tmp_path):
    (tmp_path / "failing.py").write_text(FAILING)
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "plugins")}
    command = [sys.executable, str(tmp_path / "failing.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    plain, debug, _ = done.stderr.split("ended with 1\n")
    assert "found:    ValueError at failing.py, line 7\n" in plain
    assert "PLANTED" not in plain
    assert "Traceback" not in plain
    assert "ValueError: invalid literal for int() with base 10: 'PLANTED'" in debug


def waiting(body):
    """A command that does something, then waits for longer than the tests do."""
    code = f"""
import os, signal, sys, time, weakref
from airloom.cli import app, main

class Thing:
    pass

def wait():
    print("waits", flush=True)
    {body}
    time.sleep(600)

app.command("wait")(wait)
sys.argv = ["airloom", "wait"]
main()
"""
    return subprocess.Popen(
        interruptible([sys.executable, "-c", code]),
        env={**os.environ, "PYTHONPATH": str(PROJECT / "plugins")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_interrupt_ends_a_command_without_a_traceback():
    child = waiting("pass")
    child.stdout.readline()
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=600)
    assert (child.returncode, errors) == (130, "")


def test_an_interrupt_in_a_callback_that_drops_exceptions_ends_a_command_too():
    child = waiting("weakref.finalize(Thing(), os.kill, os.getpid(), signal.SIGINT)")
    _, errors = child.communicate(timeout=600)
    assert (child.returncode, errors) == (130, "")


def test_another_error_in_a_finalizer_is_shown_as_ever():
    child = waiting("weakref.finalize(Thing(), int, 'PLANTED'); os.kill(os.getpid(), signal.SIGINT)")
    _, errors = child.communicate(timeout=600)
    assert child.returncode == 130
    assert "PLANTED" in errors
