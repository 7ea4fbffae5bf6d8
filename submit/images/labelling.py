"""The class of each image of a folder or archive, from its class folder or from a file of labels."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from alignsec.errors import ConfigError, ConfigErrors
from alignsec.images import imagenet
from alignsec.images.pack import Candidate
from submit.images import devkit
from submit.images.files import ByteRange, ImageFiles

LARGEST_LABEL = 1_000_000


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


def label_by_folder(files: ImageFiles) -> list[Candidate]:
    """Return the images in class folders.

    If every folder is named after an ImageNet class, the images get ImageNet's labels; classes may be missing.
    Otherwise the folders are numbered in sorted order, as torchvision does.

    Args:
        files: The folder or archive that contains the class folders.

    Raises:
        ConfigErrors: There are no class folders, or some are empty; at least half of the folders are ImageNet
            classes, but not all; a name is not valid UTF-8.
    """
    folders = files.folders()
    wordnet = imagenet.labels_by_wordnet_id()
    known = [folder for folder in folders if folder in wordnet]
    labels = wordnet if len(known) == len(folders) else {folder: at for at, folder in enumerate(folders)}
    found = [
        _candidate(name, labels[top], place)
        for name, place in files.images()
        if (top := name.split("/")[0]) in labels and "/" in name
    ]
    if not found:
        remedy = "contains no class folders with images; set labels = FILE, a CSV with the columns file and label"
        raise ConfigErrors.about(files.root, remedy)
    errors = [
        *_undecodable_names(files.root, found),
        *_empty_folders(files.root, folders, found),
        *_other_folders(files.root, folders, known),
    ]
    if errors:
        raise ConfigErrors(errors)
    return found


def _undecodable_names(root: Path, found: Iterable[Candidate]) -> Iterator[ConfigError]:
    for image in found:
        if any("\ud800" <= character <= "\udfff" for character in image.name):
            remedy = "has a file name that is not valid UTF-8; rename it"
            yield ConfigError(path=ascii(f"{root}/{image.name}"), remedy=remedy)


def _empty_folders(root: Path, folders: Iterable[str], found: Iterable[Candidate]) -> Iterator[ConfigError]:
    full = {image.name.split("/")[0] for image in found}
    remedy = (
        "is a class folder without images; unpack the image set again, or remove the folder if it is not a class"
    )
    return (ConfigError(path=root / folder, remedy=remedy) for folder in folders if folder not in full)


def _other_folders(root: Path, folders: Sequence[str], known: Sequence[str]) -> Iterator[ConfigError]:
    """Yield an error for each folder that is not an ImageNet class if at least half of the folders are."""
    if len(folders) > len(known) >= len(folders) / 2:
        remedy = f"is not an ImageNet class, but {len(known)} other folders are; remove it"
        yield from (ConfigError(path=root / folder, remedy=remedy) for folder in folders if folder not in known)


def label_by_file(files: ImageFiles, labels: Path) -> list[Candidate]:
    """Return the images that a file of labels names.

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
            remedy = f"is not a file in {files.root}"
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
            found.append(_candidate(line.name, label, place))
    if errors:
        raise ConfigErrors(errors)
    return found


def _candidate(name: str, label: int, place: ByteRange) -> Candidate:
    return Candidate(name, label, place.path, place.offset, place.size)


def _parse_label(label: str) -> int | None:
    if re.fullmatch(r"[0-9]{1,9}", label) and int(label) <= LARGEST_LABEL:
        return int(label)
    return imagenet.labels_by_wordnet_id().get(label)


def _read_lines(files: ImageFiles, labels: Path) -> Iterator[LabelLine]:
    """Yield the labels of a file in one of the known formats; raise ConfigErrors for any other file."""
    try:
        text = labels.read_text(encoding="utf-8-sig")
        rows = list(csv.DictReader(text.splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
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
