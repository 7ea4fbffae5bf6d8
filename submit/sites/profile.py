"""Profile of a site: its default settings and its rules, read from one TOML file in this folder."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Literal

from alignsec.schema import StrictModel

FOLDER = Path(__file__).parent

TransferScheme = Literal["", "osdf", "file"]
"""How an input reaches a job. Empty: HTCondor copies it from the access point."""


class TransferClass(StrictModel):
    """Size limit of one transfer method."""

    scheme: TransferScheme
    below_gb: int
    weights_remedy: str
    """What to do about weights that are larger."""
    images_remedy: str
    """What to do about images that are larger."""


class Queue(StrictModel):
    """Longest run time of a job, by the value of a setting."""

    key: str
    """The setting, such as GPU_JOB_LENGTH."""
    value: str
    hours: int

    @property
    def seconds(self) -> int:
        """The longest run time in seconds."""
        return self.hours * 3600


class Limits(StrictModel):
    """Quotas of one user. None: the site has no such limit."""

    submission_jobs: int | None = None
    """Jobs in the queue from one submission."""
    queued_jobs: int | None = None
    """Jobs in the queue from all submissions."""
    home_gb: int | None = None
    staging_gb: int | None = None
    staging_items: int | None = None
    """Files and folders in the staging folder."""
    page: str = ""
    """The page that states the quotas."""


class Staging(StrictModel):
    """The site's staging area, a folder of the access point whose files jobs receive by URL."""

    root: str
    """The folder on the access point, such as /staging."""
    url: str
    """Prefix that turns a path under `root` into a URL, such as osdf:///chtc."""
    requirement: str = ""
    """Attribute of the machines that mount the staging area; empty: none does."""
    by_letter: bool = False
    """A user's folder is below the first letter of the user name."""
    page: str
    """The page that states the form of paths."""

    def local_path(self, url: str) -> Path | None:
        """Return the path on the access point of a URL, or None if it is not in the staging area."""
        path = url.removeprefix("file://" if url.startswith("file:") else self.url)
        return Path(path) if path != url and path.startswith(f"{self.root}/") else None


class SiteProfile(StrictModel):
    """Default settings and rules of one site. The file's comments give the reasons."""

    title: str
    pages: tuple[str, ...]
    """The pages that the rules are from."""
    settings: dict[str, str] = {}
    """Defaults of this site, by key of `.env`; all other keys have the defaults of `Site`."""
    attributes: tuple[str, ...] = ()
    """Keys of site attributes that this site knows; the others are refused."""
    required: tuple[str, ...] = ()
    """Keys that must have a value."""
    gpu_attributes: tuple[str, ...] = ()
    """Keys that must be true for jobs that request a GPU."""
    machine_attributes: tuple[str, ...] = ()
    """Attributes that the site's machines advertise in addition to HTCondor's own. If empty, any attribute is
    accepted in REQUIREMENTS."""
    image_mb: int
    """Size that is assumed for a container image whose size is unknown."""
    limits: Limits = Limits()
    staging: Staging | None = None
    transfer: tuple[TransferClass, ...] = ()
    """Size limits by transfer method; empty: none."""
    queues: tuple[Queue, ...] = ()

    def transfer_class(self, scheme: TransferScheme) -> TransferClass | None:
        """Return the size limit of a transfer method, or None if the site states none."""
        return next((one for one in self.transfer if one.scheme == scheme), None)


@cache
def profile_names() -> tuple[str, ...]:
    """Return the names of all sites: the names of the TOML files in this folder."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


@cache
def read_profile(name: str) -> SiteProfile:
    """Return the profile of a site.

    Args:
        name: One of `profile_names()`.
    """
    return SiteProfile.model_validate(tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8")))
