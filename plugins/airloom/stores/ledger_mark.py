"""The mark in the lake: it tells a ledger that is gone, or older than what it has decided, from a new one."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from airloom.core.errors import SetupError
from airloom.core.places import Place
from airloom.core.settings import Settings
from airloom.stores.database import without_password
from airloom.stores.files import read_bytes, replaced_file
from airloom.stores.lake import Lake
from airloom.stores.ledger import Champion, Ledger

#: What to do about champions that are lost.
RESTORE = (
    "restore the database from its backup, or finish its import; to go on without what is lost: "
    "airloom upgrade --accept-loss"
)


class Loss(BaseModel):
    """A loss that somebody has accepted.

    Args:
        found: What the lake knew of, and the ledger had not.
        actor: Who has accepted it.
        accepted_at: When, in UTC.
    """

    model_config = ConfigDict(frozen=True)

    found: str
    actor: str
    accepted_at: datetime


class Mark(BaseModel):
    """What the lake knows of a pipeline's ledger; it is written after the ledger's row, and may lag behind it.

    Args:
        epoch: The epoch of the newest champion, 0 for none.
        version: Its registered version, None for none.
        decided_at: When it was decided, in UTC, None for none.
        losses: Losses that were accepted.
    """

    model_config = ConfigDict(frozen=True)

    epoch: int = 0
    version: int | None = None
    decided_at: datetime | None = None
    losses: tuple[Loss, ...] = ()


def keep_mark(pipeline: str, settings: Settings) -> None:
    """Let the mark follow the ledger.

    Args:
        pipeline: Name of the pipeline.
        settings: Where lake and ledger are.
    """
    history, mark = Ledger(settings.state_url).history(pipeline), _read(pipeline, settings)
    if history and history[-1].epoch > mark.epoch:
        _write(pipeline, settings, _of(history, mark.losses))


def missing_champions(pipeline: str, settings: Settings) -> str | None:
    """Return what the lake knows of and the ledger has not, None where it has everything.

    Args:
        pipeline: Name of the pipeline.
        settings: Where lake and ledger are.
    """
    history, mark = Ledger(settings.state_url).history(pipeline), _read(pipeline, settings)
    if mark.epoch:
        known = any((row.epoch, row.decided_at) == (mark.epoch, mark.decided_at) for row in history)
        decided = f"decided {mark.decided_at:%Y-%m-%d %H:%M} UTC"
        return None if known else f"epoch {mark.epoch}, version {mark.version}, {decided}"
    if history or mark.losses or not Lake(settings.lake / pipeline).partitions("predictions"):
        return None
    # An installation from before there were marks: only a champion can have predicted.
    return "the champion that has made the predictions of the lake"


def require_ledger(pipeline: str, settings: Settings) -> None:
    """Make sure that the ledger has what the lake knows it to have had.

    Args:
        pipeline: Name of the pipeline.
        settings: Where lake and ledger are.

    Raises:
        SetupError: The state database is another one, or an older one.
    """
    if missing := missing_champions(pipeline, settings):
        raise SetupError(
            f"The state database does not have the champions of {pipeline} that its lake knows of.",
            where=without_password(settings.state_url),
            found=_said(Ledger(settings.state_url).history(pipeline)),
            expected=missing,
            do=RESTORE,
        )


def accept_loss(pipeline: str, settings: Settings, actor: str) -> str | None:
    """Let the lake forget the champions that the ledger does not have, and remember who has accepted that.

    Args:
        pipeline: Name of the pipeline.
        settings: Where lake and ledger are.
        actor: Who accepts it.

    Returns:
        What is lost, None when nothing is.
    """
    if (missing := missing_champions(pipeline, settings)) is None:
        return None
    loss = Loss(found=missing, actor=actor, accepted_at=datetime.now(UTC))
    losses = (*_read(pipeline, settings).losses, loss)
    _write(pipeline, settings, _of(Ledger(settings.state_url).history(pipeline), losses))
    return missing


def _said(history: list[Champion]) -> str:
    return f"epoch {history[-1].epoch}, version {history[-1].version}" if history else "no champion"


def _of(history: list[Champion], losses: tuple[Loss, ...]) -> Mark:
    if not history:
        return Mark(losses=losses)
    newest = history[-1]
    return Mark(epoch=newest.epoch, version=newest.version, decided_at=newest.decided_at, losses=losses)


def _read(pipeline: str, settings: Settings) -> Mark:
    with suppress(FileNotFoundError):
        return Mark.model_validate_json(read_bytes(_place(pipeline, settings)))
    return Mark()


def _write(pipeline: str, settings: Settings, mark: Mark) -> None:
    with replaced_file(_place(pipeline, settings)) as file:
        file.write_text(mark.model_dump_json(indent=2), encoding="utf-8")


def _place(pipeline: str, settings: Settings) -> Place:
    return settings.lake / pipeline / "ledger.json"
