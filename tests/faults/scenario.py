"""A pipeline's life in small: two nights of training, people's actions, features put online and taken back.

Every task leaves its record as a file, as Airflow keeps XComs; run again after a crash, the tasks that have left theirs
are not done again, and the one that was interrupted is.
"""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import TypeVar

from airloom.core.failpoints import failpoint
from airloom.core.pipeline import Pipeline
from airloom.core.records import (
    Applied,
    Chosen,
    Decided,
    Evaluation,
    Fitted,
    Materialized,
    Proven,
    Record,
    TrainingSet,
    Withdrawn,
)
from airloom.core.settings import Settings
from airloom.steps.apply import apply, apply_choice
from airloom.steps.choose import choose
from airloom.steps.decide import decide
from airloom.steps.evaluate import evaluate
from airloom.steps.fit import fit
from airloom.steps.materialize import materialize
from airloom.steps.prove import prove
from airloom.steps.unpublish import unpublish
from airloom.stores.features import apply_features
from airloom.stores.ledger import Ledger
from airloom.stores.tracking import experiment_id
from tests.worlds import feature_lake
from tests.worlds.nights import NIGHT, example_rows, pipeline_with, training_set

PIPELINE, FEATURES = "late", "small"
#: The champion of the first night cannot tell one flight from another; that of the second can.
CANDIDATES = {
    NIGHT: {"fit": "tests.worlds.candidates:by_rate", "params": {"share": 0.0}},
    NIGHT + timedelta(days=1): {"fit": "tests.worlds.candidates:by_rate"},
}
FEATURE_DAYS = (feature_lake.DAY - timedelta(days=1), feature_lake.DAY)
R = TypeVar("R", bound=Record)
DRIVERS = ("ann", "bob", "cas")


class Tasks:
    """Runs tasks whose record is not there yet, one after the other.

    Args:
        folder: Where records are kept.
        before_each: Called before a task that is going to be done.
    """

    def __init__(self, folder: Path, before_each: Callable[[], None] = lambda: None) -> None:
        self.folder = folder
        self.before_each = before_each

    def run(self, name: str, kind: type[R], step: Callable[[], R]) -> R:
        file = self.folder / f"{name}.json"
        if file.is_file():
            return kind.model_validate_json(file.read_text())
        self.before_each()
        record = step()
        failpoint("task.before_record")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(record.to_xcom()))
        return record


def night_pipeline(night: date) -> Pipeline:
    pipeline = pipeline_with(only=CANDIDATES[night])
    return pipeline.model_copy(update={"gate": pipeline.gate.model_copy(update={"floors": {"roc_auc": 0.4}})})


def prepare(settings: Settings) -> None:
    """Make what is there before the first night: tables, feature definitions and training sets."""
    apply_features(feature_lake.small_pipeline(), settings, feature_lake.definitions())
    Ledger(settings.state_url).head(PIPELINE)
    experiment_id(settings, PIPELINE)
    for night in CANDIDATES:
        training = training_set(night_pipeline(night), settings, example_rows(seed=night.day), night)
        (settings.training / f"{night}.json").write_text(training.model_dump_json())


def live(settings: Settings, before_each: Callable[[], None] = lambda: None) -> None:
    """Live through everything that has not been lived through."""
    tasks = Tasks(settings.var / "records", before_each)
    for night in CANDIDATES:
        train(tasks, night, settings)
    for action in ("rollback", "pin", "unpin"):
        act(tasks, action, settings)
    for day in FEATURE_DAYS:
        put_online(tasks, day, settings)
    take_back(tasks, FEATURE_DAYS[-1], settings)


def train(tasks: Tasks, night: date, settings: Settings) -> Applied:
    pipeline = night_pipeline(night)
    training = TrainingSet.model_validate_json((settings.training / f"{night}.json").read_text())
    fitted = tasks.run(f"{night}.fit", Fitted, lambda: fit(pipeline, night, "only", training, settings))
    champion = Ledger(settings.state_url).champion_as_of(pipeline.name, night)
    version = champion.version if champion else None
    evaluation = tasks.run(
        f"{night}.evaluate", Evaluation, lambda: evaluate(pipeline, night, training, [fitted], version, settings)
    )
    proven = tasks.run(f"{night}.prove", Proven, lambda: prove(pipeline, night, evaluation, settings))
    decided = tasks.run(f"{night}.decide", Decided, lambda: decide(pipeline, night, evaluation, proven, settings))
    return tasks.run(f"{night}.apply", Applied, lambda: apply(pipeline, night, decided.verdict, settings, "late.train"))


def act(tasks: Tasks, action: str, settings: Settings) -> Applied:
    day = max(CANDIDATES)
    pipeline = night_pipeline(day)
    chosen = tasks.run(
        f"{action}.choose", Chosen, lambda: choose(pipeline, day, action, None, "ann", "to be sure", settings)
    )
    return tasks.run(f"{action}.apply", Applied, lambda: apply_choice(pipeline, chosen, settings))


def take_back(tasks: Tasks, day: date, settings: Settings) -> Withdrawn:
    def tell(record: Withdrawn) -> None:
        (settings.var / "told").write_text(record.headline)

    pipeline = feature_lake.small_pipeline()
    return tasks.run(
        f"{day}.unpublish",
        Withdrawn,
        lambda: unpublish(pipeline, "features.driver", day, "ann", "wrong rates", settings, tell),
    )


def put_online(tasks: Tasks, day: date, settings: Settings) -> Materialized:
    def published() -> Materialized:
        rates = {name: float(day.day + number) for number, name in enumerate(DRIVERS)}
        feature_lake.publish_view(settings, "driver", day, feature_lake.drivers(day, rates))
        return materialize(feature_lake.small_pipeline(), day, settings)

    return tasks.run(f"{day}.materialize", Materialized, published)
