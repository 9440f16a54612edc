"""The pools that the stages use."""

from __future__ import annotations

from airloom.core.settings import Settings
from airloom.launcher.api import AirflowApi
from airloom.launcher.ports import Ports

CHAMPION_POOL = "airloom_champion"
CHAMPION_SLOTS = 1
CHAMPION_WHY = "One champion is moved at a time."


def ensure_pools(settings: Settings, ports: Ports) -> None:
    """Create the pools that are missing; one that a person has resized stays as it is."""
    api = AirflowApi(settings, ports)
    if CHAMPION_POOL not in api.pools():
        api.create_pool(CHAMPION_POOL, CHAMPION_SLOTS, CHAMPION_WHY)
