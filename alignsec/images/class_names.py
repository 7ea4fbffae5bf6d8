"""Names of class folders that state a label: WordNet ids of ImageNet's classes, and whole numbers."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

from alignsec import limits
from alignsec.images import imagenet

NameScheme = Literal["wordnet", "number"]

_WORDNET_NAME = re.compile(r"(n[0-9]{8})(?![0-9A-Za-z])")
"""A WordNet id, alone or before a description, such as `n01496331_electric_ray`."""


def find_label(name: str) -> tuple[NameScheme, int] | None:
    """Return how a folder's name states its label, and the label; None if it states none.

    Args:
        name: Name of a class folder: the WordNet id of one of ImageNet's 1000 classes, alone or before a
            description, or a whole number, which is the label itself.
    """
    if found := _WORDNET_NAME.match(name):
        label = imagenet.labels_by_wordnet_id().get(found[1])
        return None if label is None else ("wordnet", label)
    number = parse_number(name)
    return None if number is None else ("number", number)


def parse_number(text: str) -> int | None:
    """Return a label written as a whole number in ASCII digits; None for any other text."""
    if re.fullmatch(r"[0-9]{1,9}", text) and int(text) <= limits.LARGEST_LABEL:
        return int(text)
    return None


def count_schemes(names: Iterable[str]) -> dict[NameScheme, list[str]]:
    """Return the names that state a label, by the way in which they do."""
    found: dict[NameScheme, list[str]] = defaultdict(list)
    for name in names:
        if label := find_label(name):
            found[label[0]].append(name)
    return dict(found)


def label_names(names: Sequence[str]) -> dict[str, int]:
    """Return the label of each folder name, or nothing unless all names state different labels in the same way."""
    stated = {name: label for name in names if (label := find_label(name))}
    labels = {name: label for name, (_, label) in stated.items()}
    certain = len(labels) == len(names) and len({scheme for scheme, _ in stated.values()}) == 1
    return labels if certain and len(set(labels.values())) == len(labels) else {}
