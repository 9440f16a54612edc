"""Whether a recorded history could have happened one operation after the other (Wing and Gong 1993).

The object is a compare-and-set register that holds the newest champion: `(epoch, version)`, `(0, None)` at first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

State = tuple[int, int | None]

EMPTY: State = (0, None)


@dataclass(frozen=True)
class Read:
    """A look at the register.

    Args:
        found: What it answered.
    """

    found: State

    def after(self, state: State) -> State | None:
        """Return the state afterwards, None when this cannot happen in a state."""
        return state if self.found == state else None


@dataclass(frozen=True)
class CompareAndSet:
    """An attempt to be the next champion.

    Args:
        expected: The epoch that it was decided against.
        version: The version.
        won: Whether it was let in.
    """

    expected: int
    version: int
    won: bool

    def after(self, state: State) -> State | None:
        """Return the state afterwards, None when this cannot happen in a state."""
        if self.won != (state[0] == self.expected):
            return None
        return (self.expected + 1, self.version) if self.won else state


@dataclass(frozen=True)
class Operation:
    """One operation of one process, which does one after the other.

    Args:
        process: The process.
        started: Nanoseconds of the machine's monotonic clock before it.
        ended: Nanoseconds after it.
        what: What was done and answered.
    """

    process: int
    started: int
    ended: int
    what: Read | CompareAndSet


def linearization(history: Sequence[Operation]) -> list[Operation] | None:
    """Find an order in which a history could have happened one after the other.

    An operation that had ended before another one started comes before it; each fits the state that those before it
    have left.

    Returns:
        The operations in such an order, None when there is none.
    """
    processes = {each.process for each in history}
    queues = [sorted((e for e in history if e.process == each), key=lambda e: e.started) for each in processes]
    begin = _Point((0,) * len(queues), EMPTY, None, None)
    seen, open_points = {(begin.done, begin.state)}, [begin]
    while open_points:
        point = open_points.pop()
        if sum(point.done) == len(history):
            return point.order()
        for following in _following(queues, point):
            if (following.done, following.state) not in seen:
                seen.add((following.done, following.state))
                open_points.append(following)
    return None


@dataclass(frozen=True)
class _Point:
    """A place in the search: how far each process has come, the state, and the operation that led here."""

    done: tuple[int, ...]
    state: State
    last: Operation | None
    before: "_Point | None"

    def order(self) -> list[Operation]:
        found, point = [], self
        while point.last is not None:
            found.append(point.last)
            point = point.before
        return found[::-1]


def _following(queues: Sequence[Sequence[Operation]], point: _Point) -> Iterator[_Point]:
    """Let any operation be the next one that no other had ended before, and that fits the state."""
    waiting = {
        number: queue[done]
        for number, (queue, done) in enumerate(zip(queues, point.done, strict=True))
        if done < len(queue)
    }
    first_end = min(each.ended for each in waiting.values())
    for number, operation in waiting.items():
        state = operation.what.after(point.state)
        if operation.started <= first_end and state is not None:
            done = tuple(count + (each == number) for each, count in enumerate(point.done))
            yield _Point(done, state, operation, point)
