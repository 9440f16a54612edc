"""What ledger, pins, notes and alias of one pipeline should be: plain values, without any store behind them.

Every action is a generator of the states after each of its durable effects, one after the other. Undisturbed, it ends
in the last of them; a crash must leave one of them, and nothing else.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from datetime import date

ADOPTED = "adopt: the alias champion was moved by hand"
SOMEBODY = "somebody in MLflow"


class Refused(Exception):
    """The action ends with an error, after the effects that it had until then."""


@dataclass(frozen=True)
class Row:
    """One champion."""

    version: int
    day: date
    verdict: str | None
    actor: str
    reason: str


@dataclass(frozen=True)
class Ruling:
    """What the ledger needs to know of a verdict."""

    id: str
    accepted: bool
    epoch: int
    row: Row


@dataclass(frozen=True)
class Wish:
    """What a person has chosen."""

    action: str
    epoch: int
    row: Row


@dataclass(frozen=True)
class State:
    """One pipeline.

    Args:
        rows: Its champions; the first has epoch 1.
        alias: What MLflow's alias points at.
        by_hand: Whether somebody has moved the alias to what is not champion.
        noted: The epoch for which the alias was last set by us, 0 when it never was.
        pins: Every pin (True) and letting go (False).
        notes: Kind, verdict and actor of every note.
        deleted: Versions that are not there any more.
        foreign: Versions that another pipeline has trained.
    """

    rows: tuple[Row, ...] = ()
    alias: int | None = None
    by_hand: bool = False
    noted: int = 0
    pins: tuple[bool, ...] = ()
    notes: tuple[tuple[str, str, str], ...] = ()
    deleted: frozenset[int] = frozenset()
    foreign: frozenset[int] = frozenset()

    @property
    def durable(self) -> tuple[object, ...]:
        """What the stores know of it."""
        return self.rows, self.alias, self.noted, self.pins, self.notes

    @property
    def head(self) -> Row | None:
        return self.rows[-1] if self.rows else None

    @property
    def pinned(self) -> bool:
        return bool(self.pins) and self.pins[-1]

    def as_of(self, day: date) -> Row | None:
        """Return the newest champion that is effective on a day."""
        return next((row for row in reversed(self.rows) if row.day <= day), None)

    def usable(self, version: int) -> bool:
        return version not in self.deleted | self.foreign


States = Generator[State, None, State]


def reconciled(state: State, adopts: bool) -> States:
    """An alias that is not the head follows it, or is adopted where somebody has moved it."""
    wanted = state.head.version if state.head else None
    if state.alias == wanted:
        if state.noted != len(state.rows):
            state = replace(state, noted=len(state.rows))
            yield state
        return state
    if adopts and not state.pinned and _surely_moved(state) and state.usable(state.alias):
        row = Row(state.alias, state.head.day, None, SOMEBODY, ADOPTED)
        state = replace(state, rows=(*state.rows, row), by_hand=False)
        yield state
        state = replace(state, noted=len(state.rows))
        yield state
        return state
    try:
        return (yield from _pointed(state))
    except Refused:
        return replace(state, alias=None, by_hand=False)


def applied(
    state: State, ruling: Ruling, adopts: bool, *, asks: bool = False, approved: bool = False, by: str | None = None
) -> States:
    """An accepted verdict that nothing hinders moves the champion, once."""
    state = yield from reconciled(state, adopts)
    if not ruling.accepted or state.pinned or any(row.verdict == ruling.id for row in state.rows):
        return state
    if asks and not approved:
        answer = ("declined", ruling.id, by or "nobody")
        newest = next((note for note in reversed(state.notes) if note[1] == ruling.id), None)
        return (yield from _noted(state, answer, newest == answer))
    if not state.usable(ruling.row.version):
        raise Refused
    if ruling.epoch != len(state.rows):
        known = ("superseded", ruling.id) in [note[:2] for note in state.notes]
        return (yield from _noted(state, ("superseded", ruling.id, ruling.row.actor), known))
    row = replace(ruling.row, actor=by, reason=f"approve: {ruling.row.reason}") if by else ruling.row
    state = replace(state, rows=(*state.rows, row))
    yield state
    return (yield from _pointed(state))


def granted(state: State, wish: Wish, adopts: bool) -> States:
    """A person's wish is done once, and only against the champion that it was made against."""
    state = yield from reconciled(state, adopts)
    if wish.action in ("pin", "unpin"):
        if state.pinned != (wish.action == "pin"):
            if wish.action == "pin" and wish.epoch != len(state.rows):
                raise Refused
            state = replace(state, pins=(*state.pins, not state.pinned))
            yield state
        return state
    if state.rows[wish.epoch : wish.epoch + 1] == (wish.row,):
        return state
    if not state.usable(wish.row.version) or wish.epoch != len(state.rows):
        raise Refused
    state = replace(state, rows=(*state.rows, wish.row))
    yield state
    return (yield from _pointed(state))


