"""The reader of Brain-Score's model registry: names and plugin folders, read from source without importing it.

Each folder `models/NAME/` of the package `brainscore_vision` is a plugin. Its `__init__.py` registers models with
`model_registry["NAME"] = ...` or `model_registry.update({"NAME": ...})`.

A name belongs to the one folder that registers it. A name that several folders register is ambiguous and
belongs to none, because Brain-Score's own loader refuses it ("More than one registration found").
"""

import ast
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from alignsec import archives

PACKAGE = "brainscore_vision"
_REGISTRY = "model_registry"
_INIT = "__init__.py"


class RegistryError(Exception):
    """A package in which no plugin folder can be read."""


@dataclass(frozen=True)
class Registration:
    """One registration of a model."""

    folder: str
    """The plugin folder."""
    name: str
    """The registered name. If it is not constant, the source of the key, or why the file cannot be parsed."""
    line: int
    """Line number in the folder's `__init__.py`."""
    constant: bool = True
    """Whether the name is written as a literal; otherwise only running the code shows it."""


def read_registrations(package: Path) -> list[Registration]:
    """Return all registrations of a package, sorted by folder and line.

    Args:
        package: The folder `brainscore_vision`, the folder that holds it, or a wheel or zip file of it.

    Raises:
        RegistryError: If there is no `models/*/__init__.py`, or the file is not a zip file.
        OSError: If a file cannot be read.
    """
    sources = list(_read_zip(package) if package.is_file() else _read_folder(package))
    if not sources:
        raise RegistryError(f"has no models/*/{_INIT}; give the folder {PACKAGE} or its wheel")
    return [found for folder, source in sorted(sources) for found in _parse(folder, source)]


def group_folders(registrations: Iterable[Registration]) -> dict[str, list[str]]:
    """Return the folders that register each name, sorted; more than one folder means that the name is
    ambiguous."""
    folders: dict[str, set[str]] = defaultdict(set)
    for registration in registrations:
        if registration.constant:
            folders[registration.name].add(registration.folder)
    return {name: sorted(found) for name, found in folders.items()}


def find_folder(package: Path, name: str) -> str:
    """Return the plugin folder that a name belongs to.

    Args:
        package: As for `read_registrations`.
        name: A registered name.

    Raises:
        RegistryError: If no folder or more than one folder registers the name.
        OSError: If a file cannot be read.
    """
    folders = group_folders(read_registrations(package)).get(name, [])
    if not folders:
        raise RegistryError(f"has no model {name}")
    if len(folders) > 1:
        raise RegistryError(f"has the model {name} in several folders: {', '.join(folders)}")
    return folders[0]


def _read_folder(package: Path) -> Iterator[tuple[str, bytes]]:
    candidates = (package / "models", package / PACKAGE / "models")
    models = next((folder for folder in candidates if folder.is_dir()), None)
    if models is not None:
        for path in models.glob(f"*/{_INIT}"):
            yield path.parent.name, path.read_bytes()


def _read_zip(package: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(package) as archive:
            for name in archive.namelist():
                *above, models, folder, file = ("", "", *PurePosixPath(name).parts)[-4:]
                if (models, file) == ("models", _INIT) and above[-1] in {"", PACKAGE}:
                    yield folder, archive.read(name)
    except (*archives.ZIP_ERRORS, OSError) as error:
        raise RegistryError(f"is neither a folder nor a readable wheel: {archives.explain(error)}") from None


def _parse(folder: str, source: bytes) -> Iterator[Registration]:
    """Yield the registrations of one `__init__.py`."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        yield Registration(
            folder, f"is not valid Python: {error}", getattr(error, "lineno", 0) or 0, constant=False
        )
        return
    keys = [key for node in ast.walk(tree) for key in _keys(node)]
    for key in sorted(keys, key=lambda key: (key.lineno, key.col_offset)):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield Registration(folder, key.value, key.lineno)
        else:
            yield Registration(folder, ast.unparse(key), key.lineno, constant=False)


def _keys(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the keys that an assignment or a call of `update` adds to the registry."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Subscript) and _is_registry(target.value):
                yield target.slice
    elif isinstance(node, ast.Call) and _is_update(node.func):
        yield from _update_keys(node)


def _is_update(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and function.attr == "update" and _is_registry(function.value)


def _update_keys(call: ast.Call) -> Iterator[ast.expr]:
    """Yield the keys of `update({...}, name=...)`, and every argument whose keys only running the code shows."""
    for argument in call.args:
        if isinstance(argument, ast.Dict):
            pairs = zip(argument.keys, argument.values, strict=True)
            yield from (value if key is None else key for key, value in pairs)
        else:
            yield argument
    for keyword in call.keywords:
        key = ast.Constant(keyword.arg, lineno=keyword.lineno, col_offset=keyword.col_offset)
        yield key if keyword.arg else keyword.value


def _is_registry(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and node.id == _REGISTRY) or (
        isinstance(node, ast.Attribute) and node.attr == _REGISTRY
    )
