"""A transport in front of others: the params of a run are masked before anybody sees them.

Airflow's provider looks for secrets in every event, and overlooks those in the params of a DAG run: it changes the
attributes of an object that is written as the mapping it is as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attr
from openlineage.client.transport import Config, Transport, get_default_factory

if TYPE_CHECKING:
    from openlineage.client.client import Event


@attr.define
class MaskedConfig(Config):
    """What the client's configuration says of this transport.

    Args:
        transport: The configuration of the transport that events go to.
    """

    transport: dict[str, Any]

    @classmethod
    def from_dict(cls, params: dict[str, Any]) -> MaskedConfig:
        """Read the client's configuration."""
        return cls(params["transport"])


class MaskedTransport(Transport):
    """Masks the params of a run and hands the event on.

    Args:
        config: Where to.
    """

    kind = "airloom_masked"
    config_class = MaskedConfig

    def __init__(self, config: MaskedConfig) -> None:
        self.transport = get_default_factory().create(config.transport)

    def emit(self, event: Event) -> Any:
        """Hand an event on, without what Airflow takes for a secret; params that cannot be masked are left out."""
        run = getattr(event, "run", None)
        for facet in (run.facets or {}).values() if run else ():
            dag_run = getattr(facet, "dagRun", None)
            if isinstance(dag_run, dict) and "conf" in dag_run:
                dag_run["conf"] = _masked(dag_run["conf"])
        return self.transport.emit(event)

    def close(self, timeout: float = -1) -> bool:
        """Close the transport behind."""
        return bool(self.transport.close(timeout))


def _masked(params: Any) -> Any:
    from airflow.sdk._shared.secrets_masker import redact

    try:
        return redact(dict(params or {}))
    except (TypeError, ValueError):
        return {}
