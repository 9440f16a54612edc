"""The backend that lineage events go to besides the file, as the environment names it."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from airloom.core.errors import UsageError
from airloom.core.settings import Settings

URL = "AIRLOOM_LINEAGE_URL"
TIMEOUT = "AIRLOOM_LINEAGE_TIMEOUT"
CONNECTION = "AIRLOOM_LINEAGE_CONNECTION"
#: Read by the process that sends, and by nothing else: it is in no configuration and no file.
KEY = "AIRLOOM_LINEAGE_API_KEY"

_ENDPOINT = "/api/v1/lineage"
_SECONDS = 5.0
_MOST_SECONDS = 60.0


@dataclass(frozen=True)
class Address:
    """Where lineage events are sent by HTTP.

    Args:
        url: The address of the endpoint; holds no credentials.
        timeout: Seconds that the events of one task may wait for it together.
        connection: The Airflow connection with the key; the environment's key without one.
    """

    url: str
    timeout: float = _SECONDS
    connection: str | None = None

    @classmethod
    def from_environment(cls) -> Address | None:
        """Read `AIRLOOM_LINEAGE_URL`, `AIRLOOM_LINEAGE_TIMEOUT` and `AIRLOOM_LINEAGE_CONNECTION`.

        Returns:
            The backend; None when events go to the file only.

        Raises:
            UsageError: One of them makes no sense.
        """
        url = os.environ.get(URL, "").strip()
        if not url:
            return None
        return cls(_endpoint(url), _seconds(os.environ.get(TIMEOUT)), os.environ.get(CONNECTION) or None)

    def variables(self) -> dict[str, str]:
        """Return the variables that say the same to another process."""
        connection = {CONNECTION: self.connection} if self.connection else {}
        return {URL: self.url, TIMEOUT: f"{self.timeout:g}", **connection}

    def transport(self, settings: Settings) -> dict[str, Any]:
        """Return the OpenLineage client's configuration of the transport to this backend."""
        return {
            "type": "airloom.lineage.delivery.backend.BackendTransport",
            "url": self.url,
            "timeout": self.timeout,
            "folder": str(settings.delivery),
            "auth": self._auth(),
        }

    def _auth(self) -> dict[str, str]:
        if self.connection:
            return {"type": "airflow_connection_api_key", "conn_id": self.connection}
        return {"type": "airloom.lineage.delivery.sending.KeyFromEnvironment"}


def _endpoint(url: str) -> str:
    """Complete an address that names a server only, and refuse one that would carry a secret into files and logs."""
    try:
        parts = urlsplit(url)
        server = bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, server = None, False
    if parts is None or not server or parts.scheme not in ("http", "https"):
        raise UsageError("This is no address of a lineage backend.", where=URL, expected="http://marquez:5000")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            "The address of a lineage backend holds more than server and path; it would be seen in logs.",
            where=URL,
            found=f"a user, a password or a query for {parts.hostname}",
            do=f"put the key into {KEY}, or into an Airflow connection and its name into {CONNECTION}",
        )
    return url if parts.path.strip("/") else f"{parts.scheme}://{parts.netloc}{_ENDPOINT}"


def _seconds(text: str | None) -> float:
    try:
        seconds = float(text) if text else _SECONDS
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= _MOST_SECONDS:
        raise UsageError(
            "This is no time to wait for a lineage backend.",
            where=TIMEOUT,
            found=text,
            expected=f"seconds, above 0 and up to {_MOST_SECONDS:g}",
        )
    return seconds
