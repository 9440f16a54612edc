"""Fingerprints: the same content has the same one, whenever and by whomever it was made."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def fingerprint(content: Any) -> str:
    """Return 16 hexadecimal digits that stand for plain JSON-like content, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
