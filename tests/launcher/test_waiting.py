import os

from airloom.launcher.waiting import STALLED_SECONDS, Waiting


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_waiting_goes_on_as_long_as_anything_changes():
    clock = Clock()
    waiting = Waiting(clock)
    for step in range(10):
        waiting.look(["scheduler", step])
        clock.now += STALLED_SECONDS - 1
        assert not waiting.stalled
    waiting.look(["scheduler", 9])
    clock.now += 2
    assert waiting.stalled


def test_after_a_while_it_is_said_that_the_machine_is_busy(monkeypatch):
    clock = Clock()
    waiting = Waiting(clock)
    monkeypatch.setattr(os, "getloadavg", lambda: (29.1, 12.0, 3.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert waiting.remark == ""
    clock.now = 85
    assert waiting.remark == " (for 85 s; this machine is busy: load 29 on 2 cores)"
    monkeypatch.setattr(os, "getloadavg", lambda: (1.1, 12.0, 3.0))
    assert waiting.remark == " (for 85 s)"
