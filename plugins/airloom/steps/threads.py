"""A fixed number of threads: sums in another order would give another model and other predictions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_fixed: ContextVar[bool] = ContextVar("_fixed", default=False)


def threads() -> int:
    """Return how many threads a computation may use: `AIRLOOM_THREADS`, or 1."""
    return int(os.environ.get("AIRLOOM_THREADS", "1"))


@contextmanager
def fixed_threads() -> Iterator[None]:
    """Compute with `AIRLOOM_THREADS` threads (1), in torch and in every library that has a pool of its own."""
    if _fixed.get():  # Looking for the libraries' pools again takes longer than a small model does.
        yield
        return
    import torch
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    before = torch.get_num_threads()
    torch.set_num_threads(threads())
    token = _fixed.set(True)
    try:
        with threadpool_limits(threads()):
            yield
    finally:
        _fixed.reset(token)
        torch.set_num_threads(before)
