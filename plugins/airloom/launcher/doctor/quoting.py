"""What of a library's error people may read: it may hold a password."""

from __future__ import annotations

import re

_USER = re.compile(r"//[^/@\s\"']*@")


def plain(text: object) -> str:
    """Return the first line of what a library says, without users and passwords of URLs."""
    return _USER.sub("//", str(text).strip().partition("\n")[0])
