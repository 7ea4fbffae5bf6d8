"""Cache files: JSON that can be rebuilt. A damaged one is ignored with a warning and written again."""

import sys
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from alignsec import bounded, limits, terminal

C = TypeVar("C", bound=BaseModel)


def read_cache(path: Path, form: type[C], version: int) -> C | None:
    """Return the content of a cache, or None if it is missing, damaged, too large or of another version.

    Args:
        path: The file.
        form: The content, with a field `schema_version`.
        version: The version that the caller can use. Another version is ignored without a warning.
    """
    try:
        content = form.model_validate_json(bounded.read_bytes(path, limits.CACHE_BYTES))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        if first["loc"] == ("schema_version",):
            return None
        reason = f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
    except (OSError, ValueError) as error:
        reason = str(error)
    else:
        return content if getattr(content, "schema_version", None) == version else None
    terminal.write(sys.stderr, f"warning: {path}: is a damaged cache and is rebuilt ({reason[:200]})\n")
    return None
