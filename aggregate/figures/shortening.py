"""Shortening: labels of limited length for names, different ones for different names."""

from collections import Counter
from collections.abc import Sequence

LONGEST_LABEL = 34
"""Length of the longest label, in characters."""


def shorten(name: str, longest: int = LONGEST_LABEL, head: float = 0.5) -> str:
    """Shorten a name to a label by replacing its middle, because both ends distinguish models.

    Args:
        name: The name. A character that cannot be printed becomes U+FFFD; SVG files must not contain it.
        longest: Length of the longest label, in characters.
        head: Share of the label that the beginning of the name takes.

    Returns:
        The name, or a label of `longest` characters with an ellipsis.
    """
    name = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
    if len(name) <= longest:
        return name
    begin = int((longest - 1) * head)
    return f"{name[:begin]}…{name[-(longest - 1 - begin) :]}"


def shorten_all(names: Sequence[str], longest: int = LONGEST_LABEL) -> list[str]:
    """Shorten names to labels, different ones for different names.

    Names whose labels would be equal keep more of their beginning, and then a longer label.
    """
    labels = [shorten(name, longest) for name in names]
    for head in (0.7, 0.9):
        repeated = {label for label, count in Counter(labels).items() if count > 1}
        labels = [
            shorten(name, longest, head) if label in repeated else label
            for name, label in zip(names, labels, strict=True)
        ]
    longer = longest + 8
    while len(set(labels)) < len(set(names)) and longer < max(map(len, names)) + 8:
        repeated = {label for label, count in Counter(labels).items() if count > 1}
        labels = [
            shorten(name, longer) if label in repeated else label
            for name, label in zip(names, labels, strict=True)
        ]
        longer += 8
    return labels
