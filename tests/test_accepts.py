"""The page *What Airloom accepts* says what the code does."""

import runpy
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def test_the_page_is_what_the_codes_tables_say():
    written = runpy.run_path(str(PROJECT / "docs" / "accepts.py"))
    assert written["PAGE"].read_text(encoding="utf-8") == written["page"](), "run: python docs/accepts.py"
