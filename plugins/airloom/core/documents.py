"""YAML documents that people write: every problem in one names the file, the line and the key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from airloom.core.errors import DeclarationError

KeyPath = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)

_SCALARS = (str, int, float, bool)


@dataclass(frozen=True)
class Document:
    """The content of one file, and where in it each key stands.

    Args:
        file: The file.
        content: What it says, as plain values.
        lines: The line of every key.
    """

    file: Path
    content: Any
    lines: dict[KeyPath, int]

    def where(self, *path: str | int) -> str:
        """Describe where a key stands; of a key that the file lacks, where its nearest parent stands."""
        while path and path not in self.lines:
            path = path[:-1]
        key = f", key {'.'.join(map(str, path))}" if path else ""
        return f"{self.file}, line {self.lines.get(path, 1)}{key}"


class _Reader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice and remembers the line of every key."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lines: dict[KeyPath, int] = {}

    def read(self) -> Any:
        node = self.get_single_node()
        if node is None:
            return None
        self._visit(node, ())
        return self.construct_document(node)

    def _visit(self, node: yaml.Node, path: KeyPath) -> None:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self._visit_key(key, value, path)
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self._visit(item, (*path, index))

    def _visit_key(self, key: yaml.Node, value: yaml.Node, path: KeyPath) -> None:
        inner = (*path, str(key.value))
        if inner in self.lines:
            raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} is given twice", problem_mark=key.start_mark)
        self.lines[inner] = key.start_mark.line + 1
        self._visit(value, inner)


#: YAML 1.2 and people read 1e-3 as a number; the library reads YAML 1.1, in which it is text.
_Reader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+"), list("-+0123456789")
)


def read_document(file: Path) -> Document:
    """Read a YAML file.

    Raises:
        DeclarationError: The file is missing, is no text or is not YAML.
    """
    text = _text(file)
    try:
        reader = _Reader(text)
    except yaml.reader.ReaderError as error:
        raise _not_yaml(file, error) from None
    try:
        return Document(file, reader.read(), reader.lines)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise _not_yaml(file, error) from None
    except RecursionError:
        raise DeclarationError(
            "The declaration contains itself, or is too deep.", where=str(file), do="use no alias within its own anchor"
        ) from None
    finally:
        reader.dispose()


def validated(document: Document, model: type[Model], content: Any, *at: str | int) -> Model:
    """Read a part of a document as a model.

    Args:
        document: The document.
        model: The model.
        content: The part of the document's content.
        at: The part's place in the document.

    Returns:
        The model.

    Raises:
        DeclarationError: The content is not what the model asks for.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise _not_the_model(document, model, at, error) from None


def problem_at(problem: str, *at: str) -> PydanticCustomError:
    """Describe a problem that lies at a key below the model that found it."""
    return PydanticCustomError("declaration", "{problem}", {"problem": problem, "at": at})


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question that names the nearest known word, or nothing when none is near."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DeclarationError("The declaration cannot be read.", where=str(file), found=str(error)) from None


def _not_yaml(file: Path, error: Exception) -> DeclarationError:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    where = f"{file}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(file)
    found = error.problem if isinstance(error, yaml.MarkedYAMLError) else str(error)
    return DeclarationError("The declaration is not valid YAML.", where=where, found=found)


def _not_the_model(document: Document, model: type[BaseModel], at: KeyPath, error: ValidationError) -> DeclarationError:
    problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    first = problems[0]
    more = f" ({len(problems) - 1} more after this one)" if len(problems) > 1 else ""
    return DeclarationError(
        f"{_describe(first, model)}{more}",
        where=document.where(*at, *first["loc"], *first.get("ctx", {}).get("at", ())),
        found=repr(first["input"]) if isinstance(first["input"], _SCALARS) else None,
    )


def _describe(problem: ErrorDetails, model: type[BaseModel]) -> str:
    match problem["type"]:
        case "extra_forbidden":
            key = str(problem["loc"][-1])
            return f"Unknown key {key!r}.{did_you_mean(key, _keys_at(model, problem['loc'][:-1]))}"
        case "missing":
            return f"The key {problem['loc'][-1]!r} is missing."
        case "model_type" | "dict_type":
            return "Keys with values are expected here."
        case "string_type":
            return "The value must be text; a number or a word like `yes` is text in quotes."
        case _:
            return problem["msg"].removeprefix("Value error, ").replace("Input should be", "The value must be") + "."


def _keys_at(model: type[BaseModel], path: KeyPath) -> list[str]:
    """Return the keys that a model allows at a path."""
    annotation: Any = model
    for part in path:
        annotation = _inner(annotation, part)
    return list(annotation.model_fields) if _is_model(annotation) else []


def _inner(annotation: Any, part: str | int) -> Any:
    if _is_model(annotation):
        field = annotation.model_fields.get(str(part))
        return _wanted(field.annotation) if field else None
    return next((each for each in get_args(annotation) if _is_model(each)), None)


def _wanted(annotation: Any) -> Any:
    """Return what an optional annotation asks for when there is something."""
    choices = get_args(annotation)
    return next((each for each in choices if _is_model(each)), None) if NoneType in choices else annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
