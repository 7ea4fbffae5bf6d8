"""What the tables of a study file have in common: strictness, names, seeds, and paths that must lead somewhere."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from alignsec.schema import StrictModel


def _existing(path: Path, info: ValidationInfo) -> Path:
    """Paths in a study are relative to the study file, so that a study can be moved with its data."""
    try:
        full = (info.context["folder"] / path.expanduser()).resolve() if info.context else path
        if full.exists() or (info.context and not info.context["files_must_exist"]):
            return full
    except (OSError, RuntimeError) as error:  # a name too long, no permission to look, ~somebody unknown
        raise PydanticCustomError("path", "cannot be looked for: {why}", {"why": str(error)}) from None
    raise PydanticCustomError("path", "does not exist (looked for {full})", {"full": str(full)})


def _file(path: Path) -> Path:
    if path.is_dir():
        raise PydanticCustomError("path", "is a folder; give a file")
    return path


def _folder(path: Path) -> Path:
    if path.exists() and not path.is_dir():
        raise PydanticCustomError("path", "is a file; give a folder")
    return path


ExistingFile = Annotated[Path, AfterValidator(_existing), AfterValidator(_file)]
ExistingFolder = Annotated[Path, AfterValidator(_existing), AfterValidator(_folder)]
Name = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]*$")]
DATE_PATTERN = r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$"
Date = Annotated[str, Field(pattern=DATE_PATTERN)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class Table(StrictModel):
    """A table of a study file: a key that is not known is a error."""
