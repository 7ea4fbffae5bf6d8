"""Settings of the site, that is this machine and its pool: a profile of `submit/sites`, overridden by `.env`."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import classad2
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from alignsec.errors import ConfigError, ConfigErrors, nearest
from alignsec.names import find_forbidden
from alignsec.schema import StrictModel
from submit import env_file
from submit.sites import rules, staging
from submit.sites.profile import SiteProfile, profile_names, read_profile


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
        r"((osdf|file)://(/[A-Za-z0-9_.+-]+|\$ENV\(STAGING\))+/?|https?://[A-Za-z0-9_.:/@%~+-]+)?",
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


# A value of HTCondor's container_image. `docker:/x` and relative paths would hold every job.
ContainerImage = Annotated[
    PathWord,
    _pattern(
        r"(docker://[^/].*|osdf:///.+|(file|oras|https?|pelican|stash)://.+|/.+)?",
        "must be docker://NAME, osdf:///PATH, or the absolute path of a file or folder",
    ),
]


def _known_profile(name: str) -> str:
    if name not in profile_names():
        raise PydanticCustomError("site", "{remedy}", {"remedy": nearest(name, profile_names())})
    return name


SiteName = Annotated[str, AfterValidator(_known_profile)]
Jobs = Annotated[int, Field(ge=1, le=1_000_000)]
Cores = Annotated[int, Field(ge=1, le=1024)]
Gpus = Annotated[int, Field(ge=0, le=64)]
MemoryMb = Annotated[int, Field(ge=1, le=16_000_000)]
DiskMb = Annotated[int, Field(ge=1, le=100_000_000)]
# A year at most.
Seconds = Annotated[int, Field(ge=1, le=31_536_000)]


class Site(StrictModel):
    """All keys of `.env`, in lower case, with their defaults. The comments in `.env` document them."""

    site: SiteName = "local"
    """The site's profile, a file of `submit/sites`."""

    runs: Folder = Path("runs")
    weights: Folder = Path("weights")
    weights_url: TransferUrl = ""
    images: Folder = Path("images")
    images_url: TransferUrl = ""
    python: PathWord = ""
    local_jobs: Annotated[Cores | None, BeforeValidator(_none_if_empty)] = None
    container_image: ContainerImage = ""
    container_image_mb: Annotated[DiskMb | None, BeforeValidator(_none_if_empty)] = None
    docker_universe: bool = False

    max_jobs: Jobs = 1000
    retries: Annotated[int, Field(ge=0, le=20)] = 2
    retry_elsewhere_seconds: Annotated[int, Field(ge=0, le=31_536_000)] = 0
    request_cpus: Cores = 1
    request_gpus: Gpus = 0
    request_memory_mb: MemoryMb = 1024
    retry_request_memory_mb: MemoryMb = 4096
    request_disk_mb: DiskMb = 512
    gpus_minimum_capability: Annotated[
        Annotated[float, Field(ge=0, le=100)] | None, BeforeValidator(_none_if_empty)
    ] = None
    gpus_minimum_runtime: Annotated[CudaVersion | None, BeforeValidator(_none_if_empty)] = None
    gpus_minimum_memory_mb: Count = 0
    requirements: ClassAdExpression = ""
    checkpoint_seconds: Seconds = 7200
    allowed_execute_seconds: Seconds = 21_600
    held_seconds: Seconds = 3600
    transfer_retries: Annotated[int, Field(ge=0, le=100)] = 3
    notification: Literal["", "never", "error", "complete", "always"] = ""

    stream_output: bool = True

    want_gpu_lab: Flag = None
    gpu_job_length: Literal["", "short", "medium", "long"] = ""
    is_resumable: Flag = None
    want_campus_pools: Flag = None
    want_ospool: Flag = None
    job_duration_category: Literal["", "Medium", "Long"] = ""
    project_name: ClassAdName = ""

    @property
    def profile(self) -> SiteProfile:
        """The rules of the site."""
        return read_profile(self.site)

    @property
    def job_python(self) -> str:
        """The Python of jobs without a container."""
        return self.python or sys.executable

    @classmethod
    def read(
        cls,
        path: Path,
        overrides: Mapping[str, str] | None = None,
        *,
        site: str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> "Site":
        """Read the settings of a site.

        A key that neither `.env` nor the caller gives has the default of the site's profile.

        Args:
            path: The `.env` file.
            overrides: Keys, as in `.env`, that the caller sets, such as a test or the demo.
            site: The name of the profile; by default, SITE of the settings.
            environ: The caller's environment, for $ENV(STAGING); empty by default.

        Raises:
            ConfigErrors: The file cannot be read, or keys are unknown, invalid or contradict each other or the
                site's rules. All are reported together.
        """
        given = {**(overrides or {}), **({"SITE": site} if site else {})}
        settings, errors = cls.read_usable(path, given, environ or {})
        if errors:
            raise ConfigErrors(errors)
        return settings

    @classmethod
    def read_usable(
        cls, path: Path, overrides: Mapping[str, str], environ: Mapping[str, str]
    ) -> tuple["Site", list[ConfigError]]:
        """Read the settings of a site; return them with defaults for invalid keys, and all errors.

        The arguments are those of `read`.

        Raises:
            ConfigErrors: The file cannot be read.
        """
        given = {**env_file.read_settings(path), **overrides}
        name = given.get("SITE", "local")
        defaults = read_profile(name).settings if name in profile_names() else {}
        variable = environ.get("STAGING", "")
        values = {
            key.lower(): value.replace(staging.VARIABLE, variable) if variable else value
            for key, value in {**defaults, **given}.items()
        }
        errors: list[ConfigError] = []
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            errors = [cls._error(path, details) for details in error.errors()]
            invalid = {one.field for one in errors}
            settings = cls.model_validate({key: values[key] for key in values if key.upper() not in invalid})
        return settings, [*errors, *rules.find_errors(settings, path, {one.field for one in errors})]

    @classmethod
    def _error(cls, file: Path, details: Mapping[str, object]) -> ConfigError:
        location = details["loc"]
        assert isinstance(location, tuple)  # noqa: S101 - pydantic's documented form
        key = str(location[0]).upper()
        if details["type"] == "extra_forbidden":
            known = [name.upper() for name in cls.model_fields]
            return ConfigError(path=file, field=key, remedy=f"unknown key; {nearest(key, known)}")
        # pydantic's messages end in how it failed, such as "unable to parse string as an integer".
        expected = str(details["msg"]).replace("Input should be", "must be").partition(", unable to")[0]
        remedy = expected.replace("a valid boolean", "true or false").replace("a valid integer", "an integer")
        return ConfigError(path=file, field=key, given=f'"{details["input"]}"', remedy=remedy)
