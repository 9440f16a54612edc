"""Loads what a declaration names: functions and modules of a user's pipeline folder."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from traceback import extract_tb
from typing import Any

from airloom.core.documents import did_you_mean
from airloom.core.errors import DeclarationError
from airloom.stores.project_code import make_importable


def load_reference(reference: str, project: Path) -> Any:
    """Import what a declaration names.

    Args:
        reference: `package.module:name`, or `package.module` for the module itself.
        project: The folder that holds `include/`.

    Returns:
        The function or module.

    Raises:
        DeclarationError: There is no such module or function, or the module cannot be imported.
    """
    module_name, _, name = reference.partition(":")
    module = _import(module_name, reference, project)
    if not name:
        return module
    if not hasattr(module, name):
        raise DeclarationError(
            f"The module {module_name} has no {name!r}.{did_you_mean(name, vars(module))}",
            where=str(module.__file__),
            found=reference,
            expected="module:function",
        )
    return getattr(module, name)


def load_function(reference: str, project: Path, parameters: tuple[str, ...]) -> Any:
    """Import a function that a declaration names, and make sure that it can be called.

    Args:
        reference: `package.module:name`.
        project: The folder that holds `include/`.
        parameters: What it is called with, by position.

    Raises:
        DeclarationError: There is none, it is no plain function, or it takes other parameters.
    """
    function = load_reference(reference, project)
    wanted = f"{reference.rpartition(':')[2]}({', '.join(parameters)})"
    if not callable(function):
        raise DeclarationError(
            "This is no function.", where=reference, found=f"a {type(function).__name__}", expected=wanted
        )
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise DeclarationError(
            "This is a coroutine, which nobody awaits.",
            where=_defined_at(function) or reference,
            found=f"async def {function.__name__}",
            expected=f"def {wanted}",
            do="make it a plain function; `asyncio.run` within it runs what is asynchronous",
        )
    try:
        signature = inspect.signature(function)
    except ValueError:  # Some functions that are compiled do not tell.
        return function
    try:
        signature.bind(*parameters)
    except TypeError:
        raise DeclarationError(
            "This function takes other parameters.",
            where=_defined_at(function) or reference,
            found=f"{reference.rpartition(':')[2]}({', '.join(signature.parameters)})",
            expected=wanted,
        ) from None
    return function


def _defined_at(function: Any) -> str | None:
    """Return file and line of a function, None where it does not tell."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}, line {code.co_firstlineno}" if code else None


def _import(module: str, reference: str, project: Path) -> Any:
    make_importable(project)
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}."):
            raise DeclarationError(
                f"There is no module {error.name!r}.",
                where=str(project),
                found=reference,
                do=f"create {module.replace('.', '/')}.py there or correct the name",
            ) from None
        raise DeclarationError(
            f"The module {module} cannot be imported.",
            where=_place(error, project / module.partition(".")[0]) or reference,
            found=_said(error),
            do=f"correct the module, or install what it needs; `python -c 'import {module}'` shows its own message",
        ) from error


def _said(error: BaseException) -> str:
    """Return the type of an error, and what is wrong with syntax or which name is missing: words may hold values."""
    kind = type(error).__name__
    if isinstance(error, SyntaxError) and error.text is not None:
        return f"{kind}: {error.msg}"
    name = error.name if isinstance(error, ImportError | NameError | AttributeError) else None
    return f"{kind} of {name}" if name else kind


def _place(error: BaseException, code: Path) -> str | None:
    """Return file and line of the user's code at which an error came up, None when it was not there."""
    calls = [(frame.filename, frame.lineno) for frame in extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        calls.append((error.filename, error.lineno))
    theirs = [(file, line) for file, line in calls if Path(file).is_relative_to(code) or file == f"{code}.py"]
    return f"{theirs[-1][0]}, line {theirs[-1][1]}" if theirs else None
