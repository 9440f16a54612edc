"""The code that travels with a model, so that MLflow alone can load it: copies of modules in a package of their own.

Loading a model takes modules of Airloom and of the pipeline. Those are copied, with all that they import of the same
kind, into a package whose name no other model has, and their imports are rewritten to it: neither `airloom` nor
`include` is imported, and two models of different code load in one process. What they import besides is what the model
requires.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from itertools import chain
from pathlib import Path

_LOADER = "load.py"
_INSTALLED = {"site-packages", "dist-packages"}
#: Members of archives, and kinds of files, that name the modules which they were made of.
_MEMBERS, _NAMING = ("schema.json", "data.pkl"), (".json", ".joblib")
_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_.]+")
#: Distributions that have another name than what is imported.
_DISTRIBUTIONS = {"sklearn": "scikit-learn", "yaml": "pyyaml", "PIL": "pillow"}

_LOAD = '''"""Load the model for MLflow. Airloom has written this; it needs what requirements.txt names."""

import hashlib
import importlib
import json
import sys
from pathlib import Path

from {package}.{module} import {outer}

#: What files of the model name, and where it is here.
MODULES = {modules!r}


def _load_pyfunc(data_path):
    folder = Path(data_path)
    for name, digest in json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"].items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            raise ValueError(f"{{name}} is not the file that was registered; nothing was loaded.")
    here = {{name: importlib.import_module(f"{package}.{{name}}") for name in MODULES}}
    before = {{name: sys.modules[name] for name in MODULES if name in sys.modules}}
    sys.modules.update(here)
    try:
        return {name}.load(folder)
    finally:
        for name in MODULES:
            del sys.modules[name]
        sys.modules.update(before)
'''


@dataclass(frozen=True)
class ModelCode:
    """What travels with a model.

    Args:
        package: The name of its package.
        files: The text of every file, by its path in the folder of the package.
        requires: The versions of the distributions that loading it imports.
    """

    package: str
    files: dict[str, str]
    requires: dict[str, str]

    @property
    def loader(self) -> str:
        """The module that MLflow calls."""
        return f"{self.package}.{_LOADER.removesuffix('.py')}"

    def write(self, folder: Path) -> None:
        """Write the package into a folder."""
        for path, text in self.files.items():
            file = folder / self.package / path
            file.parent.mkdir(parents=True, exist_ok=True)
            # An upload without a length, as that of an empty file, is more than some servers take.
            file.write_text(text or "# Nothing else.\n", encoding="utf-8")


def model_code(reference: str, folder: Path) -> ModelCode:
    """Collect the code of a model.

    Args:
        reference: Its class, `package.module:Class`.
        folder: Its files, which may name other modules.
    """
    module, _, name = reference.partition(":")
    named = _named_in(folder)
    sources = _closure({module, *filter(_is_own, named)})
    imported = {each for source in sources.values() for each in source.imports}
    tops = {each.partition(".")[0] for each in {*imported, *named} if not _is_own(each)} - sys.stdlib_module_names
    texts = {source.path: source.text for source in sources.values()}
    package = f"airloom_model_{hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()[:16]}"
    files = {source.path: source.rewritten(package) for source in sources.values()}
    files["__init__.py"] = ""
    files[_LOADER] = _LOAD.format(
        package=package, module=module, name=name, outer=name.partition(".")[0], modules=sorted(sources)
    )
    return ModelCode(package, files, dict(sorted(filter(None, map(_distribution, tops)))))


def _named_in(folder: Path) -> set[str]:
    """Return the modules that files of a model name, of those that this process has imported."""
    found = {match for file in folder.rglob("*") for data in _naming(file) for match in _NAME.findall(data)}
    # In a pickle a letter that says what follows may stand before a name.
    names = {name.decode() for each in found for name in (each, each[1:])}
    return {name for name in names if "." in name and name in sys.modules}


def _naming(file: Path) -> Iterator[bytes]:
    if file.is_file() and zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                if name.endswith(_MEMBERS):
                    yield archive.read(name)
    elif file.suffix in _NAMING:
        yield file.read_bytes()


def _is_own(module: str) -> bool:
    """Tell whether a module is Airloom's or the project's, and not one that is installed from a distribution."""
    top = module.partition(".")[0]
    if top == "airloom":
        return True
    if not top or top in sys.stdlib_module_names:
        return False
    location = _location(top)
    return location is not None and not _INSTALLED.intersection(location.parts)


def _location(top: str) -> Path | None:
    """Return where a top-level package or module is."""
    spec = importlib.util.find_spec(top)
    if spec is None:
        return None
    places = list(spec.submodule_search_locations or ())
    return Path(places[0]) if places else Path(spec.origin) if spec.has_location and spec.origin else None


@dataclass(frozen=True)
class _Source:
    """One module.

    Args:
        module: Its name.
        path: Its file, from the folder above its top-level package.
        text: Its source.
        tree: The same, parsed.
    """

    module: str
    path: str
    text: str
    tree: ast.Module

    @property
    def imports(self) -> set[str]:
        """The modules that it imports when it runs, and names of them that may be modules."""
        return {name for node in _running(self.tree) for name in self._imported(node)}

    def _imported(self, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = self.module.split(".") if self.path.endswith("__init__.py") else self.module.split(".")[:-1]
                base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)

    def rewritten(self, package: str) -> str:
        """Return the source with the imports of our own modules from a package."""
        lines = self.text.encode().splitlines(keepends=True)
        nodes = [node for node in ast.walk(self.tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        for node in sorted(nodes, key=lambda each: -each.lineno):
            if (new := _moved(node, package)) and node.end_lineno and node.end_col_offset is not None:
                before, after = lines[node.lineno - 1][: node.col_offset], lines[node.end_lineno - 1]
                lines[node.lineno - 1 : node.end_lineno] = [before + new.encode() + after[node.end_col_offset :]]
        return b"".join(lines).decode()


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes but those that are for the type checker alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from _running(node)


def _moved(node: ast.Import | ast.ImportFrom, package: str) -> str:
    """Return an import with our own modules in a package; nothing where it has none."""
    if isinstance(node, ast.ImportFrom):
        if node.level or not _is_own(node.module or ""):
            return ""
        return ast.unparse(ast.ImportFrom(f"{package}.{node.module}", node.names, 0))
    if not any(_is_own(alias.name) for alias in node.names):
        return ""
    statements = []
    for alias in node.names:
        if not _is_own(alias.name):
            statements.append(ast.unparse(ast.Import([alias])))
        elif alias.asname:
            statements.append(f"import {package}.{alias.name} as {alias.asname}")
        else:  # It binds the name of the top-level package.
            statements += [f"import {package}.{alias.name}", f"from {package} import {alias.name.partition('.')[0]}"]
    return "; ".join(statements)


def _closure(modules: set[str]) -> dict[str, _Source]:
    """Return modules with all of our own that they import, and the packages that these are in."""
    found: dict[str, _Source] = {}
    asked = sorted(modules)
    while asked:
        parts = asked.pop().split(".")
        for depth in range(1, len(parts) + 1):
            module = ".".join(parts[:depth])
            if module not in found and (source := _read(module)):
                found[module] = source
                asked += sorted(name for name in source.imports if _is_own(name))
    return found


def _read(module: str) -> _Source | None:
    """Read a module; None where there is none of this name, as of a function that is imported."""
    top, *rest = module.split(".")
    location = _location(top)
    if location is None:
        return None
    if location.is_file():
        return None if rest else _parsed(module, location, location.name)
    above = location.parent
    file = location.joinpath(*rest)
    if file.is_dir():
        file = file / "__init__.py"
        if not file.is_file():  # A package without a file of its own.
            return _Source(module, file.relative_to(above).as_posix(), "", ast.parse(""))
    else:
        file = file.with_suffix(".py")
    return _parsed(module, file, file.relative_to(above).as_posix()) if file.is_file() else None


def _parsed(module: str, file: Path, path: str) -> _Source:
    text = file.read_text(encoding="utf-8")
    return _Source(module, path, text, ast.parse(text))


@cache
def _distribution(top: str) -> tuple[str, str] | None:
    """Return the distribution of a top-level package and its version; None of what no distribution has.

    To look through all packages takes a second, so that names which are their distributions' are tried first.
    """
    for name in chain([_DISTRIBUTIONS.get(top, top)], _all_distributions(top)):
        try:
            return name, version(name)
        except PackageNotFoundError:
            continue
    return None


def _all_distributions(top: str) -> Iterator[str]:
    yield from sorted(packages_distributions().get(top, []))
