"""The labels of ImageNet's validation images as the ILSVRC2012 devkit publishes them."""

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

from alignsec.images import imagenet


def ground_truth(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the name of each validation image and the WordNet id of its class.

    Args:
        lines: The lines of `ILSVRC2012_validation_ground_truth.txt`, one for each image in the order of their
            numbers: a WordNet id or an ILSVRC2012_ID. An unknown ILSVRC2012_ID is yielded as such, and the caller
            reports it.

    Reference:
        ILSVRC2012_devkit_t12, readme.txt. ILSVRC2012_IDs count from 1 in an order that is not the labels'.
    """
    for number, line in enumerate(lines, start=1):
        label = wordnet_ids().get(int(line), f"ILSVRC2012_ID {line}") if line.isdigit() else line
        yield imagenet.validation_name(number), label


@cache
def wordnet_ids() -> dict[int, str]:
    """Return the WordNet id of each ILSVRC2012_ID from 1 to 1000."""
    text = files("submit.images").joinpath("ilsvrc2012_ids.txt").read_text(encoding="ascii")
    return dict(enumerate(text.split(), start=1))
