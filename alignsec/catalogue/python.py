"""The source `python:FILE:CALLABLE`: a user's function or class that builds the network; only jobs run it."""

import ast
from pathlib import Path

from alignsec.catalogue.model_info import ModelInfo, UnknownModelError
from alignsec.errors import nearest

SCHEME = "python:"


def read_model_info(name: str) -> ModelInfo:
    """Return a model without published properties.

    Raises:
        UnknownModelError: If the name does not have the form FILE:CALLABLE.
    """
    file, _, function = name.rpartition(":")
    if not file or not function.isidentifier():
        raise UnknownModelError('is not a callable in a file; write "python:my_models.py:build"')
    return ModelInfo(makes_weights=True)


def code_file(name: str) -> str:
    """Return the path of the file as the study states it."""
    return name.rpartition(":")[0]


def find_definition_error(file: Path, name: str) -> str | None:
    """Return why a file does not define the callable, or None if it does. The file is parsed, not run.

    Args:
        file: The Python file.
        name: A source or name that ends in `:CALLABLE`.
    """
    function = name.rpartition(":")[2]
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except (SyntaxError, ValueError) as error:
        return f"is not valid Python: {error}"
    defined = [name for node in tree.body for name in _defined_names(node)]
    if function in defined:
        return None
    return f"does not define {function}; {nearest(function, defined)}" if defined else "defines nothing"


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
