"""Tells lineage of a withdrawal, which no task of Airflow does, as the installation's tasks tell of theirs."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from airloom.core.records import Withdrawn
from airloom.core.settings import Settings
from airloom.launcher.environment import configured_by_hand, transport
from airloom.lineage.delivery.address import Address
from airloom.lineage.withdrawal import withdrawal_event

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient


def tell_lineage(record: Withdrawn, settings: Settings) -> None:
    """Emit the event to where the events of tasks go: the kept ones, and a backend where there is one.

    Args:
        record: What was taken back.
        settings: The places of the installation.

    Raises:
        SetupError: The events are kept in a bucket that refuses, or cannot be reached.
    """
    client = _client(settings)
    try:
        client.emit(withdrawal_event(record))
    finally:
        client.close()


def _client(settings: Settings) -> OpenLineageClient:
    from openlineage.client import OpenLineageClient

    by_hand = configured_by_hand(os.environ)
    if by_hand and os.environ.get("OPENLINEAGE_CONFIG"):
        return OpenLineageClient()
    if by_hand:
        return OpenLineageClient(config={"transport": json.loads(os.environ["AIRFLOW__OPENLINEAGE__TRANSPORT"])})
    settings.delivery.mkdir(parents=True, exist_ok=True)
    return OpenLineageClient(config={"transport": transport(settings, Address.from_environment())})
