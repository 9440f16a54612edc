import pytest

from tests.lineage.receiver import receiving


@pytest.fixture
def receiver():
    with receiving() as server:
        yield server
