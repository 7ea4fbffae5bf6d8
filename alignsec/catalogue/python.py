"""`python:FILE:CALLABLE`: a user's own function or class, which builds the network in the job and only there."""

import ast
from pathlib import Path

from alignsec.catalogue.model_info import ModelInfo, UnknownModel
from alignsec.errors import nearest

SCHEME = "python:"


def read_model_info(name: str) -> ModelInfo:
    """Nothing is known before it is built. Raises UnknownModel if it is not written as FILE:CALLABLE."""
    file, _, function = name.rpartition(":")
    if not file or not function.isidentifier():
        raise UnknownModel('is not a callable in a file; write "python:my_models.py:build"')
    return ModelInfo(makes_weights=True)


def code_file(name: str) -> str:
    """The path of the file, as the study gives it."""
    return name.rpartition(":")[0]


def find_definition_error(file: Path, name: str) -> str | None:
    """Why a file does not define the callable; None if it does. The file is read, not run."""
    function = name.rpartition(":")[2]
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except (SyntaxError, ValueError) as error:
        return f"is not Python: {error}"
    defined = [name for node in tree.body for name in _names(node)]
    if function in defined:
        return None
    return f"defines no {function}; {nearest(function, defined)}" if defined else "defines nothing"


def _names(node: ast.stmt) -> list[str]:
    """The names a statement at the top of a file binds."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.ImportFrom | ast.Import):
        return [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    # Inside `if` and `try`, as where an import may be absent.
    inner = [*getattr(node, "body", []), *getattr(node, "orelse", [])]
    return [name for one in inner for name in _names(one)]
