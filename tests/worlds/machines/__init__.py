"""A pipeline over machines, in as many forms as there are kinds of keys, of labels, of models and of databases."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

from airloom.core.declaration import find_pipeline
from airloom.core.pipeline import Pipeline

_CODE = Path(__file__).parent / "include"
_LABELS = {
    "binary": {"column": "fails", "classes": ["runs on", "fails"]},
    "multiclass": {"column": "state", "classes": ["fine", "worn", "broken"]},
    "regression": {"column": "hours_left"},
}
_METRICS = {"binary": "roc_auc", "multiclass": "neg_log_loss", "regression": "neg_mean_absolute_error"}
#: The columns that tell a machine, and their types in Feast.
_KEYS = {
    "number": {"machine_id": "Int64"},
    "text": {"serial": "String"},
    "several": {"plant": "String", "line": "Int64"},
}
_FEATURES = '''"""What is known about a machine at the end of a day; the SQL is in `sql/`."""

from datetime import timedelta

from feast import Entity, Field, ValueType
from feast.types import Float64, Int64

from airloom.stores.source import lake_view

entities = [{entities}]

history = lake_view(
    "history",
    entities=entities,
    ttl=timedelta(days=3),
    schema=[Field(name="heat_mean_3d", dtype=Float64), Field(name="readings_3d", dtype=Int64)],
)
'''
_ENTITY = 'Entity(name="{name}", join_keys=["{name}"], value_type=ValueType.{value_type})'


@dataclass(frozen=True)
class Form:
    """One form of the pipeline.

    Args:
        kind: The kind of label.
        model: A function of its `models.py`.
        key: Which columns tell a machine.
    """

    kind: str
    model: str
    key: str

    def write(self, project: Path) -> Pipeline:
        """Write the project and return its declaration."""
        shutil.copytree(_CODE, project / "include", ignore=shutil.ignore_patterns("__pycache__"))
        folder, keys = project / "include" / "machines", _KEYS[self.key]
        entities = ", ".join(_ENTITY.format(name=name, value_type=kind.upper()) for name, kind in keys.items())
        (folder / "features.py").write_text(_FEATURES.format(entities=entities))
        (folder / "sql").mkdir()
        (folder / "sql" / "history.sql").write_text(
            f"SELECT {', '.join(keys)}, avg(heat) AS heat_mean_3d, count(*) AS readings_3d FROM readings GROUP BY ALL"
        )
        unique = {"expectation": "expect_compound_columns_to_be_unique", "severity": "critical"}
        declared = self._declaration([*keys, "day"])
        (folder / "readings.yaml").write_text(yaml.safe_dump([{**unique, "column_list": [*keys, "day"]}]))
        (folder / "pipeline.yaml").write_text(yaml.safe_dump(declared, sort_keys=False))
        return find_pipeline(project / "include", "machines")

    def _declaration(self, key: list[str]) -> dict:
        readings = {"key": key, "time": "read_at", "known_at": "read_at", "expectations": "readings.yaml"}
        return {
            "name": "machines",
            "description": "What becomes of a machine within a day?",
            "owner": "tests",
            "schedule": {"nightly": "03:00", "timezone": "America/Sao_Paulo", "start": "2024-03-01"},
            "source": f"include.machines.source:by_{self.key}",
            "tables": {"readings": readings},
            "features": {
                "module": "include.machines.features",
                "views": {"history": {"reads": "readings", "window": "3d", "sql": "sql/history.sql"}},
            },
            "label": {"table": "readings", "kind": self.kind, "horizon": "1d", **_LABELS[self.kind]},
            "train": {
                "window": "3d",
                "holdout": "1d",
                "seed": 3,
                "inputs": {"categorical": ["material"], "numeric": ["heat", "age"]},
                "candidates": {self.model: {"fit": f"include.machines.models:{self.model}"}},
            },
            "gate": {
                "metric": _METRICS[self.kind],
                "confidence": 0.51,
                "first_confidence": 0.51,
                "cluster": "row",
                "baseline": "none",  # The holdout is one day of forty rows; the test looks at the skill itself.
            },
            "score": {"entities": "readings"},
        }
