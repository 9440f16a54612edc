"""Loads what a declaration names: functions and modules of a user's pipeline folder."""

from __future__ import annotations

import importlib
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
