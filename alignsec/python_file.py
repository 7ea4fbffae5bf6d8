"""A user's Python file, which defines a model or an attack: read at submission, run only in jobs."""

import ast
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alignsec.errors import nearest

SCHEME = "python:"
"""Start of `python:FILE:CALLABLE`, and of `python:CALLABLE` in a pair, whose file is known by its digest."""


def split_name(text: str) -> tuple[str, str]:
    """Return the file and the name of the callable in `python:FILE:CALLABLE`; both are empty for another form."""
    file, _, function = text.removeprefix(SCHEME).rpartition(":")
    return (file, function) if file and function.isidentifier() else ("", "")


def find_definition_error(file: Path, name: str) -> str | None:
    """Return why a file does not define the callable, or None if it does. The file is parsed, not run.

    Args:
        file: The Python file.
        name: A source or name that ends in `:CALLABLE`.
    """
    function = name.rpartition(":")[2]
    try:
        tree = _parse(file)
    except (SyntaxError, ValueError) as error:
        return f"is not valid Python: {error}"
    defined = [name for node in tree.body for name in _defined_names(node)]
    if function in defined:
        return None
    return f"does not define {function}; {nearest(function, defined)}" if defined else "defines nothing"


def find_parameters(file: Path, function: str) -> ast.arguments | None:
    """Return the parameters of a function that a file defines at its top level, without running the file.

    Returns:
        None if the name is bound by anything but one undecorated `def`, such as an import.
    """
    found = [node for node in _parse(file).body if isinstance(node, ast.FunctionDef) and node.name == function]
    return found[0].args if len(found) == 1 and not found[0].decorator_list else None


def load_callable(file: Path, function: str) -> Callable[..., Any]:
    """Run a file and return its callable.

    Raises:
        ValueError: If the file is not a Python file or does not define the callable.
        Exception: Any error of the user's code.
    """
    spec = importlib.util.spec_from_file_location(f"study_{file.stem}".replace("-", "_"), file)
    if spec is None or spec.loader is None:
        raise ValueError(f"{file.name} must be a Python file")
    module = importlib.util.module_from_spec(spec)
    # The data classes of a file look up its module by name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    found: Callable[..., Any] | None = getattr(module, function, None)
    if not callable(found):
        raise ValueError(f"{file.name} does not define a callable {function}")
    return found


def _parse(file: Path) -> ast.Module:
    return ast.parse(file.read_bytes(), str(file))


def _defined_names(node: ast.stmt) -> list[str]:
    """Return the names that a top-level statement binds."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.ImportFrom | ast.Import):
        return [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    # Statements inside `if` and `try`, such as optional imports.
    inner = [*getattr(node, "body", []), *getattr(node, "orelse", [])]
    return [name for statement in inner for name in _defined_names(statement)]
