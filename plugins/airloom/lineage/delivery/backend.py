"""The OpenLineage client's transport to a backend that may be slow, away or wrong, at the cost of no task."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attr
from openlineage.client.serde import Serde
from openlineage.client.transport import Config, Transport

from airloom.lineage.delivery.answer import Answer
from airloom.lineage.delivery.patience import Patience
from airloom.lineage.delivery.sending import Sender
from airloom.lineage.delivery.unsent import Held, Unsent

if TYPE_CHECKING:
    from openlineage.client.client import Event

log = logging.getLogger(__name__)


@attr.define
class BackendConfig(Config):
    """What the client's configuration says of this transport.

    Args:
        url: The address of the endpoint.
        folder: The folder in which events are kept that were not accepted.
        timeout: Seconds that the events of one run may wait for the backend together.
        auth: Who asks, as for the client's HTTP transport.
    """

    url: str
    folder: str
    timeout: float
    auth: dict[str, Any] = attr.field(factory=dict, repr=False)

    @classmethod
    def from_dict(cls, params: dict[str, Any]) -> BackendConfig:
        """Read the client's configuration."""
        known = {field.name for field in attr.fields(cls)}
        return cls(**{name: value for name, value in params.items() if name in known})


class BackendTransport(Transport):
    """Sends each event by HTTP within a bound, never raises, and keeps what was not accepted for sending again.

    Args:
        config: Where to and for how long.
    """

    kind = "airloom"
    config_class = BackendConfig

    def __init__(self, config: BackendConfig) -> None:
        self.url = config.url
        self.unsent = Unsent(Path(config.folder))
        self.sender = Sender(config.url, config.timeout, config.auth)
        self.patience = Patience(config.timeout)
        self._told: set[str] = set()

    def emit(self, event: Event) -> None:
        """Keep an event until the backend has accepted it, and wait for that within the bound."""
        text, run = Serde.to_json(event), _run(event)
        held = self._hold(text)
        seconds = 0.0 if self.sender.busy else self.patience.left(run)
        if seconds > 0.0:
            self._send(text, run, seconds, held)
        elif held is not None:
            held.let_go()

    def _hold(self, event: str) -> Held | None:
        try:
            return self.unsent.hold(event)
        except OSError as error:
            self._tell("unkept", f"Lineage events cannot be kept in {self.unsent.folder}: {error.strerror}")
            return None

    def _send(self, event: str, run: str, seconds: float, held: Held | None) -> None:
        began = time.monotonic()
        answer = self.sender.send(event, seconds, held)
        self.patience.waited(run, time.monotonic() - began, failed=answer.outcome == "lost")
        if answer.outcome != "accepted":
            self._tell(answer.outcome, self._warning(answer))

    def _warning(self, answer: Answer) -> str:
        if answer.outcome == "refused":
            return f"The lineage backend {self.url} refused an event: {answer.words}. See: airloom lineage status"
        return (
            f"The lineage backend {self.url} did not take an event: {answer.words}. Events are kept and can be sent "
            "with: airloom lineage resend"
        )

    def _tell(self, what: str, message: str) -> None:
        """Warn once a process, however many events it concerns."""
        if what not in self._told:
            self._told.add(what)
            log.warning(message)


def _run(event: Event) -> str:
    run = getattr(event, "run", None)
    return "" if run is None else str(run.runId)