def wanted(state: State, action: str, version: int | None, day: date) -> int:
    """Return the version that a wish is about.

    Raises:
        Refused: It cannot be.
    """
    if action in ("pin", "unpin"):
        if not state.rows or state.pinned == (action == "pin"):
            raise Refused
        return state.head.version
    if version is None:
        before = _replaced(state.rows, len(state.rows) - 1) if state.rows else None
        if before is None:
            raise Refused
        version = state.rows[before].version
    back = bool(state.rows) and day < state.head.day
    if (state.head and version == state.head.version) or (action == "promote" and back) or not state.usable(version):
        raise Refused
    return version


def outcome(state: State, planted: str, day: date, champion: int | None) -> str:
    """Return what the gate must say to a planted challenger that was compared with a champion."""
    head = state.head
    if planted in ("weak", "broken") or (planted == "worse slice" and champion is not None):
        return "rejected"
    if head and day < head.day:
        return "older"
    if (head.version if head else None) != champion or (planted == "incomparable" and champion is not None):
        return "incomparable"
    if planted == "tie" and champion is not None:
        return "tie"
    if state.pinned:
        return "pinned"
    return "first" if champion is None else "better"


def unfold(state: State, states: States) -> tuple[list[State], bool]:
    """Return the state at the beginning and after each effect, and whether the action is refused in the end."""
    passed = [state]
    while True:
        try:
            passed.append(next(states))
        except StopIteration as end:
            return [*passed, end.value], False
        except Refused:
            return passed, True


def only_people(rows: Iterable[Row]) -> bool:
    """Tell whether neither a verdict nor an alias has moved the champion."""
    return all(row.verdict is None and row.actor != SOMEBODY for row in rows)


def _surely_moved(state: State) -> bool:
    """What a crash may have left behind too is never taken for somebody's wish."""
    since = state.rows[max(state.noted, 1) - 1 :]
    return bool(state.rows) and state.by_hand and state.alias not in (None, *(row.version for row in since))


def _pointed(state: State) -> States:
    """The alias points at the head, and at nothing when there is none or its version is gone."""
    if state.head is None or state.head.version in state.deleted:
        state = replace(state, alias=None, by_hand=False)
        yield state
        if state.head:
            raise Refused
        return state
    state = replace(state, alias=state.head.version, by_hand=False)
    yield state
    state = replace(state, noted=len(state.rows))
    yield state
    return state


def _noted(state: State, note: tuple[str, str, str], known: bool) -> States:
    if not known:
        state = replace(state, notes=(*state.notes, note))
        yield state
    return state


def _replaced(rows: tuple[Row, ...], number: int) -> int | None:
    """Return which champion one has replaced: one that came back stands where it stood before."""
    before = number - 1 if number else None
    if rows[number].reason.startswith("rollback:"):
        earlier = before
        while earlier is not None:
            if rows[earlier].version == rows[number].version:
                return _replaced(rows, earlier)
            earlier = _replaced(rows, earlier)
    return before
