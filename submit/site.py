"""The site: what is true of this machine and this pool, read once from .env."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from alignsec.errors import ConfigError, ConfigErrors, nearest
from alignsec.schema import StrictModel


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


def _a_folder(path: Path) -> Path:
    if path == Path():
        raise PydanticCustomError("folder", "is empty, but its files must not lie among the code; name a folder")
    return path


Folder = Annotated[Path, AfterValidator(_a_folder)]
Count = Annotated[int, Field(ge=0, le=10_000_000)]
Flag = Annotated[bool | None, BeforeValidator(_none_if_empty)]
# One line, no quotes: it stands inside a submit description.
Word = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f\"]*$")]

# A name inside a ClassAd string, where condor_submit does not take every backslash as it stands.
Plain = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.+ -]*$")]
# Of a folder, in a transfer list: no space and no comma.
Address = Annotated[
    str, Field(pattern=r"^((osdf|file)://(/[A-Za-z0-9_.+-]+)+/?|https?://[A-Za-z0-9_.:/@%~+-]+)?$")
]

# A ClassAd expression, which may hold quotes, but not another line.
Expression = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$")]


class Site(StrictModel):
    """Every key of .env, in lower case; .env itself says what each one means."""

    runs: Folder
    weights: Folder
    weights_url: Address
    images: Folder
    images_url: Address
    python: Word
    local_jobs: Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(_none_if_empty)]
    container_image: Word

    max_jobs: Annotated[int, Field(ge=1)]
    retries: Annotated[int, Field(ge=0, le=20)]
    request_cpus: Annotated[int, Field(ge=1)]
    request_gpus: Count
    request_memory_mb: Annotated[int, Field(ge=1)]
    retry_request_memory_mb: Annotated[int, Field(ge=1)]
    request_disk_mb: Annotated[int, Field(ge=1)]
    gpus_minimum_capability: Annotated[
        Annotated[float, Field(ge=0, le=100)] | None, BeforeValidator(_none_if_empty)
    ]
    gpus_minimum_memory_mb: Count
    requirements: Expression
    checkpoint_seconds: Annotated[int, Field(ge=1)]
    allowed_execute_seconds: Annotated[int, Field(ge=1)]
    held_seconds: Annotated[int, Field(ge=1)]
    transfer_retries: Annotated[int, Field(ge=0, le=100)]

    stream_output: bool

    want_gpu_lab: Flag
    gpu_job_length: Literal["", "short", "medium", "long"]
    is_resumable: Flag
    want_campus_pools: Flag
    want_ospool: Flag
    job_duration_category: Literal["", "Medium", "Long"]
    project_name: Plain

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.checkpoint_seconds >= self.allowed_execute_seconds:
            raise ValueError("CHECKPOINT_SECONDS is to be less than ALLOWED_EXECUTE_SECONDS, or every job is held")
        for key, url in (("WEIGHTS_URL", self.weights_url), ("IMAGES_URL", self.images_url)):
            if not url.startswith("file:///staging"):
                continue
            if "HasCHTCStaging" not in self.requirements:
                raise ValueError(
                    f"{key} lies on /staging, which not every machine has; "
                    "set REQUIREMENTS=(HasCHTCStaging == true)"
                )
            if self.want_ospool or self.want_campus_pools:
                raise ValueError(
                    f"{key} lies on /staging, which no machine of another pool has; "
                    f"leave WANT_OSPOOL and WANT_CAMPUS_POOLS empty, or write {key}=osdf:///..."
                )
        if self.retry_request_memory_mb < self.request_memory_mb:
            raise ValueError("RETRY_REQUEST_MEMORY_MB is to be no less than REQUEST_MEMORY_MB")
        return self

    @property
    def at_chtc(self) -> bool:
        """Whether its rules hold: container, weights or images lie in its staging, or its GPU Lab is asked for."""
        places = (self.container_image, self.weights_url, self.images_url)
        return bool(self.want_gpu_lab) or any(
            "/chtc/staging" in place or "file:///staging" in place for place in places
        )

    @property
    def job_python(self) -> str:
        """The Python that jobs outside a container are started with."""
        return self.python or sys.executable

    @classmethod
    def read(cls, path: Path, overrides: Mapping[str, str] | None = None) -> "Site":
        """Read .env. Raises Mistakes with every missing, unknown or wrong key.

        overrides: keys, as in .env, that a caller sets for itself, such as a test or the demo.
        """
        if not path.is_file():
            remedy = "is not there; take the one that came with alignsec (git checkout .env)"
            raise ConfigErrors.about(path, remedy)
        try:
            values = {**dotenv_values(path, interpolate=False), **(overrides or {})}
        except UnicodeDecodeError as error:
            raise ConfigErrors.about(path, f"is not text in UTF-8: {error}") from None
        lowered = {key.lower(): value or "" for key, value in values.items()}
        try:
            return cls.model_validate(lowered)
        except ValidationError as error:
            raise ConfigErrors([cls._error(str(path), details) for details in error.errors()]) from None

    @classmethod
    def _error(cls, file: str, details: Mapping[str, object]) -> ConfigError:
        location = details["loc"]
        assert isinstance(location, tuple)  # noqa: S101 - pydantic's documented form
        if not location:
            return ConfigError(path=file, remedy=str(details["msg"]).removeprefix("Value error, "))
        key = str(location[0]).upper()
        if details["type"] == "missing":
            return ConfigError(
                path=file,
                field=key,
                remedy=f"is missing; add the line {key}= (git show HEAD:.env has its default)",
            )
        if details["type"] == "extra_forbidden":
            known = [name.upper() for name in cls.model_fields]
            return ConfigError(path=file, field=key, remedy=f"is not a key here; {nearest(key, known)}")
        remedy = str(details["msg"]).replace("Input should be", "should be")
        return ConfigError(path=file, field=key, given=f'"{details["input"]}"', remedy=remedy)
