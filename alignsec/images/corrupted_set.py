"""Sets of corrupted images: the files of the chosen images under one corruption, in ImageNet-C's layout."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from PIL import Image

from alignsec.errors import ConfigErrors, nearest
from alignsec.images import imagenet
from alignsec.images.pack import UNDECODABLE, Candidate


def find_images(folder: Path, corruption: str, severity: int, chosen: Sequence[Candidate]) -> list[Candidate]:
    """Return the corrupted versions of the chosen images, with the same names and labels.

    An image is either at its own name below `folder/corruption/severity`, or in the folder of its class there.

    Args:
        folder: The set of corrupted images.
        corruption: The folder of one corruption type.
        severity: The severity, from 1 to 5.
        chosen: The clean images.

    Raises:
        ConfigErrors: If the folder or an image is missing, or the images are not square.
    """
    settings = folder / corruption / str(severity)
    if not settings.is_dir():
        types = [path.name for path in folder.iterdir() if path.is_dir()]
        why = (
            nearest(corruption, types) if corruption not in types and types else "is the set unpacked completely?"
        )
        raise ConfigErrors.about(settings, f"is not a folder of corrupted images; {why}")
    found = _find_files(settings, chosen)
    if found:
        _check_square(found[0])
    return found


def _find_files(settings: Path, chosen: Sequence[Candidate]) -> list[Candidate]:
    classes = sorted(path.name for path in settings.iterdir() if path.is_dir())
    if imagenet.labels_by_wordnet_id().keys() >= set(classes):
        classes = list(imagenet.labels_by_wordnet_id())
    found, missing = [], []
    for image in chosen:
        path = next((path for path in _possible_paths(settings, classes, image) if path.is_file()), None)
        if path is None:
            missing.append(image.name)
        else:
            found.append(replace(image, path=path, offset=0, size=None))
    if missing:
        remedy = f"has no image for {len(missing)} of the {len(chosen)} chosen images, such as {missing[0]}"
        raise ConfigErrors.about(settings, remedy)
    return found


def _possible_paths(settings: Path, classes: Sequence[str], image: Candidate) -> Iterator[Path]:
    """Yield the path with the image's own name, then the path in its class folder, which a flat name lacks."""
    yield settings / image.name
    if image.label < len(classes):
        yield settings / classes[image.label] / PurePosixPath(image.name).name


def _check_square(image: Candidate) -> None:
    """Raise ConfigErrors if an image is not square. An undecodable image is reported when it is packed."""
    try:
        with Image.open(image.path) as picture:
            width, height = picture.size
    except UNDECODABLE:
        return
    if width != height:
        remedy = f"is {width} x {height}; corrupted images must be cropped square, as ImageNet-C's 224 x 224"
        raise ConfigErrors.about(image.path, remedy)
