"""The online store in Redis: a change is staged, becomes visible by renaming one key, and is merged in small pages."""

from __future__ import annotations

import secrets
import struct
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import chain, islice
from typing import Any, Literal

import redis
from feast import RepoConfig
from feast.repo_config import FeastConfigBaseModel
from pydantic import SecretStr

from airloom.core.errors import SetupError, Unavailable
from airloom.core.failpoints import failpoint
from airloom.core.failures import words
from airloom.core.urls import without_credentials
from airloom.stores import online_redis_scripts as scripts
from airloom.stores.online import BUSY_SECONDS, Found, GuardedOnlineStore, Row

_CONNECT_SECONDS, _ANSWER_SECONDS = 10, 30
#: A writer that has been killed, or stands still, for so long may be followed by another.
_LEASE_SECONDS = 10
_POLL_SECONDS = 0.1
_ROWS_A_BATCH = 1000
_HEAD = struct.Struct(">qqH")
_PLACE = struct.Struct(">qI")


class GuardedRedisOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]
    """Where the online store is.

    Args:
        type: The store's class.
        url: URL of the server, with its credentials.
    """

    type: Literal["airloom.stores.online_redis.GuardedRedisOnlineStore"] = (
        "airloom.stores.online_redis.GuardedRedisOnlineStore"
    )
    url: SecretStr


class GuardedRedisOnlineStore(GuardedOnlineStore):
    """Keep online rows in one hash a view; see docs/adr/0008-online-stores-on-servers.md."""

    @contextmanager
    def _change(self, config: RepoConfig, view: str, layout: str) -> Iterator[_RedisChange]:
        with _server(config) as server:
            change = _RedisChange(server, view)
            change.acquire(layout)
            with change.leased():
                change.merge()
                yield change
                failpoint("online.before_commit")
                change.commit()
                failpoint("online.after_commit")
                # What is committed is seen; where another writer has come meanwhile, it has merged this already.
                with suppress(_TakenOver):
                    change.merge()

    def _find(self, config: RepoConfig, view: str, entities: Sequence[bytes]) -> tuple[int, dict[bytes, Found]]:
        if not entities:
            return 0, {}
        with _server(config) as server:
            reading = server.pipeline(transaction=True)
            reading.hget(_key(view, "meta"), "newest").lrange(_key(view, "layouts"), 0, -1)
            reading.hmget(_key(view, "pending"), entities).hmget(_key(view, "rows"), entities)
            newest, layouts, pending, merged = reading.execute()
        rows = (old if new is None else new for new, old in zip(pending, merged, strict=True))
        return int(newest or 0), {
            entity: _found(row, layouts) for entity, row in zip(entities, rows, strict=True) if row
        }

    def _forget(self, config: RepoConfig, views: Sequence[str]) -> None:
        with _server(config) as server:
            server.ping()
            for view in views:
                _RedisChange(server, view).forget()


class _TakenOver(Unavailable):
    """Another writer owns the view by now."""


