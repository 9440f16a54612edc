"""Whether the online store can be written, and keeps what it has."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from airloom.core.errors import SetupError
from airloom.core.urls import without_credentials
from airloom.launcher.doctor.findings import Finding, ok, warning, wrong
from airloom.launcher.doctor.quoting import plain
from airloom.launcher.doctor.subject import Subject

_SECONDS = 5
_ASIDE = "airloom_doctor_probe"
_DO = "see that AIRLOOM_ONLINE_URL is right, that the server runs and lets this user write"


def online_store(subject: Subject) -> Iterator[Finding]:
    """Write to the online store, and take it back."""
    url, file = subject.settings.online_url, subject.settings.online
    if url.startswith("redis"):
        yield from _redis(url)
    elif url.startswith("postgresql"):
        _try_postgres(url)
        yield ok("online store", f"{without_credentials(url)} answers and can be written")
    elif url:
        raise _unusable(url, "a URL of another kind", "name a redis:// or postgresql:// server, or nothing")
    elif file.exists():
        _try_sqlite(file)
        yield ok("online store", f"{file} can be written")
    else:
        yield ok("online store", f"{file} is made when features are first materialized")


def _try_sqlite(file: Path) -> None:
    """Make a table in a transaction that is never committed."""
    try:
        with closing(sqlite3.connect(file, timeout=_SECONDS, isolation_level=None)) as connection:
            for statement in ("BEGIN IMMEDIATE", f"CREATE TABLE {_ASIDE} (value)", "ROLLBACK"):
                connection.execute(statement)
    except sqlite3.Error as error:
        do = "let this user write there; if it is locked, wait for the writer"
        raise _unusable(str(file), plain(error), do) from None


def _try_postgres(url: str) -> None:
    """Write in a transaction that is never committed: to the store's own table, where there is one."""
    import psycopg

    address = url.replace("postgresql+psycopg://", "postgresql://", 1)
    try:
        with psycopg.connect(address, connect_timeout=_SECONDS) as connection:
            connection.execute(f"SET LOCAL statement_timeout = '{_SECONDS}s'")
            if connection.execute("SELECT to_regclass('airloom_online_entities')").fetchone() == (None,):
                connection.execute(f"CREATE TABLE {_ASIDE} (value text)")
            else:
                connection.execute("INSERT INTO airloom_online_entities VALUES (-1, '', 0, 0, -1, '')")
                connection.execute("DELETE FROM airloom_online_entities WHERE view = -1")
            connection.rollback()
    except psycopg.Error as error:
        found = type(error).__name__ if isinstance(error, psycopg.ProgrammingError) and not error.sqlstate else error
        raise _unusable(url, plain(found), _DO) from None


def _redis(url: str) -> Iterator[Finding]:
    import redis

    try:
        with redis.Redis.from_url(url, socket_connect_timeout=_SECONDS, socket_timeout=_SECONDS) as server:
            _try_redis(server)
            kept, memory = server.info("persistence"), server.info("memory")
    except (redis.RedisError, ValueError) as error:
        raise _unusable(url, plain(error) if isinstance(error, redis.RedisError) else "no URL", _DO) from None
    yield ok("online store", f"{without_credentials(url)} answers and can be written")
    yield from judge_keeping(bool(kept.get("aof_enabled")), str(memory.get("maxmemory_policy", "unknown")))


def _try_redis(server: Any) -> None:
    """Write a key that ends by itself, should this process end before it is removed."""
    key = f"airloom:doctor:{secrets.token_hex(8)}"
    server.set(key, b"probe", ex=60, nx=True)
    server.get(key)
    server.delete(key)


def judge_keeping(appends: bool, policy: str) -> Iterator[Finding]:
    """Judge whether Redis keeps everything that it was given.

    Args:
        appends: Whether it writes every change to its append-only file.
        policy: What it does when its memory is full.
    """
    if policy != "noeviction":
        said = f"Redis removes online features when its memory is full: maxmemory-policy {policy}"
        yield wrong("Redis keeps features", said, "redis-cli CONFIG SET maxmemory-policy noeviction, and in its file")
    if not appends:
        said = "Redis forgets the newest online features when it is started again: appendonly no"
        yield warning("Redis keeps features", said, "redis-cli CONFIG SET appendonly yes, and in its file")
    if appends and policy == "noeviction":
        yield ok("Redis keeps features", "appendonly yes, maxmemory-policy noeviction")


def _unusable(url: str, found: str, do: str) -> SetupError:
    where = without_credentials(url) if "://" in url else url
    return SetupError("The online store cannot be used.", where=where, found=found, do=do)
