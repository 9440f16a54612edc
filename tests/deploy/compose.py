"""docker-compose.yaml as Compose reads it: variables put in, anchors merged."""

import re
from pathlib import Path

import yaml

PROJECT = Path(__file__).parents[2]
FILE = PROJECT / "docker-compose.yaml"
_VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?:(?P<kind>:-|:\?)(?P<text>[^}]*))?\})")


class MissingVariable(Exception):
    """A variable that the file requires."""


def read_compose(variables):
    """Return the file with variables put in."""
    return _put_in(yaml.safe_load(FILE.read_text()), variables)


def read_variables(file):
    """Return the variables of a `.env` file."""
    lines = (line for line in file.read_text().splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def _put_in(value, variables):
    if isinstance(value, dict):
        return {key: _put_in(each, variables) for key, each in value.items()}
    if isinstance(value, list):
        return [_put_in(each, variables) for each in value]
    return _VARIABLE.sub(lambda found: _value(found, variables), value) if isinstance(value, str) else value


def _value(found, variables):
    if found["dollar"]:
        return "$"
    value = variables.get(found["name"], "")
    if value or found["kind"] is None:
        return value
    if found["kind"] == ":?":
        raise MissingVariable(f"{found['name']}: {found['text']}")
    return found["text"]
