"""What is known of one registered version: from its tags, its run, its files, its training set and the lake."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from airloom.contracts import Model
from airloom.core.difference import Value
from airloom.core.errors import DataError
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.steps.examples import DAY
from airloom.steps.outputs import predicted
from airloom.steps.provenance import DECLARATION, DEFINITIONS
from airloom.steps.readiness import label_inputs
from airloom.steps.training_sets import Rows, Split, read_file, training_path
from airloom.stores.lake import Lake
from airloom.stores.models import ModelRegistry, VersionInfo
from airloom.stores.runs import TrainingRuns
from airloom.stores.validations import ValidationResults

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: The tags that say with which code and where a version was trained.
_CODE = {
    "source of the candidate": "airloom.source_digest",
    "digest of the declaration": "airloom.pipeline_digest",
    "commit": "airloom.code",
    "python": "airloom.python",
    "platform": "airloom.platform",
}

_FAILING = "days failing"
#: How the label was declared while examples were rows of its table.
_KNOWN_AFTER = "known_after"


@dataclass(frozen=True)
class KnownVersion:
    """One registered version and everything that can be found out about it.

    Every property raises an `AirloomError` when what it is read from is not there any more.

    Args:
        pipeline: The declaration of now.
        version: The version.
        settings: Where everything is.
    """

    pipeline: Pipeline
    version: int
    settings: Settings

    @cached_property
    def info(self) -> VersionInfo:
        """How it is registered."""
        return self._registry.version_info(self.version)

    @cached_property
    def learned(self) -> Rows:
        """The rows that it has learned from."""
        return self._rows("train")

    @cached_property
    def held_out(self) -> Rows:
        """The rows that it was judged on."""
        return self._rows("holdout")

    @property
    def window(self) -> dict[str, Value]:
        """The days that its training set is of."""
        learned, held_out = _days(self.learned), _days(self.held_out)
        return {
            "first day learned from": str(learned[0]),
            "last day learned from": str(learned[-1]),
            "days learned from": len(learned),
            "first day held out": str(held_out[0]),
            "last day held out": str(held_out[-1]),
            "days held out": len(held_out),
        }

    @property
    def rows(self) -> dict[str, Value]:
        """How many rows there were, and how many of them had the label."""
        return {
            "rows learned from": len(self.learned.frame),
            "label rate learned from": self._label_rate(self.learned),
            "rows held out": len(self.held_out.frame),
            "label rate held out": self._label_rate(self.held_out),
            "digest of the training set": self.info.training_digest,
            "degraded": self.info.tags["airloom.degraded"] == "true",
        }

    @cached_property
    def commits(self) -> dict[str, int]:
        """The lake's commits that it was trained on, by table."""
        return dict(json.loads(self.tag("airloom.lake")))

    @property
    def left_out(self) -> dict[str, list[date]]:
        """The days of feature views that were there and that it was not trained on, by table."""
        recorded = json.loads(self.info.tags.get("airloom.left_out", "{}"))
        return {table: [date.fromisoformat(day) for day in days] for table, days in recorded.items()}

    def published(self, table: str) -> dict[date, Value]:
        """Return the content of the days of a table that lie in its window, as they were when it was trained."""
        if table not in self.commits:
            return {}
        there = self._lake.partitions(table, self.commits[table])
        days = [day for day in self._days_of(table) if day in there]
        return {day: there[day].version + (", degraded" if there[day].degraded else "") for day in days}

    @property
    def audits(self) -> dict[str, Value]:
        """What the audits of its window's raw days had found: outcomes, rows held back, expectations by failed days."""
        return {f"{table}: {what}": count for table in self._raw_tables for what, count in self._audits(table)}

    @property
    def columns(self) -> dict[str, Value]:
        """The columns that it reads."""
        columns = self.learned.columns
        return {**dict.fromkeys(columns.categorical, "words"), **dict.fromkeys(columns.numeric, "numbers")}

    def defined(self, topic: str) -> dict[str, Value]:
        """Return what the pipeline's folder had defined on a topic when it was trained."""
        return dict(self._definitions[topic])

    @property
    def code(self) -> dict[str, Value]:
        """The code that it was trained with, and where."""
        return {"candidate": self.info.candidate, **{name: self.info.tags.get(tag) for name, tag in _CODE.items()}}

    @cached_property
    def declaration(self) -> Pipeline:
        """The declaration that it was trained by; today's where none is kept and today's is the same."""
        if self.pipeline.digest == self.info.pipeline_digest:
            return self.pipeline
        kept = self._runs.facts(self.info.run_id, DECLARATION)
        try:
            return Pipeline.model_validate(_brought_along(kept))
        except ValidationError as error:
            raise DataError(
                f"The declaration that version {self.version} was trained by cannot be used by this Airloom.",
                where=f"MLflow run {self.info.run_id}, {DECLARATION}.json",
                found=str(error.errors()[0]["msg"]),
                do=f"use the code that it was trained with: {self.info.tags.get('airloom.code')}",
            ) from error

    @property
    def fit(self) -> str:
        """The name of the function that it was trained by."""
        candidate = self.declaration.train.candidates.get(self.info.candidate)
        if candidate is None:
            raise DataError(f"The recorded declaration has no candidate {self.info.candidate}.")
        return candidate.fit

    @property
    def of_labelled_rows(self) -> bool:
        """Whether its examples were the rows of the label's table (docs/adr/0011), and not those that were scored."""
        if self.pipeline.digest == self.info.pipeline_digest:
            return False
        return _KNOWN_AFTER in self._runs.facts(self.info.run_id, DECLARATION).get("label", {})

    def tag(self, name: str) -> str:
        """Return one of its tags.

        Raises:
            DataError: It has none of that name.
        """
        if name not in self.info.tags:
            raise DataError(f"Version {self.version} of {self.pipeline.name} has no tag {name}.", do="train again")
        return self.info.tags[name]

    @property
    def libraries(self) -> dict[str, Value]:
        """The libraries that it was trained with."""
        return dict(self._registry.libraries(self.version))

    @property
    def params(self) -> dict[str, Value]:
        """The parameters of its training."""
        return dict(self._runs.params(self.info.run_id))

    @property
    def recorded_metrics(self) -> dict[str, float]:
        """The last value of every metric that its run has."""
        return self._runs.metrics(self.info.run_id)

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Score rows.

        Raises:
            DataError: It cannot score these rows.
            GateError: Its files were changed or are gone.
        """
        return predicted(self.pipeline.label, self._model, frame, f"Version {self.version}")

    @cached_property
    def _model(self) -> Model:
        return self._registry.load(self.version)

    @property
    def _registry(self) -> ModelRegistry:
        return ModelRegistry(self.settings, self.pipeline.name)

    @property
    def _runs(self) -> TrainingRuns:
        return TrainingRuns(self.settings, self.pipeline.name)

    @property
    def _lake(self) -> Lake:
        return Lake(self.settings.lake / self.pipeline.name)

    @property
    def _raw_tables(self) -> list[str]:
        return [table for table in self.commits if table.startswith("raw.")]

    @property
    def _example_days(self) -> list[date]:
        return sorted({*_days(self.learned), *_days(self.held_out)})

    def _days_of(self, table: str) -> list[date]:
        """Return the days of a table that its examples were made of."""
        days = self._example_days
        if self.of_labelled_rows:
            return [day - timedelta(days=1) for day in days] if table.startswith("features.") else days
        return label_inputs(self.pipeline, days, self.info.partition).get(table, days)

    @cached_property
    def _definitions(self) -> dict[str, Any]:
        return self._runs.facts(self.info.run_id, DEFINITIONS)

    def _rows(self, split: Split) -> Rows:
        path = training_path(self.pipeline.name, self.info.partition, self.info.training_digest)
        return read_file(self.settings.training / path, split)

    def _label_rate(self, rows: Rows) -> float:
        return float(rows.frame[self.pipeline.label.column].mean())

    def _audits(self, table: str) -> list[tuple[str, int]]:
        """Count days by what their audits had found, outcomes first."""
        facts, results = (
            self._lake.commit_facts(table, self.commits[table]),
            ValidationResults(self.settings.validations),
        )
        counts: Counter[str] = Counter()
        for day in self._days_of(table):
            if "validation" in (kept := facts.get(day, {})):
                counts.update(_findings(results.read(kept["validation"])))
                counts.update({"rows held back": int(kept["quarantined_rows"])})
        return sorted(counts.items(), key=lambda each: (each[0].startswith(_FAILING), each[0]))


def _brought_along(declaration: Mapping[str, Any]) -> dict[str, Any]:
    """Write a declaration of before as it is written today: a label was a row of the day after the as-of."""
    label = dict(declaration["label"])
    if _KNOWN_AFTER in label:
        label |= {"horizon": "1d", "delay": label.pop(_KNOWN_AFTER)}
    return {**declaration, "label": label}


def _findings(audit: Mapping[str, Any]) -> Counter[str]:
    failed = [each for each in audit["results"] if each["outcome"] != "held"]
    columns = [str(each["arguments"].get("column", "")) for each in failed]
    names = (f"{_FAILING} {each['expectation']} ({column})" for each, column in zip(failed, columns, strict=True))
    return Counter([f"days {audit['outcome']}", *dict.fromkeys(names)])


def _days(rows: Rows) -> list[date]:
    return sorted(set(rows.frame[DAY]))
