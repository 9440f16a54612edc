"""The champion is what was promoted: what was changed since then is named, and nothing is predicted by it."""

import pytest

from airloom.core.errors import DataError
from airloom.steps.evaluate import evaluate
from airloom.steps.fit import fit
from airloom.steps.replay import load_proven
from airloom.stores.models import ModelRegistry
from airloom.stores.tracking import open_client
from tests.worlds.candidates import ByRate
from tests.worlds.installation import settings_at
from tests.worlds.nights import NIGHT, pipeline_with, training_set

PIPELINE = pipeline_with(rate={"fit": "tests.worlds.candidates:by_rate"})


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return settings_at(tmp_path_factory.mktemp("replay"))


@pytest.fixture(scope="module")
def night(settings):
    """The training set of a night, its only candidate, and the version that it was registered as."""
    training = training_set(PIPELINE, settings)
    fitted = fit(PIPELINE, NIGHT, "rate", training, settings)
    return training, fitted, ModelRegistry(settings, "late").register(fitted.run_id, {})


@pytest.fixture
def edited(monkeypatch):
    predict = ByRate.predict
    monkeypatch.setattr(ByRate, "predict", lambda self, frame: 1 - predict(self, frame))


def test_a_version_that_predicts_as_in_training_is_loaded(settings, night):
    assert load_proven(PIPELINE, night[2], settings) == ByRate(1.0)


def test_version_code_and_libraries_are_named(settings, night, edited):
    client, version = open_client(settings), night[2]
    recorded = ModelRegistry(settings, "late").version_info(version).tags["airloom.source_digest"]
    with pytest.raises(DataError, match=f"Version {version} is not any more what was promoted") as same:
        load_proven(PIPELINE, version, settings)
    client.set_model_version_tag("late", str(version), "airloom.source_digest", "0123456789abcdef")
    with pytest.raises(DataError) as other:
        load_proven(PIPELINE, version, settings)
    client.set_model_version_tag("late", str(version), "airloom.source_digest", recorded)
    assert same.value.found.endswith(f"code: {recorded}, as recorded; libraries: as recorded")
    assert f"code: source of the candidate 0123456789abcdef is now {recorded}; libraries: " in other.value.found


def test_a_challenger_is_not_compared_with_what_was_never_promoted(settings, night, edited):
    training, fitted, version = night
    found = evaluate(PIPELINE, NIGHT, training, [fitted], version, settings)
    assert set(found.metrics["champion"].values()) == {None}
    assert found.champion_problem.startswith(f"Version {version} is not any more what was promoted")
