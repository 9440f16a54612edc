"""A pipeline whose values are unmistakable, and whose code fails where a test says so."""

from pathlib import Path

#: What no message may hold: a key, an entity, a category and a number, as they are and as they may be printed.
PLANTED = ("SECRETKEY", "SECRETACCOUNT", "SECRETCURRENCY", "918273.6")


def fault():
    """Return where the code is to fail."""
    file = Path(__file__).with_name("fault")
    return file.read_text() if file.exists() else ""
