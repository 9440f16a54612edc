"""What of a library's error people may read: it may hold a password."""

from __future__ import annotations

import re

_USER = re.compile(r"//[^/@\s\"']*@")


def plain(text: object) -> str:
    """Return the first line of what a library says, without users and passwords of URLs."""
    return _USER.sub("//", str(text).strip().partition("\n")[0])


def kind_and_place(error: Exception) -> str:
    """Name an error and its place only: what a library says may hold a secret."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f", {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}{place}"
