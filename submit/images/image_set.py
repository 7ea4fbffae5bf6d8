"""Image sets: every image that a study could choose, wherever it lies, and the ones it chooses."""

import tarfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from alignsec.errors import ConfigError, ConfigErrors
from alignsec.images.pack import Candidate
from alignsec.study.images import StudyImages
from submit.images import choice, labelling, parquet, webdataset
from submit.images.files import Archive, Folder

Gather = Callable[[Sequence[Candidate], Path], list[Candidate]]
"""Brings chosen images to where each can be read by itself, with a new file to put them in."""


@dataclass(frozen=True)
class ImageSet:
    """The images of one source."""

    images: list[Candidate]
    gather: Gather | None = None
    """None where each image can be read where it is."""


def read(asked: StudyImages) -> ImageSet:
    """Every labelled image of a study's source. Raises Mistakes with all that is wrong with it."""
    if asked.shards:
        return _sharded(asked.shards)
    where = Folder(asked.folder) if asked.folder else Archive(asked.archive or Path())
    return ImageSet(labelling.by_file(where, asked.labels) if asked.labels else labelling.by_folder(where))


def chosen(asked: StudyImages, found: ImageSet, seed: int) -> list[Candidate]:
    """The images that a study attacks. seed: the study's, where its images have none.

    Raises Mistakes with all that is wrong with the study's list.
    """
    if asked.list:
        return choice.listed(found.images, asked.list)
    seed = seed if asked.seed is None else asked.seed
    return choice.choose(found.images, asked.count, seed, stratified=asked.stratified)


def _sharded(shards: Sequence[Path]) -> ImageSet:
    kinds = {shard: _kind(shard) for shard in shards}
    if len(set(kinds.values())) > 1 or None in kinds.values():
        odd = next(shard for shard in shards if kinds[shard] in {None, "tar"})
        remedy = "is neither parquet nor tar, or stands among shards of the other kind; give shards of one kind"
        raise ConfigErrors.about(odd, remedy)
    parquets = "parquet" in kinds.values()
    images = parquet.read(shards) if parquets else webdataset.read(shards)
    if not images:
        raise ConfigErrors.about(shards[0], "holds no images, nor do the shards beside it")
    if twice := [name for name, times in Counter(image.name for image in images).items() if times > 1]:
        remedy = f"is the name of several images, as {len(twice) - 1} others are; is a shard listed twice?"
        raise ConfigErrors([ConfigError(path=shards[0].parent, given=f'"{twice[0]}"', remedy=remedy)])
    return ImageSet(images, parquet.gather if parquets else None)


def _kind(shard: Path) -> str | None:
    """By its first bytes: endings differ from set to set."""
    with shard.open("rb") as file:
        if file.read(4) == b"PAR1":
            return "parquet"
    return "tar" if shard.suffix == ".tar" or tarfile.is_tarfile(shard) else None
