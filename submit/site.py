"""Settings of the site, that is this machine and its pool, read from `.env`."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

import classad2
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from alignsec.errors import ConfigError, ConfigErrors, nearest
from alignsec.names import find_forbidden
from alignsec.schema import StrictModel
from submit import env_file


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


def _expand_home(text: str) -> str:
    """Replace `~` at the beginning of a path by the home folder."""
    if not text.startswith("~"):
        return text
    try:
        return str(Path(text).expanduser())
    except RuntimeError:  # ~ of an unknown user
        raise PydanticCustomError(
            "folder", "begins with ~ and an unknown user name; write the whole path"
        ) from None


def _check_folder(path: Path) -> Path:
    if path == Path():
        raise PydanticCustomError("folder", "must name a folder; empty, it would mean the folder of the code")
    if "$" in str(path) or find_forbidden(str(path)):
        raise PydanticCustomError(
            "folder", "must be a path without $ and control characters; write the whole path"
        )
    return Path(_expand_home(str(path)))


def _pattern(pattern: str, remedy: str) -> AfterValidator:
    """Return a validator for texts that match a pattern as a whole; `remedy` is its message."""

    def validate(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise PydanticCustomError("pattern", remedy)
        return text

    return AfterValidator(validate)


Folder = Annotated[Path, AfterValidator(_check_folder)]
Count = Annotated[int, Field(ge=0, le=10_000_000)]
Flag = Annotated[bool | None, BeforeValidator(_none_if_empty)]
# One line without quotes, because it becomes part of a submit description.
Word = Annotated[str, _pattern(r"[^\x00-\x1f\x7f\"]*", "must be one line without double quotes")]
PathWord = Annotated[Word, AfterValidator(_expand_home)]
# The content of a ClassAd string. Without backslashes, because condor_submit changes some of them.
ClassAdName = Annotated[str, _pattern(r"[A-Za-z0-9_.+ -]*", "must consist of letters, digits, spaces and _ . + -")]
# A version as condor_submit accepts it; 0 turns the request off.
CudaVersion = Annotated[
    str, _pattern(r"(?!0)[0-9]{1,2}\.[0-9]|0", "must be a version of CUDA, such as 13.0; or 0 for any version")
]
# A folder in a transfer list, which separates its entries by commas and spaces.
TransferUrl = Annotated[
    str,
    _pattern(
        r"((osdf|file)://(/[A-Za-z0-9_.+-]+)+/?|https?://[A-Za-z0-9_.:/@%~+-]+)?",
        "must be empty, osdf:///FOLDER, file:///FOLDER or https://HOST/FOLDER, without spaces and commas",
    ),
]


def _parsable(text: str) -> str:
    """Refuse an expression that does not parse on its own: the schedd would refuse every job, after submission."""
    try:
        if text.strip():
            classad2.ExprTree(text)
    except (classad2.ClassAdException, ValueError):
        remedy = "is not a ClassAd expression; check parentheses, quotes and operators (== and &&, not = and and)"
        raise PydanticCustomError("expression", remedy) from None
    return text


# A ClassAd expression; quotes are allowed. The limit keeps the recursive parser within its stack.
ClassAdExpression = Annotated[
    str,
    _pattern(r"[^\x00-\x1f\x7f]{0,4000}", "must be one line of at most 4,000 characters"),
    AfterValidator(_parsable),
]


class Site(StrictModel):
    """All keys of `.env`, in lower case. The comments in `.env` document them."""

    runs: Folder
    weights: Folder
    weights_url: TransferUrl
    images: Folder
    images_url: TransferUrl
    python: PathWord
    local_jobs: Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(_none_if_empty)]
    container_image: PathWord

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
    gpus_minimum_runtime: Annotated[CudaVersion | None, BeforeValidator(_none_if_empty)]
    gpus_minimum_memory_mb: Count
    requirements: ClassAdExpression
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
    project_name: ClassAdName

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.checkpoint_seconds >= self.allowed_execute_seconds:
            raise ValueError(
                "CHECKPOINT_SECONDS must be less than ALLOWED_EXECUTE_SECONDS; otherwise HTCondor holds every job"
            )
        for key, url in (("WEIGHTS_URL", self.weights_url), ("IMAGES_URL", self.images_url)):
            if not url.startswith("file:///staging"):
                continue
            if "HasCHTCStaging" not in self.requirements:
                raise ValueError(
                    f"{key} is on /staging, which not every machine has; set REQUIREMENTS=(HasCHTCStaging == true)"
                )
            if self.want_ospool or self.want_campus_pools:
                raise ValueError(
                    f"{key} is on /staging, which no machine outside CHTC's pool has; "
                    f"leave WANT_OSPOOL and WANT_CAMPUS_POOLS empty, or set {key}=osdf:///..."
                )
        if self.retry_request_memory_mb < self.request_memory_mb:
            raise ValueError("RETRY_REQUEST_MEMORY_MB must be at least REQUEST_MEMORY_MB")
        return self

    @property
    def at_chtc(self) -> bool:
        """True if CHTC's rules apply: the container, weights or images are in its staging, or WANT_GPU_LAB is
        set."""
        places = (self.container_image, self.weights_url, self.images_url)
        return bool(self.want_gpu_lab) or any(
            "/chtc/staging" in place or "file:///staging" in place for place in places
        )

    @property
    def job_python(self) -> str:
        """The Python of jobs without a container."""
        return self.python or sys.executable

    @classmethod
    def read(cls, path: Path, overrides: Mapping[str, str] | None = None) -> "Site":
        """Read the settings of a site.

        Args:
            path: The `.env` file.
            overrides: Keys, as in `.env`, that the caller sets, such as a test or the demo.

        Raises:
            ConfigErrors: The file cannot be read, or keys are missing, unknown or invalid. All are reported
                together.
        """
        values = {**env_file.read_settings(path), **(overrides or {})}
        lowered = {key.lower(): value for key, value in values.items()}
        try:
            return cls.model_validate(lowered)
        except ValidationError as error:
            raise ConfigErrors([cls._error(path, details) for details in error.errors()]) from None

    @classmethod
    def _error(cls, file: Path, details: Mapping[str, object]) -> ConfigError:
        location = details["loc"]
        assert isinstance(location, tuple)  # noqa: S101 - pydantic's documented form
        if not location:
            return ConfigError(path=file, remedy=str(details["msg"]).removeprefix("Value error, "))
        key = str(location[0]).upper()
        if details["type"] == "missing":
            return ConfigError(
                path=file,
                field=key,
                remedy=f"is missing; add a line {key}=VALUE (to see the default, run: git show HEAD:.env)",
            )
        if details["type"] == "extra_forbidden":
            known = [name.upper() for name in cls.model_fields]
            return ConfigError(path=file, field=key, remedy=f"unknown key; {nearest(key, known)}")
        # pydantic's messages end in how it failed, such as "unable to parse string as an integer".
        expected = str(details["msg"]).replace("Input should be", "must be").partition(", unable to")[0]
        remedy = expected.replace("a valid boolean", "true or false").replace("a valid integer", "an integer")
        return ConfigError(path=file, field=key, given=f'"{details["input"]}"', remedy=remedy)
