"""How a version was trained, compared with what is here now: code, declaration, libraries and machine."""

from __future__ import annotations

import json
from collections.abc import Callable

from airloom.core.difference import Topic, Value, compared
from airloom.core.errors import AirloomError
from airloom.steps.machine import installed_versions, machine
from airloom.steps.provenance import code_version, definitions, source_digest
from airloom.steps.references import load_reference
from airloom.steps.versions import KnownVersion


def surroundings(version: KnownVersion) -> tuple[Topic, ...]:
    """Compare what is recorded of a version's training with what is here now; what is not recorded is said so."""
    return tuple(_topic(name, compare, version) for name, compare in _TOPICS.items())


def _topic(name: str, compare: Callable[[KnownVersion], Topic], version: KnownVersion) -> Topic:
    try:
        return compare(version).model_copy(update={"name": name})
    except AirloomError as error:
        return Topic(name=name, problem=error.brief)


def _code(version: KnownVersion) -> Topic:
    now = {
        "source of the candidate": source_digest(load_reference(version.fit, version.settings.project)),
        # Another one: a key that the declaration could not have had then, or a file that was tampered with.
        "digest of the declaration": version.declaration.digest,
        "commit": code_version(version.settings.project),
    }
    return compared("", {name: version.code[name] for name in now}, now)


def _declaration(version: KnownVersion) -> Topic:
    now = definitions(version.pipeline, version.settings)["declaration"]
    found = compared("", version.defined("declaration"), now)
    return found.model_copy(update={"note": "the recorded one was used" if found.changes else ""})


def _feature_definitions(version: KnownVersion) -> Topic:
    """Compare the module of Feast's definitions; the SQL is not run again, features are read as they were published."""
    was, now = version.defined("features"), definitions(version.declaration, version.settings)["features"]
    sql = {view.sql.as_posix() for view in version.declaration.features.views.values()}
    return compared("", *({name: digest for name, digest in each.items() if name not in sql} for each in (was, now)))


def _libraries(version: KnownVersion) -> Topic:
    was: dict[str, Value] = {**json.loads(version.tag("airloom.libraries")), **version.libraries}
    return compared("", was, installed_versions(was))


def _machine(version: KnownVersion) -> Topic:
    now = machine()
    return compared("", {name: version.tag(f"airloom.{name}") for name in now}, now)


_TOPICS: dict[str, Callable[[KnownVersion], Topic]] = {
    "code": _code,
    "declaration": _declaration,
    "feature definitions": _feature_definitions,
    "libraries": _libraries,
    "machine": _machine,
}
