"""Reading a study's image source, and selecting the images that the study attacks."""

import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from alignsec.errors import ConfigError, ConfigErrors
from alignsec.images.pack import Candidate
from alignsec.names import find_forbidden
from alignsec.study.images import StudyImages
from submit.images import class_folders, labelling, parquet, sampling, webdataset
from submit.images.files import MOST_ERRORS, Archive, Folder
from submit.images.label_origin import LabelOrigin

Gather = Callable[[Sequence[Candidate], Path], list[Candidate]]
"""Copies selected images into a new file at the given path, and returns them with their position in that file."""


@dataclass(frozen=True)
class ImageSet:
    """The labelled images of one source."""

    images: list[Candidate]
    origin: LabelOrigin
    gather: Gather | None = None
    """Required before the images can be read; None if each image can be read from its source directly."""


def read_source(source: StudyImages) -> ImageSet:
    """Return every labelled image of a study's source.

    Raises:
        ConfigErrors: All errors of the source.
    """
    if source.shards:
        found = _read_shards(source.shards)
    else:
        files = Folder(source.folder) if source.folder else Archive(source.archive or Path())
        found = ImageSet(
            *(
                labelling.label_by_file(files, source.labels)
                if source.labels
                else class_folders.label_by_folder(files, source.class_order)
            )
        )
    place = source.folder or source.archive or (source.shards or (Path(),))[0].parent
    if errors := list(islice(_name_errors(place, found.images), MOST_ERRORS)):
        raise ConfigErrors(errors)
    return found


def _name_errors(place: Path, images: Iterable[Candidate]) -> Iterator[ConfigError]:
    """Yield an error for each name that a manifest, a report or a terminal cannot show as it is."""
    for image in images:
        if remedy := find_forbidden(image.name):
            remedy = f"has a file name with {remedy}; rename it"
            yield ConfigError(path=ascii(f"{place}/{image.name}"), remedy=remedy)


def select_images(source: StudyImages, found: ImageSet, seed: int) -> list[Candidate]:
    """Return the images that a study attacks.

    Args:
        source: The study's image settings.
        found: All images of the source.
        seed: The study's seed, used if the image settings have none.

    Raises:
        ConfigErrors: All errors of the study's list of images.
    """
    if source.list:
        return sampling.select_listed(found.images, source.list)
    seed = seed if source.seed is None else source.seed
    return sampling.sample(found.images, source.count, seed, stratified=source.stratified)


def _read_shards(shards: Sequence[Path]) -> ImageSet:
    formats = {shard: _shard_format(shard) for shard in shards}
    if len(set(formats.values())) > 1 or None in formats.values():
        odd = next(shard for shard in shards if formats[shard] in {None, "tar"})
        remedy = "must be parquet or tar, and all shards must have the same format"
        raise ConfigErrors.about(odd, remedy)
    is_parquet = "parquet" in formats.values()
    images = parquet.read_shards(shards) if is_parquet else webdataset.read_shards(shards)
    if not images:
        raise ConfigErrors.about(shards[0], "contains no images, and neither do the other shards")
    if repeated := [name for name, times in Counter(image.name for image in images).items() if times > 1]:
        remedy = f"is the name of several images, like {len(repeated) - 1} other names; is a shard listed twice?"
        raise ConfigErrors([ConfigError(path=shards[0].parent, given=f'"{repeated[0]}"', remedy=remedy)])
    return ImageSet(images, LabelOrigin("stated in the shards"), parquet.gather_rows if is_parquet else None)


def _shard_format(shard: Path) -> str | None:
    """Return "parquet" or "tar" from the file's first bytes, because suffixes differ between image sets."""
    with shard.open("rb") as file:
        if file.read(4) == b"PAR1":
            return "parquet"
    return "tar" if shard.suffix == ".tar" or tarfile.is_tarfile(shard) else None
