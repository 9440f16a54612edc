import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airloom.core.urls import without_credentials


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "postgresql+psycopg://ann:secret@db.example:5432/online?sslmode=require",
            "postgresql+psycopg://db.example:5432/online",
        ),
        ("postgresql://one,two:5433/online", "postgresql://one,two:5433/online"),
        ("rediss://:secret@[::1]:6379/3", "rediss://[::1]:6379/3"),
        ("redis://cache?password=secret", "redis://cache"),
        ("redis://:half@secret@cache:6379", "redis://cache:6379"),
        ("postgresql+psycopg://ann:half@sec:ret@db:5432/online", "postgresql+psycopg://db:5432/online"),
        ("redis://cache?password=half@secret", "redis://…"),
        ("secret", "…"),
    ],
)
def test_a_url_is_shown_without_what_is_secret(url, shown):
    assert without_credentials(url) == shown


@settings(deadline=None)
@given(st.text(min_size=1))
def test_no_password_is_shown_however_it_is_written(password):
    assert without_credentials(f"redis://ann:{password}@cache:6379/0") in ("redis://cache:6379/0", "redis://…")
