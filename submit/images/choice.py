"""Choice: which images of a set are attacked."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from alignsec import digest
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.images import imagenet
from alignsec.images.pack import Candidate


def choose(
    found: Sequence[Candidate], count: int | None, seed: int, *, stratified: bool = False
) -> list[Candidate]:
    """The `count` images that come first when names are shuffled by a seed; all of them for None.

    The order is that of SHA-256 of seed and name, so it is the same on every machine and whatever the order of
    `found`, and a larger count adds images to a smaller one's. stratified: every class gives its first image
    before any gives its second, so that classes differ by one image at most while all have some left.
    """
    shuffled = sorted(found, key=lambda candidate: _key(seed, candidate.name))
    if stratified:
        turns: dict[int, int] = defaultdict(int)
        turn = {}
        for one in shuffled:
            turn[one.name] = turns[one.label]
            turns[one.label] += 1
        shuffled.sort(key=lambda one: (turn[one.name], _key(seed, f"class {one.label}")))
    return sorted(shuffled[:count], key=lambda candidate: candidate.name)


def _key(seed: int, text: str) -> str:
    return digest.sha256_of_bytes(f"{seed}\0{text}".encode())


def listed(found: Sequence[Candidate], names: Path) -> list[Candidate]:
    """The images that a file names, one a line, as RobustBench's list of 5000 does: `CLASS/FILE`, or `FILE`.

    A line means the image of that name, else the validation image of ImageNet of that number, else the one image
    whose name ends so. Raises Mistakes for lines that mean none or several, that stand twice, or whose class
    folder is of another class of ImageNet than the set says.
    """
    try:
        lines = names.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigErrors.about(names, f"cannot be read: {error}") from None
    known: dict[str, list[Candidate]] = defaultdict(list)
    for one in found:
        for key in {one.name, imagenet.validation_image(one.name) or one.name, PurePosixPath(one.name).name}:
            known[key].append(one)
    chosen: dict[str, Candidate] = {}
    errors = []
    for number, line in enumerate(lines, start=1):
        if not (name := line.strip()) or name.startswith("#"):
            continue
        keys = (name, imagenet.validation_image(name) or name, PurePosixPath(name).name)
        meant = next((known[key] for key in keys if key in known), [])
        if remedy := _unusable(name, meant, chosen):
            errors.append(ConfigError(path=names, field=f"line {number}", given=f'"{name}"', remedy=remedy))
        else:
            chosen[meant[0].name] = meant[0]
    if not chosen and not errors:
        errors.append(ConfigError(path=names, remedy="names no images; write one name a line"))
    if errors:
        raise ConfigErrors(errors)
    return sorted(chosen.values(), key=lambda candidate: candidate.name)


def _unusable(name: str, meant: Sequence[Candidate], chosen: dict[str, Candidate]) -> str:
    """What is wrong with a line; empty where nothing is."""
    if not meant:
        return "is not an image of the set"
    if len(meant) > 1:
        return f"may be {meant[0].name} or {meant[1].name}; write its whole name"
    if meant[0].name in chosen:
        return "is listed more than once"
    wordnet = imagenet.labels()
    stated = next((wordnet[part] for part in PurePosixPath(name).parts if part in wordnet), None)
    if stated is not None and stated != meant[0].label:
        return f"says class {stated}, but the set says {meant[0].label}; are its labels ImageNet's?"
    return ""
