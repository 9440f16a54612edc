"""`airloom down`: stop everything."""

from __future__ import annotations

from airloom.cli.console import console, services


def down() -> None:
    """Stop Airflow and MLflow and everything they started; data and history stay."""
    servers = services()
    with console.status("stopping"):
        ended = servers.stop()
    console.print(f"Stopped {ended} processes." if ended else "Nothing was running.", highlight=False)
