"""Common corruptions: their names, the lists in a study, and the library that generates them.

Reference: Hendrycks & Dietterich 2019 (arXiv 1903.12261).
"""

from collections.abc import Iterator
from typing import Any

COMMON = (
    *("gaussian_noise", "shot_noise", "impulse_noise"),
    *("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    *("snow", "frost", "fog", "brightness"),
    *("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
)
"""The fifteen types of ImageNet-C in its order (section 3.1)."""
EXTRA = ("speckle_noise", "gaussian_blur", "spatter", "saturate")
"""The four additional types of ImageNet-C, meant for validation."""
SEVERITIES = (1, 2, 3, 4, 5)
SIZE = 224
"""Width and height, in pixels, of the image that is corrupted, as in ImageNet-C."""

LIBRARY, VERSION = "imagecorruptions-imaug", "1.1.5"


def describe_generator(version: str) -> str:
    """Return the name of the method that corrupts images if the study has no set of corrupted images.

    It is part of a pair's fingerprint, because another method or version may give other images.
    """
    return f"ImageNet-C at {SIZE}, {LIBRARY} {version}"


GENERATOR = describe_generator(VERSION)

_GROUPS = {"common": COMMON, "extra": EXTRA}


def expand_corruptions(entries: list[Any], *, from_set: bool) -> Iterator[tuple[int, Any]]:
    """Replace each `[[attacks]]` table with method "corruption" by one table per type and severity.

    A table may list types or name a group: `common`, the fifteen types of ImageNet-C, or `extra`, the four
    additional ones. Without severities it means all five. Its name, if there is one, precedes the type and
    the severity. Invalid values are passed on unchanged, so that validation reports them.

    Args:
        entries: The raw tables.
        from_set: Whether the study has a set of corrupted images, so that none are generated.

    Yields:
        The index of the original table, and the table.
    """
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or entry.get("method") != "corruption":
            yield index, entry
            continue
        types, severities = entry.get("corruption", [None]), entry.get("severity", list(SEVERITIES))
        types = _GROUPS.get(types, [types]) if isinstance(types, str) else types
        for corruption in types if isinstance(types, list | tuple) and types else [types]:
            for severity in severities if isinstance(severities, list) and severities else [severities]:
                parts = (entry.get("name"), corruption, severity)
                name = "-".join(str(part) for part in parts if part is not None)
                generator = {} if from_set else {"generator": GENERATOR}
                yield index, {**entry, "name": name, "corruption": corruption, "severity": severity, **generator}
