"""The origin of the labels of an image set: how they are stated, and of which classes they are."""

from collections.abc import Iterable
from dataclasses import dataclass

from alignsec.images.pack import Candidate

SHOWN = 3
"""Number of classes that the description shows."""


@dataclass(frozen=True)
class LabelOrigin:
    """How an image set states the labels of its images."""

    source: str
    """Where the labels are from, such as "WordNet ids of the class folders"."""
    classes: int | None = None
    """Number of classes that the labels are numbered in, which the models must have; None if the source does not
    determine it."""
    unused: int = 0
    """Number of images outside the class folders, which are not used."""
    by_folder: bool = False
    """Whether an image's class is the first folder of its name."""

    def describe(self, found: Iterable[Candidate]) -> str:
        """Return a phrase with the first classes of an image set and its number of classes.

        Args:
            found: All images of the set.
        """
        first: dict[int, str] = {}
        for image in found:
            first.setdefault(image.label, image.name.split("/")[0] if self.by_folder else image.name)
        shown = [f"{first[label]} = {label}" for label in sorted(first)[:SHOWN]]
        more = ", ..." if len(first) > SHOWN else ""
        classes = f"{len(first)} {'class' if len(first) == 1 else 'classes'}"
        outside = f"; {self.unused} images outside the class folders are not used" if self.unused else ""
        return f"{self.source}, {classes}: {', '.join(shown)}{more}{outside}"
