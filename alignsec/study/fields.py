"""Field types of study files: names, dates, seeds and paths."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from alignsec.names import NAME_PATTERN
from alignsec.schema import StrictModel


def _resolve(path: Path, info: ValidationInfo) -> Path:
    """Resolve a path relative to the study file, so that a study can be moved together with its data."""
    try:
        full = (info.context["folder"] / path.expanduser()).resolve() if info.context else path
        if full.exists() or (info.context and not info.context["files_must_exist"]):
            return full
    except (OSError, RuntimeError) as error:  # name too long, permission denied, ~ of an unknown user
        raise PydanticCustomError("path", "cannot be checked: {why}", {"why": str(error)}) from None
    raise PydanticCustomError("path", "does not exist (looked for {full})", {"full": str(full)})


def _check_file(path: Path) -> Path:
    if path.is_dir():
        raise PydanticCustomError("path", "is a folder; give a file")
    return path


def _check_folder(path: Path) -> Path:
    if path.exists() and not path.is_dir():
        raise PydanticCustomError("path", "is a file; give a folder")
    return path


ExistingFile = Annotated[Path, AfterValidator(_resolve), AfterValidator(_check_file)]
ExistingFolder = Annotated[Path, AfterValidator(_resolve), AfterValidator(_check_folder)]
Line = Annotated[str, Field(max_length=1000, pattern=NAME_PATTERN)]
"""A text of one line."""
Name = Annotated[str, Field(min_length=1, max_length=120, pattern=NAME_PATTERN)]
RUN_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
RunName = Annotated[str, Field(pattern=RUN_NAME_PATTERN)]
DATE_PATTERN = r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$"
Date = Annotated[str, Field(pattern=DATE_PATTERN)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class StudyTable(StrictModel):
    """A table of a study file. An unknown key is an error."""
