"""diff: what changed between two registered versions, topic by topic; what cannot be compared is said so."""

from __future__ import annotations

from collections.abc import Callable

from airloom.core.difference import Difference, Reign, Side, Topic, compared, compared_days, merged
from airloom.core.errors import AirloomError, UsageError
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.steps.examples import DAY
from airloom.steps.same_rows import SameRows
from airloom.steps.versions import KnownVersion
from airloom.stores.ledger import Ledger


def diff(pipeline: Pipeline, old: int, new: int, settings: Settings) -> Difference:
    """Compare two registered versions of a pipeline's model.

    Both are scored on the holdout of the newer one, since metrics of different nights do not compare.

    Args:
        pipeline: The declaration.
        old: The first version.
        new: The second version.
        settings: Where state, artifacts, training sets and lake are.

    Returns:
        What differs. A topic whose facts are gone has a problem instead of changes.

    Raises:
        UsageError: It is the same version twice.
        GateError: There is no such version, or it was not trained by this pipeline.
    """
    if old == new:
        raise UsageError("Nothing differs between a version and itself.", found=f"version {old} twice")
    first, second = (KnownVersion(pipeline, version, settings) for version in (old, new))
    newest = max(first, second, key=lambda each: (each.info.partition, each.version))
    return Difference(
        pipeline=pipeline.name,
        old=_side(first),
        new=_side(second),
        judged_on=newest.version,
        topics=tuple(_topic(name, compare, first, second, newest) for name, compare in _TOPICS.items()),
    )


#: From the first version, the second, and the one of both that is newer, to what differs.
_Compare = Callable[[KnownVersion, KnownVersion, KnownVersion], Topic]


def _side(version: KnownVersion) -> Side:
    history = Ledger(version.settings.state_url).history(version.pipeline.name)
    return Side(
        version=version.version,
        as_of=version.info.partition,
        candidate=version.info.candidate,
        run_id=version.info.run_id,
        reigns=tuple(
            Reign(epoch=row.epoch, effective_from=row.effective_from)
            for row in history
            if row.version == version.version
        ),
    )


def _topic(name: str, compare: _Compare, old: KnownVersion, new: KnownVersion, newest: KnownVersion) -> Topic:
    try:
        return compare(old, new, newest).model_copy(update={"name": name})
    except AirloomError as error:
        return Topic(name=name, problem=error.brief)


def _lake(old: KnownVersion, new: KnownVersion, newest: KnownVersion) -> Topic:
    commits = compared("", *({f"{table}, commit": at for table, at in each.commits.items()} for each in (old, new)))
    tables = dict.fromkeys([*old.commits, *new.commits])
    return merged(
        "", [commits, *(compared_days(table, old.published(table), new.published(table)) for table in tables)]
    )


def _audits(old: KnownVersion, new: KnownVersion, newest: KnownVersion) -> Topic:
    """Compare counts: what only one of them knows is zero for the other."""
    mine, theirs = old.audits, new.audits
    return compared("", {**dict.fromkeys(theirs, 0), **mine}, {**dict.fromkeys(mine, 0), **theirs})


def _metrics(old: KnownVersion, new: KnownVersion, newest: KnownVersion) -> Topic:
    changes = list(SameRows(old.pipeline, old, new, newest.held_out).metrics())
    differing = tuple(change for change in changes if change.note != "same")
    return Topic(name="", changes=differing, same=len(changes) - len(differing), note=_judged_on(old, new, newest))


def _importance(old: KnownVersion, new: KnownVersion, newest: KnownVersion) -> Topic:
    changes = SameRows(old.pipeline, old, new, newest.held_out).importance()
    differing = tuple(change for change in changes if change.old != change.new)
    note = f"by how much {old.pipeline.gate.metric} falls when the column is shuffled"
    return Topic(name="", changes=differing, same=len(changes) - len(differing), note=note)


def _judged_on(old: KnownVersion, new: KnownVersion, newest: KnownVersion) -> str:
    """Say which rows both were scored on, and whether one of them has learned from any."""
    rows = newest.held_out.frame
    told = f"both on the {len(rows):,} rows that version {newest.version} has held out"
    other = old if newest is new else new
    try:
        seen = len(set(rows[DAY]) & set(other.learned.frame[DAY]))
    except AirloomError:
        return f"{told}; nobody knows whether version {other.version} has learned from them"
    return told + (f"; version {other.version} has learned from {seen} days of them" if seen else "")


_TOPICS: dict[str, _Compare] = {
    "data window": lambda old, new, _: compared("", old.window, new.window),
    "lake": _lake,
    "rows": lambda old, new, _: compared("", old.rows, new.rows),
    "audits": _audits,
    "expectations": lambda old, new, _: compared("", old.defined("expectations"), new.defined("expectations")),
    "columns": lambda old, new, _: compared("", old.columns, new.columns),
    "feature files": lambda old, new, _: compared("", old.defined("features"), new.defined("features")),
    "declaration": lambda old, new, _: compared("", old.defined("declaration"), new.defined("declaration")),
    "code": lambda old, new, _: compared("", old.code, new.code),
    "libraries": lambda old, new, _: compared("", old.libraries, new.libraries),
    "parameters": lambda old, new, _: compared("", old.params, new.params),
    "metrics": _metrics,
    "importance": _importance,
}
