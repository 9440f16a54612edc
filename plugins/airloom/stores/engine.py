"""The compute engine of Feast's materialization: from the lake into the online store, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
from feast import Entity, FeatureView
from feast.infra.common.materialization_job import MaterializationJobStatus, MaterializationTask
from feast.infra.compute_engines.base import ComputeEngine
from feast.infra.compute_engines.local.job import LocalMaterializationJob
from feast.infra.registry.base_registry import BaseRegistry

from airloom.core.errors import UsageError


class LakeEngine(ComputeEngine):  # type: ignore[misc]
    """Materialize whole columns.

    Feast's local engine turns every cell into a message of its own before the online store sees it, which takes most
    of the time and of the memory.
    """

    def update(
        self,
        project: str,
        views_to_delete: Sequence[FeatureView],
        views_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
    ) -> None:
        """Need nothing: the engine runs in the task's own process."""

    def teardown_infra(self, project: str, fvs: Sequence[FeatureView], entities: Sequence[Entity]) -> None:
        """Leave nothing behind."""

    def _materialize_one(
        self, registry: BaseRegistry, task: MaterializationTask, **kwargs: Any
    ) -> LocalMaterializationJob:
        if task.disable_event_timestamp:
            raise UsageError("Materialization needs an explicit window.", do="give start_date and end_date")
        view = task.feature_view
        source = view.batch_source

        def pull(first: datetime, last: datetime) -> pa.Table:
            return self.offline_store.pull_latest_from_table_or_query(
                config=self.repo_config,
                data_source=source,
                join_key_columns=[field.name for field in view.entity_columns],
                feature_name_columns=[field.name for field in view.features],
                timestamp_field=source.timestamp_field,
                created_timestamp_column=source.created_timestamp_column,
                start_date=first,
                end_date=last,
            ).to_arrow()

        self.online_store.replace_window(self.repo_config, view, (task.start_time, task.end_time), pull)
        return LocalMaterializationJob(
            job_id=f"{view.name}-{task.start_time}-{task.end_time}", status=MaterializationJobStatus.SUCCEEDED
        )
