"""The class of each image of a folder or archive from a file of labels."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from alignsec import bounded, limits
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.images import class_names, imagenet
from alignsec.images.pack import Candidate
from submit.images import devkit
from submit.images.files import ImageFiles
from submit.images.label_origin import LabelOrigin


@dataclass(frozen=True)
class LabelLine:
    """The label of one image in a file of labels."""

    number: int
    """Line number, counted from 1."""
    name: str
    label: str
    """A whole number, or the WordNet id of an ImageNet class."""
    wordnet: str = ""
    """The WordNet id from the column `wnid`; empty if the file has no such column."""


def label_by_file(files: ImageFiles, labels: Path) -> tuple[list[Candidate], LabelOrigin]:
    """Return the images that a file of labels names, and the origin of their labels.

    Args:
        files: The folder or archive that contains the images.
        labels: A CSV with the columns `file` and `label`, ImageNet's LOC_val_solution.csv, or the devkit's
            ILSVRC2012_validation_ground_truth.txt.

    Raises:
        ConfigErrors: An error for each line that cannot be used.
    """
    lines = list(_read_lines(files, labels))
    times = Counter(line.name for line in lines)
    found, errors = [], []
    for line in lines:
        field = f"line {line.number}"
        place, label = files.find(line.name), _parse_label(line.label)
        if place is None:
            remedy = f"is not a file in {files.root}; links out of it are not followed"
            errors.append(ConfigError(path=labels, field=field, given=f'"{line.name}"', remedy=remedy))
        elif label is None:
            remedy = "is not a label; expected a whole number from 0, or the WordNet id of an ImageNet class"
            errors.append(ConfigError(path=labels, field=field, given=f'"{line.label}"', remedy=remedy))
        elif (expected := imagenet.labels_by_wordnet_id().get(line.wordnet, label)) != label:
            remedy = f"does not match {line.wordnet}, which is class {expected}; correct it or remove column wnid"
            errors.append(ConfigError(path=labels, field=field, given=f'"{line.label}"', remedy=remedy))
        elif times[line.name] > 1:
            remedy = "is listed more than once"
            errors.append(ConfigError(path=labels, field=field, given=f'"{line.name}"', remedy=remedy))
        else:
            found.append(Candidate(line.name, label, place.path, place.offset, place.size))
    if errors:
        raise ConfigErrors(errors)
    known = imagenet.labels_by_wordnet_id()
    wordnet = any(line.label in known or line.wordnet in known for line in lines)
    source = f"{labels.name}, ImageNet's WordNet ids" if wordnet else f"{labels.name}"
    return found, LabelOrigin(source, imagenet.COUNT if wordnet else None)


def _parse_label(label: str) -> int | None:
    number = class_names.parse_number(label)
    return imagenet.labels_by_wordnet_id().get(label) if number is None else number


def _read_lines(files: ImageFiles, labels: Path) -> Iterator[LabelLine]:
    """Yield the labels of a file in one of the known formats; raise ConfigErrors for any other file."""
    try:
        text = bounded.read_bytes(labels, limits.TABLE_BYTES).decode("utf-8-sig")
        rows = list(csv.DictReader(text.splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error, bounded.TooLargeError) as error:
        raise ConfigErrors.about(labels, f"cannot be read as CSV: {error}") from None
    header = rows[0].keys() if rows else set[str]()
    if {"file", "label"} <= header:
        yield from _read_csv(rows)
    elif {"ImageId", "PredictionString"} <= header:
        yield from _find_names(files, _read_kaggle(rows))
    elif (written := text.split()) and all(re.fullmatch(r"[0-9]{1,4}|n[0-9]{8}", word) for word in written):
        yield from _find_names(files, devkit.ground_truth(written))
    else:
        remedy = (
            "must have a header with the columns file and label, and rows; "
            "or be ImageNet's LOC_val_solution.csv or ILSVRC2012_validation_ground_truth.txt"
        )
        raise ConfigErrors.about(labels, remedy)


def _read_csv(rows: Iterable[dict[str, str]]) -> Iterator[LabelLine]:
    for number, row in enumerate(rows, start=2):
        yield LabelLine(number, row["file"] or "", (row["label"] or "").strip(), (row.get("wnid") or "").strip())


def _read_kaggle(rows: Iterable[dict[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield image id and WordNet id of ImageNet's LOC_val_solution.csv; boxes follow the WordNet id there."""
    for row in rows:
        yield row["ImageId"] or "", ((row["PredictionString"] or "").split() or [""])[0]


def _find_names(files: ImageFiles, labels: Iterable[tuple[str, str]]) -> Iterator[LabelLine]:
    """Replace the names of validation images, which have neither folder nor suffix, by file names."""
    places = {imagenet.find_validation_image(name): name for name, _ in files.images()}
    for number, (image, label) in enumerate(labels, start=1):
        yield LabelLine(number, places.get(image, image), label)
