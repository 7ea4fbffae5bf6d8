"""Methods: the values of `method` in an `[[attacks]]` table, and the default name of an attack."""

from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from alignsec.spec import custom
from alignsec.spec.components import methods


def _check_method(method: str) -> str:
    """Raise the error that pydantic raises for a Literal, so that the message lists the choices."""
    if method in (known := methods()) or custom.is_custom(method):
        return method
    *most, last = (f"'{name}'" for name in (*known, "python:FILE:CALLABLE"))
    expected = {"expected": f"{', '.join(most)} or {last}"}
    raise PydanticCustomError("literal_error", "Input should be {expected}", expected)


Method = Annotated[str, AfterValidator(_check_method)]
"""A key of `alignsec.spec.components.methods`: "clean", "corruption", "autoattack" or the name of a component; or
a user's own attack, see `alignsec.spec.custom`."""


def default_name(method: str, norm: object) -> str:
    """Return the name of an attack that a study does not name: the method, and the norm if there is one."""
    method = method.rpartition(":")[2] if custom.is_custom(method) else method
    return f"{method}-{norm}" if isinstance(norm, str) else method
