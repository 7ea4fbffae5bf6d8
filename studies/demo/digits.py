"""scikit-learn's digits: 1,797 real handwritten digits of 8x8 pixels, in three disjoint parts.

The same 13 people wrote the digits of all three parts. Held out therefore means unseen images, not unseen writers.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

TRAINING, SCORING, TEST = 1000, 397, 400
"""Number of images for training, for computing alignment scores, and for attacking."""


@dataclass(frozen=True)
class Digits:
    """A subset of the digits.

    Attributes:
        numbers: (n,) indices into scikit-learn's data set, ascending.
        pixels: (n, 8, 8) uint8, 0 is black.
        labels: (n,) int64, 0 to 9.
    """

    numbers: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Splits:
    """The three disjoint parts of the data set."""

    training: Digits
    scoring: Digits
    test: Digits


def split_digits(seed: int) -> Splits:
    """Return the digits, split at random into three parts."""
    data = load_digits()
    # The scanner counted ink in 0..16; 8 bits represent each of the 17 steps.
    pixels = np.rint(data.images * (255 / 16)).astype(np.uint8)
    labels = data.target.astype(np.int64)
    order = np.random.default_rng(seed).permutation(len(labels))

    def select(start: int, count: int) -> Digits:
        numbers = np.sort(order[start : start + count])
        return Digits(numbers, pixels[numbers], labels[numbers])

    return Splits(select(0, TRAINING), select(TRAINING, SCORING), select(TRAINING + SCORING, TEST))


def resize_digits(pixels: NDArray[np.uint8], side: int) -> torch.Tensor:
    """Return (n, 8, 8) uint8 images as (n, 1, side, side) float32 in [0, 1].

    Pillow resizes them, bilinear, before scaling. A classifier does the same to a grey PNG file.
    """
    images = [Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR) for image in pixels]
    return torch.from_numpy(np.stack([np.asarray(image) for image in images])).unsqueeze(1).float() / 255


def write_images(digits: Digits, folder: Path) -> None:
    """Write one grey PNG per digit, and labels.csv (file, label), into a new folder."""
    folder.mkdir()
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as text:
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["file", "label"])
        for number, image, label in zip(digits.numbers, digits.pixels, digits.labels, strict=True):
            name = f"digit-{number:04d}.png"
            Image.fromarray(image).save(folder / name)
            table.writerow([name, int(label)])
