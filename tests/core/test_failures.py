"""What a pipeline's own code raises: told by type, file and line, and never by its message."""

import pytest

from airloom.core.errors import DataError, SetupError, Unavailable
from airloom.core.failures import failing, failure, reason


def raised(error):
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001 - also SystemExit
        return caught


@pytest.mark.parametrize("error", [ValueError("secret"), AssertionError(), KeyError("secret\nsecret"), SystemExit(3)])
def test_an_error_is_told_by_type_file_and_line(error):
    told = failure(raised(error))
    assert told.startswith(f"{type(error).__name__} at tests/core/test_failures.py, line ")
    assert "secret" not in told
    with pytest.raises(DataError, match="It cannot be done") as caught, failing("It cannot be done."):
        raise error
    assert "secret" not in str(caught.value)
    assert reason(caught.value).startswith("It cannot be done.")


@pytest.mark.parametrize("error", [ConnectionRefusedError("secret"), TimeoutError("secret")])
def test_a_server_that_does_not_answer_is_worth_another_try(error):
    with pytest.raises(Unavailable) as caught, failing("It cannot be done."):
        raise error
    assert "secret" not in str(caught.value)


def test_an_error_of_ours_stays_what_it_is():
    with pytest.raises(SetupError, match="ours"), failing("It cannot be done."):
        raise SetupError("ours")


def test_whoever_interrupts_is_obeyed():
    with pytest.raises(KeyboardInterrupt), failing("It cannot be done."):
        raise KeyboardInterrupt
