"""The project's own code: what pipelines name in their declarations, and the classes of their models."""

from __future__ import annotations

import sys
from pathlib import Path


def make_importable(project: Path) -> None:
    """Let this process import the project's code, wherever it was started."""
    folder = str(project)
    if folder not in sys.path:
        sys.path.insert(0, folder)
