"""Which servers and places an installation uses."""

from __future__ import annotations

from collections.abc import Iterator

from airloom.core.urls import without_credentials
from airloom.launcher.doctor.findings import Finding, ok
from airloom.launcher.doctor.subject import Subject
from airloom.stores.database import is_sqlite


def settings(subject: Subject) -> Iterator[Finding]:
    """Say which places are used, without credentials, and which connections they were read from."""
    places = subject.settings
    used = {
        "state": places.state_url if is_sqlite(places.state_url) else without_credentials(places.state_url),
        "storage": str(places.shared),
        "online": without_credentials(places.online_url) if places.online_url else str(places.online),
        "MLflow": without_credentials(places.tracking_url) if places.tracking_url else "in the state database",
    }
    looked_up = {setting: f"from connection {name}" for setting, name in subject.connections.items()}
    yield ok("settings", "; ".join(f"{name} {text}" for name, text in (used | looked_up).items()))
