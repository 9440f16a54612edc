"""The alias is a projection of the ledger: what a crash leaves behind and what people move by hand."""

from datetime import date
from functools import partial

import pytest

from airloom.core.rules import Promotion
from airloom.steps.reconcile import SOMEBODY, point_alias, reconcile
from airloom.stores.ledger import Ledger
from airloom.stores.models import ModelRegistry
from airloom.stores.pins import Pins
from airloom.stores.tracking import open_client
from tests.worlds import registered
from tests.worlds.nights import NIGHT, pipeline_with

REPAIRING = pipeline_with()
ADOPTING = REPAIRING.model_copy(update={"promotion": Promotion(alias_drift="adopt")})


@pytest.fixture
def settings(registry_settings):
    return registry_settings


@pytest.fixture
def registry(settings):
    return ModelRegistry(settings, "late")


def promote(settings, version, epoch, day=NIGHT):
    Ledger(settings.state_url).promote(
        "late",
        expected_epoch=epoch - 1,
        effective_from=day,
        version=version,
        verdict=None,
        actor="test",
        reason="better",
    )


@pytest.fixture
def champion(settings):
    """Version 1, alias and ledger agreeing."""
    promote(settings, 1, 1)
    point_alias(REPAIRING, settings)


def move_by_hand(settings, version):
    open_client(settings).set_registered_model_alias("late", "champion", str(version))


def test_what_agrees_is_left_alone(settings, champion):
    assert reconcile(REPAIRING, settings) == ""
    assert reconcile(ADOPTING, settings) == ""


def test_f10_an_alias_that_somebody_has_moved_is_told_and_repaired(settings, champion, registry, caplog):
    move_by_hand(settings, 7)
    told = reconcile(REPAIRING, settings)
    assert told == (
        "the alias champion was version 7, moved by hand and not adopted because the pipeline repairs such moves, "
        "and is version 1 again as in the ledger"
    )
    assert registry.alias() == 1
    assert told in caplog.text
    assert reconcile(REPAIRING, settings) == ""


def test_f10_an_alias_that_somebody_has_moved_is_adopted_where_the_pipeline_says_so(settings, champion, registry):
    move_by_hand(settings, 7)
    told = "the alias champion was version 7, moved by hand, and is adopted as champion of epoch 2"
    assert reconcile(ADOPTING, settings) == told
    row = Ledger(settings.state_url).history("late")[-1]
    assert (row.version, row.epoch, row.actor, row.effective_from) == (7, 2, SOMEBODY, NIGHT)
    assert (registry.alias(), reconcile(ADOPTING, settings)) == (7, "")


@pytest.mark.parametrize("pipeline", [REPAIRING, ADOPTING])
def test_f9_an_alias_that_a_crash_has_left_behind_is_never_taken_for_a_move_by_hand(
    settings, champion, registry, pipeline
):
    promote(settings, 2, 2)
    assert "is version 2 again as in the ledger" in reconcile(pipeline, settings)
    assert (registry.alias(), Ledger(settings.state_url).head("late").epoch) == (2, 2)


def test_a_version_that_cannot_serve_is_not_adopted(settings, champion, registry):
    client = open_client(settings)
    client.set_model_version_tag("late", "7", "airloom.manifest", "another sum")
    move_by_hand(settings, 7)
    told = reconcile(ADOPTING, settings)
    assert "not adopted because A model's files are not the ones that were registered" in told
    assert registry.alias() == 1


def test_a_pinned_champion_is_not_replaced_by_adoption(settings, champion, registry):
    Pins(settings.state_url).set("late", pinned=True, actor="ann", reason="holidays")
    move_by_hand(settings, 7)
    assert "because the champion is pinned, by ann: holidays" in reconcile(ADOPTING, settings)
    assert registry.alias() == 1


def test_a_champion_that_is_pinned_in_the_last_moment_is_not_replaced_by_adoption(
    settings, champion, registry, monkeypatch
):
    move_by_hand(settings, 7)
    pin = partial(Pins(settings.state_url).set, "late", pinned=True, actor="ann", reason="holidays")
    monkeypatch.setattr("airloom.stores.ledger.failpoint", lambda _name: pin())
    assert "because the champion is pinned, by ann: holidays" in reconcile(ADOPTING, settings)
    assert (registry.alias(), len(Ledger(settings.state_url).history("late"))) == (1, 1)


@pytest.mark.parametrize("pipeline", [REPAIRING, ADOPTING])
def test_an_alias_without_any_champion_in_the_ledger_is_removed(settings, registry, pipeline):
    move_by_hand(settings, 7)
    assert reconcile(pipeline, settings) == "the alias champion was version 7, and is nothing again as in the ledger"
    assert registry.alias() is None


def test_f26_a_champion_whose_version_was_deleted_is_told(settings, champion):
    registered.delete(settings, 1)
    assert reconcile(REPAIRING, settings) == (
        "the alias champion was nothing and cannot be version 1 again as in the ledger: late has no version 1."
    )


def test_the_alias_follows_the_newest_champion_whoever_sets_it_late(settings, champion, registry):
    promote(settings, 2, 2)
    promote(settings, 3, 3, date(2024, 1, 11))
    point_alias(REPAIRING, settings)
    assert (registry.alias(), registry.noted_epoch()) == (3, 3)


def test_f9_an_alias_that_two_crashes_have_left_behind_is_never_taken_for_a_move_by_hand(settings, champion, registry):
    promote(settings, 2, 2)
    registry.set_alias("champion", 2)  # A crash came before the epoch was noted,
    promote(settings, 3, 3)  # and the next one before the alias was set.
    assert "is version 3 again as in the ledger" in reconcile(ADOPTING, settings)
    assert [row.version for row in Ledger(settings.state_url).history("late")] == [1, 2, 3]


def test_f9_the_very_first_alias_that_a_crash_has_left_behind_is_not_adopted(settings, registry):
    promote(settings, 1, 1)
    registry.set_alias("champion", 1)
    promote(settings, 2, 2)
    assert "is version 2 again as in the ledger" in reconcile(ADOPTING, settings)
    assert Ledger(settings.state_url).head("late").version == 2


def test_f10_after_a_crash_is_reconciled_a_move_by_hand_is_told_from_it(settings, champion, registry):
    promote(settings, 2, 2)
    registry.set_alias("champion", 2)
    assert (reconcile(ADOPTING, settings), registry.noted_epoch()) == ("", 2)
    move_by_hand(settings, 1)
    assert "is adopted" in reconcile(ADOPTING, settings)


def test_a_version_that_another_pipeline_has_trained_is_not_adopted(settings, champion, registry):
    open_client(settings).set_model_version_tag("late", "7", "airloom.pipeline", "early")
    move_by_hand(settings, 7)
    told = reconcile(ADOPTING, settings)
    assert "not adopted because Version 7 of late was not trained by this pipeline" in told
    assert registry.alias() == 1


def test_f26_while_the_champions_version_is_gone_the_alias_points_at_nothing(settings, champion, registry):
    registered.delete(settings, 1)
    move_by_hand(settings, 7)
    assert "cannot be version 1 again as in the ledger: late has no version 1" in reconcile(REPAIRING, settings)
    assert registry.alias() is None
