"""The page of a validation result, from a folder and from a bucket."""

import json
from datetime import date

import pytest
from fastapi import HTTPException

from airloom.stores.validations import ValidationResults
from airloom.web.validations import validation

DAY = date(2013, 2, 10)


@pytest.fixture
def result(place, monkeypatch):
    monkeypatch.setenv("AIRLOOM_STORAGE_URL", str(place))
    return ValidationResults(place / "validations").write("toy", "flights", DAY, {"rows": 1})


def test_a_result_is_shown_as_it_was_written(result):
    answer = validation(*result.split("/"))
    assert (json.loads(answer.body), answer.media_type) == ({"rows": 1}, "application/json")


def test_a_result_that_there_is_not_is_not_found(result):
    with pytest.raises(HTTPException) as error:
        validation("toy", "flights", "2013-02-10", "0.json")
    assert error.value.status_code == 404


def test_storage_that_is_away_is_no_missing_result(s3_client, monkeypatch):
    monkeypatch.setenv("AIRLOOM_STORAGE_URL", "s3://no-such-bucket/prefix")
    with pytest.raises(HTTPException, match="no such bucket") as error:
        validation("toy", "flights", "2013-02-10", "0.json")
    assert error.value.status_code == 503
