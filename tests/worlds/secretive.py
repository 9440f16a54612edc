"""A module that cannot be imported, and says why with a value."""

from tests.worlds.telling import SECRET

raise RuntimeError(f"the licence {SECRET} has expired")
