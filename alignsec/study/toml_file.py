"""Reading of a study file as TOML, with limits on its size, its nesting and its integers."""

import tomllib
from pathlib import Path
from typing import Any

from alignsec import bounded, limits
from alignsec.errors import ConfigErrors


def read_tables(path: Path) -> dict[str, Any]:
    """Return the tables of a study file. A byte order mark at its beginning is ignored.

    Raises:
        ConfigErrors: The file cannot be read, is not TOML, or exceeds a limit.
    """
    try:
        data = bounded.read_bytes(path, limits.STUDY_BYTES)
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise ConfigErrors.about(path, "is not valid TOML: it is UTF-16 text; save it as UTF-8")
        tables = tomllib.loads(data.decode("utf-8-sig"))
    except OSError as error:
        raise ConfigErrors.about(path, f"cannot be read: {error.strerror}") from None
    except bounded.TooLargeError as error:
        raise ConfigErrors.about(path, str(error)) from None
    except RecursionError:
        raise ConfigErrors.about(path, _too_deep()) from None
    except ValueError as error:  # also UnicodeDecodeError, and an integer of more than 4300 digits
        raise ConfigErrors.about(path, f"is not valid TOML: {error}") from None
    if remedy := _find_excess(tables):
        raise ConfigErrors.about(path, remedy)
    return tables


def _too_deep() -> str:
    return f"has tables or lists nested more than {limits.NESTING} levels deep; use fewer levels"


def _find_excess(tables: dict[str, Any]) -> str:
    """Return what exceeds a limit, or an empty text."""
    todo: list[tuple[object, int]] = [(tables, 0)]
    while todo:
        value, depth = todo.pop()
        if depth > limits.NESTING:
            return _too_deep()
        if isinstance(value, dict | list):
            todo += [(part, depth + 1) for part in (value.values() if isinstance(value, dict) else value)]
        elif isinstance(value, int) and not -limits.LARGEST_INTEGER - 1 <= value <= limits.LARGEST_INTEGER:
            return "is not valid TOML: it has an integer of more than 64 bits; write a smaller one, or text"
    return ""
