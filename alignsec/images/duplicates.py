"""Duplicate images: files of an image pack with the same bytes."""

from collections import defaultdict
from pathlib import Path

from alignsec import digest
from alignsec.images import pack as image_pack
from alignsec.images.pack import Candidate

SHOWN = 3
"""Number of duplicates that the description names."""


def find_duplicates(images: list[Candidate]) -> list[tuple[Candidate, Candidate]]:
    """Return each image that has the same bytes as an earlier one, after this earlier image.

    Only images of equal size are read.
    """
    by_size: dict[int | None, list[Candidate]] = defaultdict(list)
    for image in images:
        by_size[image.size].append(image)
    found = []
    for same_size in by_size.values():
        first: dict[str, Candidate] = {}
        for image in same_size if len(same_size) > 1 else ():
            original = first.setdefault(digest.sha256_of_bytes(image.read()), image)
            if original is not image:
                found.append((original, image))
    return found


def describe_duplicates(pack: Path) -> str:
    """Return a sentence on the duplicate images of a valid pack; empty if there are none.

    Raises:
        PackError: The file is not a pack.
        OSError: The file cannot be read.
    """
    images = image_pack.list_members(pack)
    found = find_duplicates(images)
    if not found:
        return ""
    shown = ", ".join(f"{original.name} = {copy.name}" for original, copy in found[:SHOWN])
    more = ", ..." if len(found) > SHOWN else ""
    contradicting = sum(original.label != copy.label for original, copy in found)
    labels = f"; with another label than the original: {contradicting}" if contradicting else ""
    verb = "is a copy" if len(found) == 1 else "are copies"
    return f"{len(found)} of {len(images)} images {verb} of another image by content: {shown}{more}{labels}"
