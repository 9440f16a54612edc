import json
import os
import re
import signal
import subprocess
import textwrap
import time

import psutil
import pytest

from airloom.launcher.process import Background, stop

#: Starts a child that ignores SIGTERM and lives in a process group of its own, then ends without it.
ORPHANS = """
    import os, signal, subprocess, sys, time
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    started = subprocess.Popen([sys.executable, "-c", deaf], process_group=0, stdout=subprocess.PIPE)
    started.stdout.readline()
    print("child", started.pid, flush=True)
    {end}
"""


@pytest.fixture
def background(tmp_path):
    started = []

    def make(code, grace=0.5):
        service = Background("dummy", ("-c", textwrap.dedent(code)), tmp_path, grace)
        service.start(dict(os.environ), tmp_path)
        started.append(service)
        return service

    yield make
    stop(started)


def wait_for(condition, seconds=600.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def child_of(service):
    wait_for(lambda: "child" in service.last_lines())
    return int(re.findall(r"^child (\d+)$", service.last_lines(), re.MULTILINE)[-1])


@pytest.mark.parametrize("end", ["time.sleep(60)", "os._exit(0)"], ids=["parent lives", "parent has ended"])
def test_stopping_leaves_no_process_even_of_another_group_that_ignores_sigterm(background, end):
    service = background(ORPHANS.replace("{end}", end))
    child = child_of(service)
    assert stop([service]) >= 1
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
    assert service.session() == []
    assert service.process() is None


def test_an_interrupt_in_the_middle_of_a_start_leaves_a_process_that_can_be_stopped(background, monkeypatch, tmp_path):
    start = subprocess.Popen

    def interrupted(*arguments, **options):
        started = start(*arguments, **options)
        os.kill(os.getpid(), signal.SIGINT)
        return started

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        background("import time; time.sleep(60)")
    service = Background("dummy", (), tmp_path, 0.5)
    process = service.process()
    assert stop([service]) >= 1
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_process_that_ends_by_itself_is_not_killed(background):
    code = """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: (print("ended well", flush=True), sys.exit()))
        print("ready", flush=True)
        time.sleep(60)
    """
    service = background(code, grace=10.0)
    wait_for(lambda: "ready" in service.last_lines())
    stop([service])
    assert "ended well" in service.last_lines()


def test_another_command_finds_the_process_again(background, tmp_path):
    service = background("import time; time.sleep(60)")
    again = Background("dummy", (), tmp_path, 1.0)
    assert again.process().pid == service.process().pid


def test_a_later_process_with_the_same_number_is_not_taken_for_it(background):
    service = background("import time; time.sleep(60)")
    identity = json.loads(service.record.read_text())
    service.record.write_text(json.dumps(identity | {"created": identity["created"] - 100}))
    assert service.process() is None
    assert service.session() == []
    assert stop([service]) == 0
    assert not service.record.exists()
    service.record.write_text(json.dumps(identity))
    assert service.process() is not None


def test_a_process_that_ends_again_and_again_is_given_up(background):
    service = background("print('done')")
    wait_for(lambda: service.process() is None)
    assert service.last_lines().count("done") == 3
    assert "ended 3 times in a row soon after its start" in service.last_lines()


def test_a_process_that_dies_is_started_again_without_what_it_had_left_behind(background):
    service = background(ORPHANS.replace("{end}", "time.sleep(60)"))
    child = child_of(service)
    [_, server, _] = service.session()
    assert service.started() == server.create_time()
    server.kill()
    killed = time.time()
    wait_for(lambda: service.last_lines().count("child") == 2)
    assert service.started() > killed
    assert "status 137; it is started again" in service.last_lines()
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
    assert service.process() is not None


def test_a_process_that_waits_to_be_started_again_is_stopped_at_once(background):
    service = background("raise SystemExit(3)", grace=10.0)
    wait_for(lambda: "status 3; it is started again" in service.last_lines())
    began = time.monotonic()
    stop([service])
    assert time.monotonic() - began < 5
    assert "ended 3 times" not in service.last_lines()
    assert service.session() == []


def test_a_process_is_asked_to_end_once(background):
    """Airflow's scheduler would take a second signal as a reason to leave its tasks."""
    code = """
        import signal, time
        signal.signal(signal.SIGTERM, lambda *_: print("asked", flush=True))
        print("ready", flush=True)
        time.sleep(60)
    """
    service = background(code, grace=1.0)
    wait_for(lambda: "ready" in service.last_lines())
    stop([service])
    assert service.last_lines().count("asked") == 1


def test_what_it_logs_and_computes_is_activity(background):
    service = background("import time; print('x', flush=True); time.sleep(60)")
    wait_for(lambda: service.activity()[0] > 0)
    assert service.activity() == (2, 0)
    stop([service])
    assert service.activity() == (2, 0)
    assert service.started() is None


def test_its_files_are_readable_by_their_owner_only(background, tmp_path):
    service = background("open('made', 'w').close()")
    wait_for(lambda: (tmp_path / "made").exists())
    assert (tmp_path / "made").stat().st_mode & 0o077 == 0
    assert service.process() is None or service.log.exists()


def test_stopping_what_never_ran_does_nothing(tmp_path):
    assert stop([Background("never", (), tmp_path, 1.0)]) == 0


def test_a_terminal_interrupt_does_not_reach_it(background):
    service = background("import time; time.sleep(60)")
    assert os.getsid(service.process().pid) != os.getsid(0)
