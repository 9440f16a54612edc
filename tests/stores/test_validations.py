from datetime import date

import pytest

from airloom.core.errors import DataError
from airloom.stores.files import files_below, replaced_file
from airloom.stores.validations import ValidationResults

DAY = date(2013, 2, 10)


def test_the_same_result_is_the_same_file(place):
    results = ValidationResults(place)
    first = results.write("toy", "flights", DAY, {"rows": 1})
    assert results.write("toy", "flights", DAY, {"rows": 1}) == first
    assert results.write("toy", "flights", DAY, {"rows": 2}) != first
    assert results.read(first) == {"rows": 1}
    assert first.startswith("toy/flights/2013-02-10/")


def test_a_result_that_is_missing_or_was_changed_is_refused(place):
    results = ValidationResults(place)
    result = results.write("toy", "flights", DAY, {"outcome": "blocked"})
    with replaced_file(place / result) as file:
        file.write_text('{"outcome": "passed"}')
    with pytest.raises(DataError, match="has been changed"):
        results.read(result)
    with pytest.raises(DataError, match="cannot be read"):
        results.read("toy/flights/2013-02-10/0.json")


def test_a_result_is_never_written_again(place):
    results = ValidationResults(place)
    result = results.write("toy", "flights", DAY, {"rows": 1})
    with replaced_file(place / result) as file:
        file.write_text("changed")
    results.write("toy", "flights", DAY, {"rows": 1})
    assert [each.size for each in files_below(place)] == [len("changed")]
