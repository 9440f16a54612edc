"""What came of training a version again: what was compared, what differs, and what may be why."""

from __future__ import annotations

from datetime import date

from airloom.core.difference import Change, Fact, Facts, Topic, compared


class Result(Topic):
    """What is recorded on one topic, compared with what came of it now.

    Args:
        alike: What is the same.
    """

    alike: tuple[Change, ...] = ()


class Reproduction(Fact):
    """A version of a pipeline's model, made again from the lake as it was.

    Args:
        pipeline: The pipeline.
        version: The version.
        candidate: The candidate that it came from.
        as_of: The partition as of which it was trained.
        run_id: The MLflow run that trained it.
        commits: The lake's commits that were read, by table.
        identical: Whether every result could be compared and nothing differs.
        surroundings: What is recorded of how it was trained, compared with what is here now.
        results: What is recorded of what came of it, compared with what came of it now.
        why: What may have made the results differ; empty when they do not.
        seconds: What the training took now.
    """

    pipeline: str
    version: int
    candidate: str
    as_of: date
    run_id: str
    commits: dict[str, int]
    identical: bool
    surroundings: tuple[Topic, ...]
    results: tuple[Result, ...]
    why: tuple[str, ...] = ()
    seconds: float


def result_of(recorded: Facts, now: Facts) -> Result:
    """Compare what is recorded of a result with what came of it now; what is not recorded is left out."""
    known = {name: value for name, value in recorded.items() if value is not None}
    found = compared("", known, {name: now.get(name) for name in known})
    differing = {change.name for change in found.changes}
    alike = tuple(Change(name=name, old=value, new=value) for name, value in known.items() if name not in differing)
    return Result(name="", changes=found.changes, same=found.same, alike=alike)


def is_identical(results: tuple[Result, ...]) -> bool:
    """Tell whether something was compared on every topic, and nothing differs on any."""
    return all(topic.problem is None and topic.same and not topic.changes for topic in results)


def reasons(surroundings: tuple[Topic, ...], results: tuple[Result, ...]) -> tuple[str, ...]:
    """Name what may have made results differ: all that has changed around them, or what is left if nothing has."""
    differing = [result.name for result in results if result.changes]
    if not differing:
        return ()
    causes = [topic for topic in surroundings if topic.name in CAUSES]
    told = [
        f"{topic.name}: {change.name} was {_told(change.old)}, is {_told(change.new)}"
        for topic in causes
        for change in topic.changes
    ]
    unknown = [f"{topic.name}: not known" for topic in causes if topic.problem]
    return (*told, *unknown) or (_UNEXPLAINED.get(differing[0], _UNSEEDED),)


#: The topics that a result depends on. The recorded declaration is used, so today's is no cause.
CAUSES = ("code", "feature definitions", "libraries", "machine")

_UNSEEDED = "nothing that is recorded has changed: the candidate may not start from its seed alone"
_UNEXPLAINED = {
    "training set": "nothing that is recorded has changed: the lake, or what Feast knows of the views, was made anew"
}


def _told(value: object) -> object:
    return "not there" if value is None else value
