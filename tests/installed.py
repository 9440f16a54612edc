"""What some tests need besides the environment, and what becomes of them without it."""

import os

import pytest


def require(available, reason):
    """Skip a test whose server or browser is missing; in CI, where everything is installed, fail instead."""
    if not available:
        if os.environ.get("AIRLOOM_REQUIRE_SERVERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
