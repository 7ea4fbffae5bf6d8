"""The labels of images in class folders. They must be certain; otherwise the image set is refused."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from alignsec.errors import ConfigError, ConfigErrors
from alignsec.images import class_names, imagenet
from alignsec.images.class_names import NameScheme
from alignsec.images.pack import Candidate
from submit.images.files import MOST_ERRORS, ImageFiles
from submit.images.label_origin import LabelOrigin

ClassOrder = Literal["sorted"]
SOURCES: dict[NameScheme, str] = {
    "wordnet": "WordNet ids of the class folders, in ImageNet's order",
    "number": "names of the class folders, which are whole numbers",
}
OTHER: dict[NameScheme, str] = {"wordnet": "not an ImageNet class", "number": "not a whole number"}
REMEDY = (
    "rename the folders, or set labels = FILE; if the models were trained with torchvision's ImageFolder on the "
    'same folders, set class_order = "sorted"'
)
_TRAINING_NAME = re.compile(r"(n[0-9]{8})_")
"""File names of ImageNet's training images begin with the WordNet id."""


def label_by_folder(files: ImageFiles, order: ClassOrder | None = None) -> tuple[list[Candidate], LabelOrigin]:
    """Return the images in class folders, and the origin of their labels.

    A folder that is named by a WordNet id, alone or before a description, has ImageNet's label. A folder whose
    name is a whole number has this label. Classes may be missing. Folders with other names have no certain label.

    Args:
        files: The folder or archive that contains the class folders.
        order: "sorted" numbers the folders in the order of their names, as torchvision's ImageFolder does.

    Raises:
        ConfigErrors: There are no class folders, or some are empty; labels are uncertain or contradict each other.
    """
    folders, places = files.folders(), list(files.images())
    inside = [(name, place) for name, place in places if "/" in name]
    if not inside:
        remedy = "contains no class folders with images; set labels = FILE, a CSV with the columns file and label"
        raise ConfigErrors.about(files.root, remedy)
    errors = list(_empty_folders(files.root, folders, (name for name, _ in inside)))
    if order == "sorted":
        labels = {folder: number for number, folder in enumerate(folders)}
        source = "sorted order of the class folders, as class_order states"
        origin = LabelOrigin(source, len(folders), len(places) - len(inside), by_folder=True)
    else:
        full = [error.path for error in errors]
        certain = [folder for folder in folders if files.root / folder not in full]
        labels, origin = _read_names(files.root, certain, [name for name, _ in inside], errors)
        origin = replace(origin, unused=len(places) - len(inside))
    if errors:
        raise ConfigErrors(errors)
    found = [
        Candidate(name, labels[name.split("/")[0]], place.path, place.offset, place.size) for name, place in inside
    ]
    return found, origin


def _read_names(
    root: Path, folders: Sequence[str], names: Sequence[str], errors: list[ConfigError]
) -> tuple[dict[str, int], LabelOrigin]:
    """Return the labels that the folders' names state; append an error if they are uncertain."""
    labels = class_names.label_names(folders)
    uncertain = _nested_classes(root, names) or _uncertain(root, folders, labels, names)
    if uncertain or not labels:
        errors += uncertain
        return {}, LabelOrigin("")
    (scheme,) = class_names.count_schemes(folders)
    if scheme == "wordnet":
        errors += _contradictions(root, names)
    return labels, LabelOrigin(SOURCES[scheme], imagenet.COUNT if scheme == "wordnet" else None, by_folder=True)


def _empty_folders(root: Path, folders: Iterable[str], names: Iterable[str]) -> Iterator[ConfigError]:
    full = {name.split("/")[0] for name in names}
    remedy = (
        "is a class folder without images; unpack the image set again, or remove the folder if it is not a class"
    )
    return (ConfigError(path=root / folder, remedy=remedy) for folder in folders if folder not in full)


def _uncertain(
    root: Path, folders: Sequence[str], labels: dict[str, int], names: Sequence[str]
) -> list[ConfigError]:
    """Return errors if the folders' names do not state the labels."""
    if len(folders) == 1 and labels and class_names.find_label(folders[0]) == ("number", labels[folders[0]]):
        remedy = f"has all images in one folder, {folders[0]}, so they would have one label; set labels = FILE"
        return [ConfigError(path=root, remedy=remedy)]
    if labels:
        return []
    schemes = class_names.count_schemes(folders)
    for scheme, named in schemes.items():
        others = [folder for folder in folders if folder not in set(named)]
        if others and len(named) >= len(folders) / 2:
            remedy = f"is {OTHER[scheme]}, but {len(named)} other folders are; remove it"
            return _limited(root, [ConfigError(path=root / folder, remedy=remedy) for folder in others])
        if not others:
            return _limited(root, list(_same_labels(root, named)))
    shown = f"{', '.join(folders[:3])}{', ...' if len(folders) > 3 else ''}"
    below = sorted({name.split("/")[1] for name in names if name.count("/") > 1})
    states = f"; it contains folders, such as {below[0]}: is it one level too high?" if below else ""
    remedy = (
        f"has {len(folders)} class folders whose names do not state the labels: {shown}{states}; expected WordNet "
        f"ids such as n01440764, or whole numbers, which are the labels; {REMEDY}"
    )
    return [ConfigError(path=root, remedy=remedy)]


def _same_labels(root: Path, folders: Iterable[str]) -> Iterator[ConfigError]:
    """Yield an error for each label that several folders state."""
    by_label: dict[int, list[str]] = defaultdict(list)
    for folder in folders:
        if stated := class_names.find_label(folder):
            by_label[stated[1]].append(folder)
    for label, same in by_label.items():
        if len(same) > 1:
            remedy = f"has several folders of class {label}: {', '.join(same[:3])}; keep one"
            yield ConfigError(path=root, remedy=remedy)


def _nested_classes(root: Path, names: Sequence[str]) -> list[ConfigError]:
    """Return an error if folders inside the class folders are named like other classes."""
    for name in names:
        top, *inner = name.split("/")[:-1]
        above = class_names.find_label(top)
        for part in inner:
            below = class_names.find_label(part)
            if below is None or below == above or (below[0] == "number" and above and above[0] == "wordnet"):
                continue
            remedy = (
                f"contains {top}/{part}, which is named like a class inside a class folder; is the image folder "
                f"one level too high? set folder = {root / top}"
            )
            return [ConfigError(path=root, remedy=remedy)]
    return []


def _contradictions(root: Path, names: Iterable[str]) -> list[ConfigError]:
    """Return an error for each image whose file name has the WordNet id of another class than its folder."""
    known = imagenet.labels_by_wordnet_id()
    errors = []
    for name in names:
        stated = _TRAINING_NAME.match(name.rsplit("/", 1)[1])
        folder = class_names.find_label(name.split("/")[0])
        if stated and folder and known.get(stated[1], folder[1]) != folder[1]:
            remedy = f"is in another class folder than its name, {stated[1]}, states; move it or rename it"
            errors.append(ConfigError(path=root / name, remedy=remedy))
    return _limited(root, errors)


def _limited(root: Path, errors: list[ConfigError]) -> list[ConfigError]:
    more = len(errors) - MOST_ERRORS
    last = [ConfigError(path=root, remedy=f"has {more} more such errors")] if more > 0 else []
    return [*errors[:MOST_ERRORS], *last]
