"""reconcile: the MLflow alias `champion` is a projection of the ledger, and somebody may have moved it by hand."""

from __future__ import annotations

import logging
from datetime import date

from airloom.core.errors import ChampionMoved, ChampionPinned, GateError
from airloom.core.partitions import has_ended
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.core.verdict import Head
from airloom.stores.lake import Lake
from airloom.stores.ledger import Ledger
from airloom.stores.ledger_mark import require_ledger
from airloom.stores.locks import exclusive
from airloom.stores.models import ModelRegistry
from airloom.stores.pins import Pins

#: Who has moved a champion whose alias was adopted: MLflow does not know.
SOMEBODY = "somebody in MLflow"

_log = logging.getLogger(__name__)


def reconcile(pipeline: Pipeline, settings: Settings) -> str:
    """Make alias and ledger agree, and tell when they did not.

    An alias that a crash has left behind follows the ledger. One that somebody has moved by hand is set back, or, where
    the pipeline adopts such moves, becomes a row of the ledger once the version has proved that it can serve. An alias
    without any champion in the ledger, or whose champion's version was deleted, is removed: nobody has judged what it
    points at.

    Args:
        pipeline: The declaration.
        settings: Where ledger and registry are.

    Returns:
        What was wrong, empty when nothing was.

    Raises:
        SetupError: The ledger lacks champions that the lake knows of.
    """
    require_ledger(pipeline.name, settings)
    head = Ledger(settings.state_url).head(pipeline.name)
    registry = ModelRegistry(settings, pipeline.name)
    found, wanted = registry.alias(), head.version if head else None
    if found == wanted:
        _remember(registry, head)
        return ""
    was = f"the alias champion was {_version(found)}"
    if found is not None and head is not None and _moved_by_hand(pipeline, found, settings):
        refused = _cannot_adopt(pipeline, found, settings) or _adopt(pipeline, head, found, settings)
        if refused is None:
            return _told(pipeline, f"{was}, moved by hand, and is adopted as champion of epoch {head.epoch + 1}")
        was += f", moved by hand and not adopted because {refused}"
    try:
        point_alias(pipeline, settings)
    except GateError as error:
        now = "" if found is None else ", is nothing now"
        return _told(pipeline, f"{was}{now} and cannot be {_version(wanted)} again as in the ledger: {error.what}")
    return _told(pipeline, f"{was}, and is {_version(wanted)} again as in the ledger")


def point_alias(pipeline: Pipeline, settings: Settings) -> None:
    """Let the alias follow the ledger's newest champion, whoever has promoted it meanwhile.

    While the champion's version is gone it points at nothing: an older champion, or anything else, is not the champion.

    Raises:
        GateError: The champion's version has been deleted from the registry.
    """
    registry = ModelRegistry(settings, pipeline.name)
    with exclusive(settings, "mlflow"):
        head = Ledger(settings.state_url).head(pipeline.name)
        if head is None:
            registry.remove_alias("champion")
            return
        try:
            registry.set_alias("champion", head.version)
        except GateError:
            if registry.alias() is not None:
                registry.remove_alias("champion")
            raise
        registry.note_epoch(head.epoch)


def current_partition(pipeline: Pipeline, settings: Settings) -> date:
    """Return the newest day that has ended and whose rows can be scored: what is decided today holds from then on.

    Raises:
        GateError: Nothing is published yet.
    """
    table = f"raw.{pipeline.score.entities}"
    days = Lake(settings.lake / pipeline.name).partitions(table)
    published = [day for day in days if has_ended(day, pipeline.schedule.timezone)]
    if not published:
        raise GateError(f"{pipeline.name} has published nothing that could be scored.", where=table)
    return max(published)


def _remember(registry: ModelRegistry, head: Head | None) -> None:
    """Note the epoch of an alias that is right: a crash may have come after it was set and before that was noted."""
    if head is not None and registry.noted_epoch() != head.epoch:
        registry.note_epoch(head.epoch)


def _moved_by_hand(pipeline: Pipeline, found: int, settings: Settings) -> bool:
    """Tell whether an alias is nothing that we have set it to since we last noted so: crashes may have come between."""
    epoch = ModelRegistry(settings, pipeline.name).noted_epoch() or 1
    return all(row.version != found for row in Ledger(settings.state_url).history(pipeline.name)[epoch - 1 :])


def _cannot_adopt(pipeline: Pipeline, version: int, settings: Settings) -> str | None:
    """Return why a version that somebody has put in place is not made champion, None when it is."""
    from airloom.steps.prove import prove_version

    if pipeline.promotion.alias_drift == "repair":
        return "the pipeline repairs such moves"
    if pin := Pins(settings.state_url).current(pipeline.name):
        return f"the champion is pinned, {pin}"
    try:
        ModelRegistry(settings, pipeline.name).version_info(version)
    except GateError as error:
        return error.what
    return prove_version(pipeline, version, settings).problem


def _adopt(pipeline: Pipeline, head: Head, version: int, settings: Settings) -> str | None:
    """Add the ledger's row; return why it could not be added."""
    try:
        day = max(head.as_of, current_partition(pipeline, settings))
    except GateError:
        day = head.as_of
    try:
        row = Ledger(settings.state_url).promote(
            pipeline.name,
            expected_epoch=head.epoch,
            effective_from=day,
            version=version,
            verdict=None,
            actor=SOMEBODY,
            reason="adopt: the alias champion was moved by hand",
        )
    except ChampionMoved:
        return "the champion has moved meanwhile"
    except ChampionPinned as pinned:
        return f"the champion is pinned, {pinned.found}"
    ModelRegistry(settings, pipeline.name).note_epoch(row.epoch)
    return None


def _told(pipeline: Pipeline, drift: str) -> str:
    _log.warning("%s: %s.", pipeline.name, drift)
    return drift


def _version(number: int | None) -> str:
    return f"version {number}" if number is not None else "nothing"
