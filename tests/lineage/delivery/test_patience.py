import pytest

from airloom.lineage.delivery.patience import PAUSE, Patience


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def patience(clock):
    return Patience(5.0, clock)


def test_the_events_of_one_run_share_the_bound(patience):
    patience.waited("run", 3.0, failed=False)
    assert patience.left("run") == 2.0
    patience.waited("run", 2.5, failed=False)
    assert patience.left("run") == 0.0


def test_the_next_run_has_the_whole_bound(patience):
    patience.waited("run", 3.0, failed=False)
    assert patience.left("another") == 5.0


def test_after_a_failure_nothing_is_sent_for_a_while(patience, clock):
    patience.waited("run", 0.1, failed=True)
    assert patience.left("another") == 0.0
    clock.now += PAUSE
    assert patience.left("another") == 5.0


def test_a_task_that_has_spent_the_bound_never_waits_again(patience, clock):
    patience.waited("run", 5.0, failed=True)
    clock.now += 10 * PAUSE
    assert patience.left("run") == 0.0
