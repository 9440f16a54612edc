import pytest

from airloom.lineage.delivery.answer import answered


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_is_wrong_with_the_event_is_a_refusal(status):
    assert answered(status).outcome == "refused"


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 502, 503, 504])
def test_what_can_be_corrected_or_passes_is_not(status):
    assert answered(status).outcome == "lost"


def test_the_status_is_told_in_words():
    assert answered(422).words == "422 Unprocessable Entity"
    assert answered(599).words == "599"
