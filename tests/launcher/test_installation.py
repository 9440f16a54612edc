from importlib.metadata import version
from pathlib import Path

import pytest

from airloom.core.errors import SetupError
from airloom.launcher import installation
from airloom.launcher.installation import differences, pins, require_installation

PROJECT = Path(__file__).parents[2]


def test_what_is_installed_is_what_the_lock_says():
    require_installation(PROJECT)


def test_the_lock_names_versions_only_no_place_they_come_from():
    lines = (PROJECT / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#") and "==" not in line] == []
    assert [line for line in lines if "://" in line or "--" in line or "+" in line] == []


def test_every_requirement_is_in_the_lock():
    required = pins((PROJECT / "requirements.in").read_text().replace(">=", "==").replace(",", ";"))
    locked = {name.lower().replace("_", "-") for name in pins((PROJECT / "requirements.txt").read_text())}
    assert required.keys() - locked == set()


def test_a_missing_package_is_named_with_what_to_do(tmp_path):
    (tmp_path / "requirements.txt").write_text("no-such-package==1.0\n")
    with pytest.raises(SetupError) as caught:
        require_installation(tmp_path)
    assert "no-such-package 1.0 is missing" in str(caught.value)
    assert caught.value.do == "make setup"


def test_an_empty_lock_is_refused(tmp_path):
    (tmp_path / "requirements.txt").write_text("# nothing\n")
    with pytest.raises(SetupError, match="names no package"):
        require_installation(tmp_path)


def test_another_version_is_named():
    assert differences({"pydantic": "0.1"}) == [f"pydantic is {version('pydantic')} instead of 0.1"]


def test_the_label_of_a_build_makes_no_difference():
    assert differences({"pydantic": f"{version('pydantic')}+cpu"}) == []


def test_the_lock_itself_may_be_missing(tmp_path):
    with pytest.raises(SetupError, match="no lock"):
        require_installation(tmp_path)


def test_another_python_gets_a_clear_message():
    with pytest.raises(SetupError) as caught:
        installation._require_python((3, 12))
    assert (caught.value.found, caught.value.expected) == ("3.12", "3.11")


def test_extras_and_markers_do_not_hide_a_pin():
    assert pins("feast[redis]==0.67.0 ; python_version < '4'\n# c\nhttpx==0.28.1\n") == {
        "feast": "0.67.0",
        "httpx": "0.28.1",
    }
