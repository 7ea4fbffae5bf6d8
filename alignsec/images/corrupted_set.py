"""Sets of corrupted images: the files of the chosen images under one corruption, in ImageNet-C's layout."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from alignsec.errors import ConfigErrors, nearest
from alignsec.images import class_names, decoding
from alignsec.images.pack import Candidate


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
    names = sorted(path.name for path in settings.iterdir() if path.is_dir())
    stated = ((class_names.find_label(name), name) for name in names)
    classes = {label[1]: name for label, name in stated if label}
    root = settings.resolve()
    found, missing = [], []
    for image in chosen:
        path = next((path for path in _possible_paths(settings, classes, image) if _is_inside(path, root)), None)
        if path is None:
            missing.append(image.name)
        else:
            found.append(replace(image, path=path, offset=0, size=None))
    if missing:
        remedy = (
            f"has no image for {len(missing)} of the {len(chosen)} chosen images, such as {missing[0]}; expected "
            "its own name, or a class folder named by WordNet id or label; links out of the folder do not count"
        )
        raise ConfigErrors.about(settings, remedy)
    return found


def _is_inside(path: Path, root: Path) -> bool:
    """Return whether a path is a file in a folder, also after its links are resolved."""
    try:
        return path.is_file() and path.resolve().is_relative_to(root)
    except (OSError, RuntimeError, ValueError):
        return False


def _possible_paths(settings: Path, classes: Mapping[int, str], image: Candidate) -> Iterator[Path]:
    """Yield the path with the image's own name, then the path in its class folder, which a flat name lacks."""
    yield settings / image.name
    if image.label in classes:
        yield settings / classes[image.label] / PurePosixPath(image.name).name


def _check_square(image: Candidate) -> None:
    """Raise ConfigErrors if an image is not square. An undecodable image is reported when it is packed."""
    try:
        with decoding.open_image(image.read()) as picture:
            width, height = picture.size
    except decoding.UNDECODABLE:
        return
    if width != height:
        remedy = f"is {width} x {height}; corrupted images must be cropped square, as ImageNet-C's 224 x 224"
        raise ConfigErrors.about(image.path, remedy)
