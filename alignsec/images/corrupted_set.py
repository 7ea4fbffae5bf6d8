"""Corrupted sets: the chosen images under a corruption, where they lie on disk as ImageNet-C does."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from PIL import Image

from alignsec.errors import ConfigErrors, nearest
from alignsec.images import imagenet
from alignsec.images.pack import UNDECODABLE, Candidate


def find(folder: Path, kind: str, severity: int, chosen: Sequence[Candidate]) -> list[Candidate]:
    """The images of `folder/kind/severity` that are the chosen ones, under their names and labels.

    An image may lie there under its own name, or in its class's folder where that name does not say it. Raises
    Mistakes where there is no such folder, or where images are missing.
    """
    place = folder / kind / str(severity)
    if not place.is_dir():
        there = [path.name for path in folder.iterdir() if path.is_dir()]
        why = nearest(kind, there) if kind not in there and there else "is the set unpacked whole?"
        raise ConfigErrors.about(place, f"is no folder of corrupted images; {why}")
    classes = sorted(path.name for path in place.iterdir() if path.is_dir())
    if imagenet.labels().keys() >= set(classes):
        classes = list(imagenet.labels())
    found, missing = [], []
    for image in chosen:
        path = next((path for path in _places(place, classes, image) if path.is_file()), None)
        if path is None:
            missing.append(image.name)
        else:
            found.append(replace(image, path=path, offset=0, size=None))
    if missing:
        remedy = f"holds no image for {len(missing)} of the {len(chosen)} chosen ones, such as {missing[0]}"
        raise ConfigErrors.about(place, remedy)
    if found and (size := _size(found[0])) and size[0] != size[1]:
        remedy = (
            f"is {size[0]} x {size[1]}; a set of corrupted images has them cropped square, ImageNet-C 224 x 224"
        )
        raise ConfigErrors.about(found[0].path, remedy)
    return found


def _size(image: Candidate) -> tuple[int, int] | None:
    """Width and height; None where it is no image, which is told when it is packed."""
    try:
        with Image.open(image.path) as picture:
            return picture.size
    except UNDECODABLE:
        return None


def _places(place: Path, classes: Sequence[str], image: Candidate) -> Iterator[Path]:
    """Where an image may be: a flat set does not say its class's folder, so the label does."""
    yield place / image.name
    if image.label < len(classes):
        yield place / classes[image.label] / PurePosixPath(image.name).name
