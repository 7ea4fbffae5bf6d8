"""Labelling: what class each image of a folder or archive is of, by its folder or by a file that says so."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from alignsec.errors import ConfigError, ConfigErrors
from alignsec.images import imagenet
from alignsec.images.pack import Candidate
from submit.images import devkit
from submit.images.files import Files, Place

LARGEST_LABEL = 1_000_000


@dataclass(frozen=True)
class Line:
    """What a file of labels says of one image."""

    number: int
    """In its file, counted from 1."""
    name: str
    label: str
    """A whole number, or the WordNet id of one of ImageNet's classes."""
    wordnet: str = ""
    """The WordNet id beside it, where the file has a column `wnid`."""


def by_folder(files: Files) -> list[Candidate]:
    """Images in class folders.

    Where all folders are of ImageNet's classes, they have ImageNet's labels, however many there are. Else they are
    numbered in sorted order, as torchvision does. Raises Mistakes for class folders without images, folders of no
    class of ImageNet among such, names that are no text, and where there are no class folders.
    """
    folders = files.folders()
    wordnet = imagenet.labels()
    known = [folder for folder in folders if folder in wordnet]
    labels = wordnet if len(known) == len(folders) else {folder: at for at, folder in enumerate(folders)}
    found = [
        _candidate(name, labels[top], place)
        for name, place in files.images()
        if (top := name.split("/")[0]) in labels and "/" in name
    ]
    if not found:
        remedy = "holds no class folders with images; give labels = FILE, a CSV with the columns file and label"
        raise ConfigErrors.about(files.where, remedy)
    errors = [
        ConfigError(
            path=ascii(f"{files.where}/{one.name}"), remedy="has a name that is no text in UTF-8; rename it"
        )
        for one in found
        if any("\ud800" <= character <= "\udfff" for character in one.name)
    ]
    full = {one.name.split("/")[0] for one in found}
    empty = [folder for folder in folders if folder not in full]
    remedy = "is a class folder without images; was the set unpacked whole? if it is no class, take it out"
    errors += [ConfigError(path=files.where / folder, remedy=remedy) for folder in empty]
    if len(folders) > len(known) >= len(folders) / 2:
        others = [folder for folder in folders if folder not in wordnet]
        remedy = f"is none of ImageNet's classes, as {len(known)} folders beside it are; take it out"
        errors += [ConfigError(path=files.where / folder, remedy=remedy) for folder in others]
    if errors:
        raise ConfigErrors(errors)
    return found


def by_file(files: Files, labels: Path) -> list[Candidate]:
    """Images that a file of labels names. Raises Mistakes with every line that cannot be used."""
    lines = list(_lines(files, labels))
    found, errors = [], []
    times = Counter(line.name for line in lines)
    for line in lines:
        field = f"line {line.number}"
        place, label = files.place(line.name), _number(line.label)
        if place is None:
            errors.append(
                ConfigError(
                    path=labels, field=field, given=f'"{line.name}"', remedy=f"is not a file in {files.where}"
                )
            )
        elif label is None:
            remedy = "is not a label; write the class as a whole number from 0, or as ImageNet's WordNet id"
            errors.append(ConfigError(path=labels, field=field, given=f'"{line.label}"', remedy=remedy))
        elif (meant := imagenet.labels().get(line.wordnet, label)) != label:
            remedy = f"is not the class of {line.wordnet}, which is {meant}; mend it, or take out the column wnid"
            errors.append(ConfigError(path=labels, field=field, given=f'"{line.label}"', remedy=remedy))
        elif times[line.name] > 1:
            errors.append(
                ConfigError(path=labels, field=field, given=f'"{line.name}"', remedy="is listed more than once")
            )
        else:
            found.append(_candidate(line.name, label, place))
    if errors:
        raise ConfigErrors(errors)
    return found


def _candidate(name: str, label: int, place: Place) -> Candidate:
    return Candidate(name, label, place.path, place.offset, place.size)


def _number(label: str) -> int | None:
    if re.fullmatch(r"[0-9]{1,9}", label) and int(label) <= LARGEST_LABEL:
        return int(label)
    return imagenet.labels().get(label)


def _lines(files: Files, labels: Path) -> Iterator[Line]:
    """Raises Mistakes where the file is none that is known."""
    try:
        text = labels.read_text(encoding="utf-8-sig")
        rows = list(csv.DictReader(text.splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigErrors.about(labels, f"cannot be read as CSV: {error}") from None
    header = rows[0].keys() if rows else set[str]()
    if {"file", "label"} <= header:
        yield from _own(rows)
    elif {"ImageId", "PredictionString"} <= header:
        yield from _named(files, _kaggle(rows))
    elif (written := text.split()) and all(re.fullmatch(r"[0-9]{1,4}|n[0-9]{8}", word) for word in written):
        yield from _named(files, devkit.ground_truth(written))
    else:
        remedy = (
            "needs a header with the columns file and label, and rows; "
            "or is to be ImageNet's LOC_val_solution.csv or ILSVRC2012_validation_ground_truth.txt"
        )
        raise ConfigErrors.about(labels, remedy)


def _own(rows: Iterable[dict[str, str]]) -> Iterator[Line]:
    for number, row in enumerate(rows, start=2):
        yield Line(number, row["file"] or "", (row["label"] or "").strip(), (row.get("wnid") or "").strip())


def _kaggle(rows: Iterable[dict[str, str]]) -> Iterator[tuple[str, str]]:
    """ImageNet's LOC_val_solution.csv: an image's id, then its class's WordNet id and boxes."""
    for row in rows:
        yield row["ImageId"] or "", ((row["PredictionString"] or "").split() or [""])[0]


def _named(files: Files, said: Iterable[tuple[str, str]]) -> Iterator[Line]:
    """Lines that name images of ImageNet's validation set without folder or ending."""
    places = {imagenet.validation_image(name): name for name, _ in files.images()}
    for number, (image, label) in enumerate(said, start=1):
        yield Line(number, places.get(image, image), label)
