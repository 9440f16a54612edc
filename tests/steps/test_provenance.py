import subprocess

import pytest

from airloom import __version__
from airloom.steps.provenance import code_version


def git(folder, *arguments):
    return subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


@pytest.fixture
def project(tmp_path):
    git(tmp_path, "init", "--initial-branch", "main")
    git(tmp_path, "commit", "--allow-empty", "--message", "first")
    return tmp_path


@pytest.mark.parametrize("before", [["status"], ["pack-refs", "--all"], ["checkout", "--detach"]])
def test_the_code_is_the_commit_that_is_checked_out(project, before):
    git(project, *before)
    assert code_version(project) == git(project, "rev-parse", "HEAD")


def test_a_worktree_has_the_commit_of_its_own(project, tmp_path_factory):
    tree = tmp_path_factory.mktemp("trees") / "other"
    git(project, "worktree", "add", "--detach", str(tree))
    git(project, "commit", "--allow-empty", "--message", "second")
    assert code_version(tree) == git(tree, "rev-parse", "HEAD") != code_version(project)


def test_without_a_repository_the_code_is_the_packages_version(tmp_path):
    assert code_version(tmp_path) == f"airloom {__version__}"
