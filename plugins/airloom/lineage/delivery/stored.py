"""The OpenLineage client's transport into a bucket: one object an event, so that none is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attr
from openlineage.client.serde import Serde
from openlineage.client.transport import Config, Transport

from airloom.connections import use_connections
from airloom.core.places import parse_place
from airloom.stores.kept_events import keep_event

if TYPE_CHECKING:
    from openlineage.client.client import Event


@attr.define
class StoredConfig(Config):
    """What the client's configuration says of this transport.

    Args:
        folder: Where the events are kept, `s3://bucket/prefix`.
    """

    folder: str

    @classmethod
    def from_dict(cls, params: dict[str, Any]) -> StoredConfig:
        """Read the client's configuration."""
        return cls(params["folder"])


class StoredTransport(Transport):
    """Keeps each event as an object of its own.

    Args:
        config: Where.
    """

    kind = "airloom_stored"
    config_class = StoredConfig

    def __init__(self, config: StoredConfig) -> None:
        self.folder = parse_place(config.folder)

    def emit(self, event: Event) -> None:
        """Keep an event.

        Raises:
            SetupError: The bucket refuses, or cannot be reached.
        """
        use_connections()
        keep_event(self.folder, Serde.to_json(event))
