"""The event that tells that a published day was taken back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from airloom.core.records import Withdrawn
from airloom.lineage.naming import NAMESPACE, dataset_name

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent

_PRODUCER = "urn:airloom"


def withdrawal_event(record: Withdrawn) -> RunEvent:
    """Return the event; told again, it is one of the same run.

    Args:
        record: What was taken back.
    """
    from openlineage.client.event_v2 import Job, OutputDataset, Run, RunEvent, RunState
    from openlineage.client.facet_v2 import lifecycle_state_change_dataset

    from airloom.lineage.custom import PARTITION, RUN, AirloomRunFacet, PartitionDatasetFacet

    day, name = record.partition.isoformat(), dataset_name(record.pipeline, record.table)
    run = uuid5(NAMESPACE_URL, f"{_PRODUCER}:{name}:{day}:{record.version}:{record.decided_at.isoformat()}")
    partition: dict[str, Any] = {"partition": day, "version": record.version, "withdrawn": True}
    removed = lifecycle_state_change_dataset.LifecycleStateChange.TRUNCATE
    facets = {
        PARTITION: PartitionDatasetFacet([partition], record.commit),
        "lifecycleStateChange": lifecycle_state_change_dataset.LifecycleStateChangeDatasetFacet(removed),
    }
    told = AirloomRunFacet(record.pipeline, day, "unpublish", headline=record.headline)
    return RunEvent(
        eventType=RunState.COMPLETE,
        eventTime=datetime.now(UTC).isoformat(),
        run=Run(runId=str(run), facets={RUN: told}),
        job=Job(namespace=NAMESPACE, name=f"{record.pipeline}.unpublish"),
        outputs=[OutputDataset(namespace=NAMESPACE, name=name, facets=facets)],
        producer=_PRODUCER,
    )