class _RedisChange:
    """A change of a view by its owner; the server refuses all of it once another writer owns the view."""

    def __init__(self, server: Any, view: str) -> None:
        self._server, self._view, self._token = server, view, secrets.token_hex(8)
        self._layout = self._newest = 0
        self._receded = False

    def acquire(self, layout: str) -> None:
        """Wait until no other writer holds the view, and become its owner."""

        def acquired() -> bool:
            self._layout = self._run(scripts.ACQUIRE, _LEASE_SECONDS * 1000, layout)
            return self._layout >= 0

        self._when_free(acquired)

    def forget(self) -> None:
        """Wait until no writer holds the view, and unlink all its keys."""
        self._when_free(lambda: self._run(scripts.FORGET) == 1)

    @contextmanager
    def leased(self) -> Iterator[None]:
        """Renew the lease until the block ends, then let the next writer in."""
        ended = threading.Event()
        threading.Thread(target=self._renew, args=(ended,), daemon=True).start()
        try:
            yield
        finally:
            ended.set()
            # Without an answer the lease ends by itself; what ended the block is the error to tell.
            with suppress(redis.RedisError, _TakenOver):
                self._run(scripts.RELEASE)

    def within(self, first: int, last: int) -> Iterable[tuple[bytes, int]]:
        cursor = b""
        while cursor != b"0":
            cursor, page = self._run(scripts.WITHIN, cursor or b"0", first, last)
            offset = 0
            while offset < len(page):
                event, length = _PLACE.unpack_from(page, offset)
                offset += _PLACE.size + length
                yield page[offset - length : offset], event

    def remove(self, entities: Collection[bytes]) -> None:
        self._stage((entity, b"") for entity in entities)

    def put(self, rows: Sequence[Row]) -> None:
        self._stage((row.entity, _HEAD.pack(row.event, row.known, self._layout) + row.features) for row in rows)
        self._newest = max([self._newest, *(row.event for row in rows)])

    def recede(self, newest: int) -> None:
        self._newest, self._receded = newest, True

    def commit(self) -> None:
        """Make everything visible that is staged."""
        self._run(scripts.COMMIT, self._newest, int(self._receded))

    def merge(self) -> None:
        """Move what is visible but still pending to the view's rows; a writer that was killed may have left some."""
        cursor = b"0"
        while (cursor := self._run(scripts.MERGE, cursor)) != b"0":
            pass

    def _stage(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        remaining = iter(pairs)
        while batch := list(islice(remaining, _ROWS_A_BATCH)):
            self._run(scripts.STAGE, *chain.from_iterable(batch))

    def _renew(self, ended: threading.Event) -> None:
        while not ended.wait(_LEASE_SECONDS / 4):
            with suppress(redis.RedisError, _TakenOver):
                self._run(scripts.RENEW, _LEASE_SECONDS * 1000)

    def _run(self, script: scripts.Script, *arguments: object) -> Any:
        keys = [_key(self._view, part) for part in script.keys]
        try:
            return self._server.register_script(script.text)(keys, [self._token, *arguments])
        except redis.ResponseError as error:
            if not str(error).startswith(scripts.FENCED):
                raise
            raise _TakenOver(
                "Another writer has come while this one stood still; nothing of this change is visible.",
                where=f"online rows of {self._view}",
                do="run again",
            ) from error

    def _when_free(self, attempt: Callable[[], bool]) -> None:
        deadline = time.monotonic() + BUSY_SECONDS
        while not attempt():
            if time.monotonic() > deadline:
                raise Unavailable(
                    "Another writer holds the view.",
                    where=f"online rows of {self._view}",
                    do="wait for it and run again",
                )
            time.sleep(_POLL_SECONDS)


@contextmanager
def _server(config: RepoConfig) -> Iterator[Any]:
    url = config.online_store.url.get_secret_value()
    try:
        yield _client(url)
    except redis.RedisError as error:
        raise Unavailable(
            "The online store cannot be used.",
            where=without_credentials(url),
            found=words(error),
            do="see that the server runs and lets this user in",
        ) from error


@lru_cache(maxsize=16)
def _client(url: str) -> Any:
    """Return the process's client: its pool is safe between threads, and starts anew after a fork."""
    try:
        return redis.Redis.from_url(
            url, socket_connect_timeout=_CONNECT_SECONDS, socket_timeout=_ANSWER_SECONDS, health_check_interval=30
        )
    except ValueError:
        # What the driver says may quote the password.
        raise SetupError(
            "The URL of the online store cannot be read.",
            where=without_credentials(url),
            expected="redis://user:password@host:port/number, special characters of the password as %XX",
        ) from None


def _key(view: str, part: str) -> str:
    return f"airloom:{view}:{part}"


def _found(row: bytes, layouts: Sequence[bytes]) -> Found:
    event, _, layout = _HEAD.unpack_from(row)
    return Found(event, layouts[layout].decode(), row[_HEAD.size :])
