"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airloom.core.failpoints import failpoint


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to, and put it in the place of a file when the block ends well.

    Args:
        path: The file to create or replace; its folders are made.

    Yields:
        A path in the same folder. When the block fails, what was written there is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        yield temporary
        failpoint("file.before_replace")
        temporary.replace(path)
        failpoint("file.after_replace")
    finally:
        temporary.unlink(missing_ok=True)
