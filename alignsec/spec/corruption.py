"""Common corruptions (Hendrycks & Dietterich 2019): which there are, how a study lists them, what makes them."""

from collections.abc import Iterator
from typing import Any

COMMON = (
    *("gaussian_noise", "shot_noise", "impulse_noise"),
    *("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    *("snow", "frost", "fog", "brightness"),
    *("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
)
"""The fifteen of ImageNet-C (arXiv 1903.12261, section 3.1), in its order."""
EXTRA = ("speckle_noise", "gaussian_blur", "spatter", "saturate")
"""Its four extra ones, meant for validation."""
SEVERITIES = (1, 2, 3, 4, 5)
SMALLEST = 32
"""Pixels a side below which they are not made."""

LIBRARY, VERSION = "imagecorruptions-imaug", "1.1.5"
GENERATOR = f"{LIBRARY} {VERSION}"
"""What corrupts images where no set of corrupted ones is at hand. Part of the question: another version may draw
other noise."""

_GROUPS = {"common": COMMON, "extra": EXTRA}


def expanded(entries: list[Any], *, from_set: bool) -> Iterator[tuple[int, Any]]:
    """The `[[attacks]]` of a study, those of method "corruption" one for each type and severity.

    Yields each with the position of the entry it came from. An entry may list types, name a group (`common`, the
    fifteen of ImageNet-C, or `extra`, its four others), and leave severities out for all five. Its name, if any,
    goes before type and severity. What is not as it should be is passed on as it is, for the attack to refuse.
    from_set: the study has a set of corrupted images, so nothing is generated.
    """
    for position, entry in enumerate(entries):
        if not isinstance(entry, dict) or entry.get("method") != "corruption":
            yield position, entry
            continue
        kinds, severities = entry.get("corruption", [None]), entry.get("severity", list(SEVERITIES))
        kinds = _GROUPS.get(kinds, [kinds]) if isinstance(kinds, str) else kinds
        for kind in kinds if isinstance(kinds, list | tuple) and kinds else [kinds]:
            for severity in severities if isinstance(severities, list) and severities else [severities]:
                name = "-".join(str(part) for part in (entry.get("name"), kind, severity) if part is not None)
                made = {} if from_set else {"generator": GENERATOR}
                yield position, {**entry, "name": name, "corruption": kind, "severity": severity, **made}
