"""What became of an event that was sent to a lineage backend."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

#: The backend has understood who asks and does not want this event; every other failure can pass.
_REFUSED = {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}


@dataclass(frozen=True)
class Answer:
    """What became of one event.

    Args:
        outcome: Accepted; lost for a while, to be sent again; or refused, where sending again does not help.
        words: Why it was not accepted.
        status: The status of the HTTP answer, when there was one.
    """

    outcome: Literal["accepted", "lost", "refused"]
    words: str = ""
    status: int | None = None


ACCEPTED = Answer("accepted")


def answered(status: int) -> Answer:
    """Judge an HTTP status that says the event was not accepted.

    A wrong key or path (401, 403, 404) is no refusal: the event will be accepted once that is corrected.
    """
    known = status in HTTPStatus.__members__.values()
    words = f"{status} {HTTPStatus(status).phrase}" if known else str(status)
    return Answer("refused" if status in _REFUSED else "lost", words, status)
