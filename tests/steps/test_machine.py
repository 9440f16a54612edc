import platform

from airloom.steps.machine import JOINING, installed_versions, machine


def test_the_machine_is_told_with_what_may_change_the_last_digits(monkeypatch):
    monkeypatch.setenv("AIRLOOM_THREADS", "3")
    found = machine()
    assert list(found) == ["python", "platform", "processor", "gpu", "threads"]
    assert (found["python"], found["threads"]) == (platform.python_version(), "3")
    assert all(found.values())


def test_a_library_that_is_not_installed_has_no_version():
    found = installed_versions([*JOINING, "no-such-library"])
    assert found.pop("no-such-library") is None
    assert all(found.values())
