"""ImageNet's 1000 classes (ILSVRC 2012): WordNet ids, and names of the validation images."""

import re
from functools import cache
from importlib.resources import files

COUNT = 1000
_VALIDATION_NAME = re.compile(r"ILSVRC2012_val_\d{8}")


@cache
def labels_by_wordnet_id() -> dict[str, int]:
    """Return the label of each class, 0 to 999, by WordNet id such as `n01440764`; ids are in sorted order."""
    text = files("alignsec.images").joinpath("imagenet_classes.txt").read_text(encoding="ascii")
    return {wordnet_id: label for label, wordnet_id in enumerate(text.split())}


def validation_name(number: int) -> str:
    """Return the name of a validation image without extension; numbers start at 1."""
    return f"ILSVRC2012_val_{number:08}"


def find_validation_image(name: str) -> str | None:
    """Return the name of the validation image that a file name contains, or None."""
    found = _VALIDATION_NAME.search(name)
    return found[0] if found else None
