"""Whether an S3 server can be trusted with the commits of tables: of several writers, one creates an object.

Many servers look first whether there is one and write afterwards, so that writers who come at once all succeed: each
would take its commit for the one that counts.
"""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

from airloom.core.errors import SetupError
from airloom.core.places import S3Path
from airloom.stores.objects import create_object, remove_object

#: A server that looks first is found out in the first round, nearly always.
_ROUNDS, _WRITERS = 5, 8


def require_single_creation(place: S3Path) -> None:
    """Let several writers create the same object at once, some times, and see that never more than one succeeds.

    Args:
        place: The prefix below which probes are made, and removed.

    Raises:
        SetupError: Several have succeeded, or S3 refuses or cannot be reached.
    """
    most = max(_created(place / ".airloom-probe" / uuid.uuid4().hex) for _ in range(_ROUNDS))
    if most > 1:
        raise SetupError(
            "This S3 server lets several writers create the same object at once; commits would be lost.",
            where=str(place),
            found=f"{most} of {_WRITERS} writers who asked for If-None-Match: * have succeeded",
            expected="one, as with Amazon S3",
            do="use a server, or a newer version of it, whose conditional writes are atomic",
        )


def _created(probe: S3Path) -> int:
    """Create an object by several writers at once; return how many succeeded."""
    try:
        with ThreadPoolExecutor(_WRITERS) as writers:
            return sum(writers.map(lambda number: create_object(probe, b"%d" % number), range(_WRITERS)))
    finally:
        remove_object(probe)
