"""How often a waiting trigger looks; for what it looks is in the tests of readiness and of the chain."""

import pytest

from airloom.scheduling.triggers import pause


@pytest.mark.parametrize(("waited", "expected"), [(0, 2), (20, 2), (60, 6), (150, 15), (7200, 15)])
def test_who_has_waited_longer_looks_less_often(waited, expected):
    assert pause(waited, least=2) == pytest.approx(expected)


def test_a_wait_of_two_hours_takes_few_looks():
    waited = looks = 0
    while waited < 7200:
        waited, looks = waited + pause(waited, least=1), looks + 1
    assert looks < 600
