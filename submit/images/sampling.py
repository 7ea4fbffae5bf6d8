"""Selecting the images of a set that a study attacks: by a seed, or by a list of names."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from alignsec import bounded, digest, limits
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.images import imagenet
from alignsec.images.pack import Candidate


def sample(
    found: Sequence[Candidate], count: int | None, seed: int, *, stratified: bool = False
) -> list[Candidate]:
    """Return the first images of an order that depends only on the seed and the names.

    The order is that of SHA-256 of seed and name. It is the same on every machine and for every order of `found`.
    A larger count keeps the images of a smaller one and adds others.

    Args:
        found: All images.
        count: Number of images; None selects all.
        seed: Seed of the order.
        stratified: Take one image of every class before a second one of any class. The numbers of images per class
            then differ by at most one while all classes have images left.

    Returns:
        The selected images, sorted by name.
    """
    shuffled = sorted(found, key=lambda candidate: _sort_key(seed, candidate.name))
    if stratified:
        next_rank: dict[int, int] = defaultdict(int)
        rank = {}
        for image in shuffled:
            rank[image.name] = next_rank[image.label]
            next_rank[image.label] += 1
        shuffled.sort(key=lambda image: (rank[image.name], _sort_key(seed, f"class {image.label}")))
    return sorted(shuffled[:count], key=lambda candidate: candidate.name)


def _sort_key(seed: int, text: str) -> str:
    return digest.sha256_of_bytes(f"{seed}\0{text}".encode())


def select_listed(found: Sequence[Candidate], names: Path) -> list[Candidate]:
    """Return the images that a file names, one per line, such as RobustBench's list of 5000.

    A line is `CLASS/FILE` or `FILE`. It selects the image of that name; otherwise ImageNet's validation image of
    that number; otherwise the only image with that file name in any folder.

    Args:
        found: All images.
        names: The file of names. Empty lines and lines that start with # are ignored.

    Returns:
        The listed images, sorted by name.

    Raises:
        ConfigErrors: An error for each line that selects no image or several, that is repeated, or whose class
            folder is an ImageNet class other than the image's label.
    """
    try:
        lines = bounded.read_bytes(names, limits.TABLE_BYTES).decode("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigErrors.about(names, f"cannot be read: {error}") from None
    known: dict[str, list[Candidate]] = defaultdict(list)
    for image in found:
        for key in {image.name, imagenet.find_validation_image(image.name) or image.name, _base_name(image.name)}:
            known[key].append(image)
    chosen: dict[str, Candidate] = {}
    errors = []
    for number, line in enumerate(lines, start=1):
        if not (name := line.strip()) or name.startswith("#"):
            continue
        keys = (name, imagenet.find_validation_image(name) or name, _base_name(name))
        matches = next((known[key] for key in keys if key in known), [])
        if remedy := _check_line(name, matches, chosen):
            errors.append(ConfigError(path=names, field=f"line {number}", given=f'"{name}"', remedy=remedy))
        else:
            chosen[matches[0].name] = matches[0]
    if not chosen and not errors:
        errors.append(ConfigError(path=names, remedy="names no images; write one name per line"))
    if errors:
        raise ConfigErrors(errors)
    return sorted(chosen.values(), key=lambda candidate: candidate.name)


def _base_name(name: str) -> str:
    return PurePosixPath(name).name


def _check_line(name: str, matches: Sequence[Candidate], chosen: dict[str, Candidate]) -> str:
    """Return what is wrong with a line, or an empty text."""
    if not matches:
        return "is not an image of the set"
    if len(matches) > 1:
        return f"matches {matches[0].name} and {matches[1].name}; write the full name"
    if matches[0].name in chosen:
        return "is listed more than once"
    wordnet = imagenet.labels_by_wordnet_id()
    stated = next((wordnet[part] for part in PurePosixPath(name).parts if part in wordnet), None)
    if stated is not None and stated != matches[0].label:
        return f"has class {stated}, but the image set has {matches[0].label}; are its labels ImageNet's?"
    return ""
