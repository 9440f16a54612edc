"""An import error, as Airflow keeps it: type and place, and no words that may hold values."""

from traceback import format_exception

import pytest

from airloom.launcher.import_errors import described


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise KeyError('name planted')", "KeyError"),
        ("raise ValueError(\"name 'planted' is not defined\")", "ValueError"),
        ("from fractions import Fraction; Fraction('planted')", "ValueError"),
        ("try:\n  int('planted')\nexcept ValueError as e: raise RuntimeError('planted') from e", "RuntimeError"),
        ("import nowhere.at.all", "ModuleNotFoundError of nowhere"),
        ("from json import nothing", "ImportError of nothing"),
        ("undefined", "NameError of undefined"),
        ("with open('a'", "SyntaxError: '(' was never closed"),
        ("from airloom.core.errors import DataError; raise DataError('Ours.', found='x')", "DataError: Ours."),
    ],
)
def test_an_import_error_is_its_type_and_place(code, told):
    with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever it is
        exec(compile(code, "/project/include/own.py", "exec"))
    said = described("".join(format_exception(raised.value)))
    place, _, rest = said.partition(": ")
    assert (place.partition(",")[0], rest) == ("/project/include/own.py", told)
    assert "planted" not in said


@pytest.mark.parametrize(
    ("text", "told"),
    [("planted: a value", "an error"), ("AirflowDagCycleException: planted", "AirflowDagCycleException")],
)
def test_without_a_traceback_only_a_type_is_told(text, told):
    assert described(text) == told
