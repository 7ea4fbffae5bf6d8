"""Generator of torchvision.csv: the classification models of the pinned torchvision and their properties.

Run `make catalogue` after a change of torchvision's version. A test compares the file with the installed one.
"""

import csv
import sys
from collections.abc import Iterator
from typing import TextIO

import torchvision
from torchvision.models import WeightsEnum, get_model_weights, list_models

from alignsec.catalogue.torchvision import COLUMNS


def rows() -> Iterator[tuple[str, ...]]:
    """Yield one row per architecture and one per weights, sorted by name.

    Quantised models are left out because they have no gradients.
    """
    for name in sorted(list_models(module=torchvision.models)):
        yield (name, *[""] * (len(COLUMNS) - 1))
        for weights in sorted(get_model_weights(name), key=lambda one: one.name):
            yield _row(name, weights)


def _row(name: str, weights: WeightsEnum) -> tuple[str, ...]:
    preset = weights.transforms()
    (side,), (resized,) = preset.crop_size, preset.resize_size
    categories = weights.meta.get("categories") or []
    top1 = weights.meta["_metrics"]["ImageNet-1K"]["acc@1"] if categories else None
    return (
        f"{name}.{weights.name}",
        weights.url,
        f"3x{side}x{side}",
        *(" ".join(repr(float(value)) for value in values) for values in (preset.mean, preset.std)),
        preset.interpolation.value,
        repr(side / resized),
        "center",
        str(len(categories)),
        "" if top1 is None else f"{top1 / 100:.5f}",
    )


def write(file: TextIO) -> None:
    """Write the catalogue as CSV."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows())


if __name__ == "__main__":
    write(sys.stdout)
