"""URLs with credentials, as they may be shown."""

from __future__ import annotations

import re

# Whatever stands before the last @ may be a password; a ? or # before it could also begin a query with one.
_PARTS = re.compile(r"(?P<scheme>[a-z0-9+]+)://(?:[^?#]*@)?(?P<place>[\w.,:\[\]-]*(?:/[\w.-]*)?)(?:[?#][^@]*)?")


def without_credentials(url: str) -> str:
    """Return scheme, host, port and path of a URL: no user, no password, no query.

    Args:
        url: The URL; of one that cannot be taken apart for certain no more than the scheme is shown.
    """
    parts = _PARTS.fullmatch(url)
    if parts:
        return f"{parts['scheme']}://{parts['place']}"
    scheme, found, _ = url.partition("://")
    return f"{scheme}://…" if found and re.fullmatch(r"[\w+]+", scheme) else "…"
