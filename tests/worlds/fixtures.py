"""The prepared installation that all modules copy, and the isolation of what a project's code imports."""

import os
import sys

import pytest

from tests.worlds.as_published import differing
from tests.worlds.prepared import prepared_once


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """A folder of this run, which its workers share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def prepared_installation(shared_folder):
    """The folder of an installation that no test changes."""
    return prepared_once(shared_folder / "prepared")


@pytest.fixture(autouse=True, scope="module")
def _own_path():
    """Restore `sys.path` after each module of tests: a step puts the folder of its project on it."""
    path = list(sys.path)
    yield
    sys.path[:] = path


def _every(request):
    """Return whether to read every published day again: the short form of the suite reads one."""
    return "not long" not in request.config.option.markexpr


@pytest.fixture(autouse=True)
def _as_published(request):
    """Read again what a test has published in its folder, unless it is marked `other_content`."""
    folder = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    yield
    if folder is not None and request.node.get_closest_marker("other_content") is None:
        assert differing(folder, _every(request)) == []


@pytest.fixture(autouse=True, scope="module")
def _module_as_published(request, tmp_path_factory):
    """Read again what the tests of a module have published in folders that they share."""
    base = tmp_path_factory.getbasetemp()
    before = set(base.iterdir())
    yield
    if request.node.get_closest_marker("other_content") is None:
        folders, every = sorted(set(base.iterdir()) - before), _every(request)
        assert [what for folder in folders for what in differing(folder, every)] == []


def _import_anew():
    path, modules = list(sys.path), _without_include()
    yield
    _without_include()
    sys.modules.update(modules)
    sys.path[:] = path


@pytest.fixture
def own_include():
    """Import `include` anew from the project of the test, and forget it afterwards."""
    yield from _import_anew()


@pytest.fixture(scope="module")
def module_include():
    """Import `include` anew from the project of a module of tests, and forget it afterwards."""
    yield from _import_anew()


def _without_include():
    """Forget the modules of `include` and return them."""
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "include"}
