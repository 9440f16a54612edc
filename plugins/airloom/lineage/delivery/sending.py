"""Sends one event to a lineage backend by the OpenLineage client's HTTP transport, within a bound."""

from __future__ import annotations

import json
import os
import threading
from http.client import RemoteDisconnected
from typing import Any

from openlineage.client.transport.http import HttpConfig, HttpTransport, TokenProvider
from requests import HTTPError, Session, Timeout, TooManyRedirects

from airloom.lineage.delivery.address import KEY
from airloom.lineage.delivery.answer import ACCEPTED, Answer, answered
from airloom.lineage.delivery.unsent import Held

#: One try: the client's own five retries take a task's time, and what is lost is sent again later.
_ONE_TRY: dict[str, Any] = {"total": False, "status_forcelist": []}

#: The client takes a redirect without an address for an answer like any other.
_NOT_ACCEPTED = 300


class KeyFromEnvironment(TokenProvider):
    """Gives the key of `AIRLOOM_LINEAGE_API_KEY`, when there is one, to the client's HTTP transport."""

    def get_bearer(self) -> str | None:
        """Return what the request's `Authorization` says."""
        key = os.environ.get(KEY, "").strip()
        return f"Bearer {key}" if key else None


class Sender:
    """Sends events to one backend, one at a time.

    Args:
        url: The address of the endpoint.
        timeout: Seconds that connecting, and each wait for bytes, may take.
        auth: Who asks, in the client's configuration of its HTTP transport.
    """

    def __init__(self, url: str, timeout: float, auth: dict[str, Any]) -> None:
        session = Session()
        # A redirected POST becomes a GET, whose 200 says nothing about the event.
        session.max_redirects = 0
        options = {"url": url, "endpoint": "", "timeout": timeout, "auth": auth, "retry": _ONE_TRY}
        config = HttpConfig.from_dict(options)
        config.session = session
        self._http = HttpTransport(config)
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether an event that nobody waits for any more is still being sent."""
        return self._thread is not None and self._thread.is_alive()

    def send(self, event: str, seconds: float, held: Held | None = None) -> Answer:
        """Send an event and wait for the answer no longer than given, whatever the backend does.

        Timeouts of sockets bound each wait for bytes; a name that does not resolve, or a backend that sends a byte now
        and then, can take for ever. So a thread sends, and is left alone when the time is over.

        Args:
            event: The event, as JSON.
            seconds: How long to wait.
            held: The event as it was kept; the thread settles it, also when the answer comes late.

        Returns:
            What became of it.
        """
        answers: list[Answer] = []

        def work() -> None:
            answer = self._post(event)
            answers.append(answer if held is None else _settled(held, answer))

        self._thread = threading.Thread(target=work, name="airloom-lineage", daemon=True)
        self._thread.start()
        self._thread.join(seconds)
        return answers[0] if answers else Answer("lost", f"no answer within {seconds:g} seconds")

    def _post(self, event: str) -> Answer:
        try:
            document = json.loads(event)
        except ValueError:
            return Answer("refused", "it is no JSON document")
        try:
            status = self._http.emit(document).status_code
        except Exception as error:  # noqa: BLE001 - whatever fails here is the backend's or the network's failure
            if isinstance(error, HTTPError) and error.response is not None:
                return answered(error.response.status_code)
            return Answer("lost", _reason(error))
        return ACCEPTED if status < _NOT_ACCEPTED else answered(status)


def _settled(held: Held, answer: Answer) -> Answer:
    try:
        held.settle(answer)
    except OSError as error:
        # It stays where it is, and is sent again.
        return Answer("lost", f"{answer.words or answer.outcome}, and {held.path} stays: {error.strerror}")
    return answer


def _reason(error: BaseException) -> str:
    """Say what went wrong without the request that it went wrong for."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (Timeout, TimeoutError)):
            return "no answer in time"
        if isinstance(cause, TooManyRedirects):
            return "it redirects to another address, which is not followed"
        if isinstance(cause, RemoteDisconnected):
            return "the connection was closed without an answer"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
