"""An installation's `var` as an earlier commit made it: a few nights, two versions, a rollback.

`python -m tests.system.kept FILE` makes one of this commit. Those of earlier commits stay: whoever changes what is kept
brings them along (test_kept.py).
"""

import shutil
import sqlite3
import sys
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path

from tests.system.installation import FIRST, LAST, PIPELINE, Installation
from tests.worlds.prepared import make_project, prepared_once

FOLDER = Path(__file__).with_name("kept")
#: What stands for the folder of the installation in what is kept.
_SOMEWHERE = "/somewhere/installation"
#: What is of one machine or of one process, secret, or only to be read by people.
_LEFT_OUT = ("logs", "secrets", "*.pid", "*.draft", "lock", "*.json.lock")
_TEXTS = (".json", ".yaml", ".cfg", "MLmodel")


def keep(archive: Path) -> None:
    """Run the days and roll back in a new installation, and keep its `var`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        installation = Installation.create(folder / "installation", prepared_once(folder / "prepared"))
        try:
            installation.airloom("demo", PIPELINE, "--from", FIRST, "--to", LAST)
            installation.airloom("rollback", PIPELINE, "--reason", "it promised too much")
        finally:
            installation.airloom("down")
        var = folder / "var"
        shutil.copytree(installation.settings.var, var, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        _move(var, str(installation.folder), _SOMEWHERE)
        with tarfile.open(archive, "w:xz") as file:
            file.add(var, "var")


def unpack(archive: Path, folder: Path) -> Installation:
    """Return an installation with a kept `var` and the project of today."""
    make_project(folder / "project")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    _move(folder / "var", _SOMEWHERE, str(folder))
    return Installation.at(folder)


def _move(var: Path, old: str, new: str) -> None:
    """Replace the name of a folder wherever it is kept: in text files and in tables."""
    for file in var.rglob("*"):
        if file.suffix == ".db":
            _move_database(file, old, new)
        elif file.is_file() and file.name.endswith(_TEXTS):
            file.write_text(file.read_text().replace(old, new))


def _move_database(file: Path, old: str, new: str) -> None:
    with closing(sqlite3.connect(file)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for _, column, kind, *_ in database.execute(f'PRAGMA table_info("{table}")').fetchall():
                if kind.upper().startswith(("VARCHAR", "TEXT", "JSON")):
                    database.execute(
                        f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?) WHERE instr("{column}", ?)',
                        (old, new, old),
                    )
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute("VACUUM")


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
