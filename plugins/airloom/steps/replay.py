"""replay: a version predicts the rows that are kept with it as it did when it was trained, or it is not used."""

from __future__ import annotations

from airloom.contracts import Model
from airloom.core.errors import DataError
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.steps.outputs import predicted
from airloom.steps.surroundings import surroundings
from airloom.steps.versions import KnownVersion
from airloom.stores.model_files import load_verified, read_sample
from airloom.stores.model_outputs import compared
from airloom.stores.models import ModelRegistry
from airloom.stores.project_code import make_importable

#: The tag with the digest of the module that the candidate was written in.
_SOURCE = "airloom.source_digest"


def load_proven(pipeline: Pipeline, version: int, settings: Settings) -> Model:
    """Load a registered version that is to be used as champion, after a replay of the rows kept with it.

    Other libraries than in training are a warning alone, as long as the predictions are the same.

    Args:
        pipeline: The declaration.
        version: The registered version.
        settings: Where the registry is.

    Raises:
        GateError: There is no such version, or its files were changed.
        DataError: It cannot be loaded, or predicts other values than in training.
    """
    folder, manifest = ModelRegistry(settings, pipeline.name).verified_files(version)
    make_importable(settings.project)
    model = load_verified(folder, manifest)
    rows, expected = read_sample(folder)
    _, problem = compared(predicted(pipeline.label, model, rows, f"Version {version}"), expected)
    if problem:
        raise DataError(
            f"Version {version} is not any more what was promoted; it predicts nothing.",
            where=str(manifest["class"]),
            found="; ".join([problem, *_changes(KnownVersion(pipeline, version, settings))]),
            expected="the same predictions for the rows that are kept with it",
            do="restore the code and the libraries that it was trained with, or promote another version",
        )
    return model


def _changes(known: KnownVersion) -> list[str]:
    """Say which code and which libraries were changed since the training, as far as that is recorded."""
    as_recorded = {"code": f"{known.info.tags.get(_SOURCE)}, as recorded", "libraries": "as recorded"}
    topics = {topic.name: topic for topic in surroundings(known)}
    changes = {
        name: ", ".join(f"{change.name} {change.old} is now {change.new}" for change in topics[name].changes)
        for name in as_recorded
    }
    return [f"{name}: {topics[name].problem or changes[name] or same}" for name, same in as_recorded.items()]
