import pytest
from receiver import receiving


@pytest.fixture
def receiver():
    with receiving() as server:
        yield server
