"""ImageNet's 1000 classes (ILSVRC 2012): their WordNet ids, and how its validation images are named."""

import re
from functools import cache
from importlib.resources import files

COUNT = 1000
_VALIDATION = re.compile(r"ILSVRC2012_val_\d{8}")


@cache
def labels() -> dict[str, int]:
    """Each class's label, 0 to 999, by WordNet id such as `n01440764`: as every library sorts them."""
    text = files("alignsec.images").joinpath("imagenet_classes.txt").read_text(encoding="ascii")
    return {wordnet: label for label, wordnet in enumerate(text.split())}


def validation_name(number: int) -> str:
    """The name of the validation set's n-th image, counted from 1, without ending."""
    return f"ILSVRC2012_val_{number:08}"


def validation_image(name: str) -> str | None:
    """Which validation image a file's name speaks of, whatever stands around it; None if none."""
    found = _VALIDATION.search(name)
    return found[0] if found else None
