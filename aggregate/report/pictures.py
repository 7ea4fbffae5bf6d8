"""Pictures of adversarial examples for the pages of single models: small images in the page itself."""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aggregate import formatting
from aggregate.collect.examples import ShownExample
from aggregate.figures import examples as figure
from alignsec.images.packing import Floats

SIDE = 104
"""Height of a picture in pixels."""
MOST_BYTES = 3_000_000
"""Size of all pictures of a report, in the text of the page. Pictures of later pairs are left out."""
PER_BUDGET = 2
"""Pictures of a pair at each budget."""
_GAP = 6
_QUALITY = 55


@dataclass
class Pictures:
    """The pictures of all models, and the examples that the figure shows."""

    by_model: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """For each model, values for the page's script."""
    figure_examples: list[ShownExample] = field(default_factory=list)
    left_out: int = 0

    def add_to_pages(self, models: Sequence[str], pages: Sequence[dict[str, Any]]) -> None:
        """Add the pictures of each model to the data of its page, which has the same position as its name."""
        for name, page in zip(models, pages, strict=True):
            page["pictures"] = self.by_model.get(name, [])


def make_pictures(examples: Iterable[ShownExample], most_bytes: int = MOST_BYTES) -> Pictures:
    """Return pictures of examples, in their order, as long as they fit.

    Args:
        examples: The examples.
        most_bytes: Size of all pictures as text.
    """
    made, size = Pictures(), 0
    for example in examples:
        figure.add_example(made.figure_examples, example)
        source = encode_strip(example)
        size += len(source)
        if size > most_bytes:
            made.left_out += 1
            continue
        budget = formatting.format_budget(example.eps, "")
        made.by_model.setdefault(example.model, []).append({
            "attack": example.attack, "budget": budget, "source": source,
            "caption": describe_example(example), "alt": describe_picture(example),
        })  # fmt: skip
    return made


def describe_example(example: ShownExample) -> str:
    """Return the caption of a picture."""
    return (
        f"{example.image}: class {example.label} ({formatting.format_percent(example.clean_confidence)}) became "
        f"{example.predicted} ({formatting.format_percent(example.confidence)}), found by {example.component} at "
        f"{example.norm} distance {example.distance:.4g}. Perturbation ×{example.amplification:.0f}; grey is 0."
    )


def describe_picture(example: ShownExample) -> str:
    """Return the text alternative of a picture."""
    return (
        f"Three pictures of {example.image}: the clean image, classified as {example.label}; the perturbation, "
        f"amplified {example.amplification:.0f} times; the adversarial image, classified as {example.predicted}."
    )


def encode_strip(example: ShownExample) -> str:
    """Return clean image, perturbation and adversarial image side by side, as a data URL of a WebP image."""
    tiles = [resize(tile, SIDE) for tile in figure.make_tiles(example)]
    gap = np.zeros((SIDE, _GAP, 4), dtype=np.uint8)
    opaque = [np.dstack([tile, np.full(tile.shape[:2], 255, dtype=np.uint8)]) for tile in tiles]
    strip = np.hstack([opaque[0], gap, opaque[1], gap, opaque[2]])
    data = io.BytesIO()
    Image.fromarray(strip, "RGBA").save(data, "WEBP", quality=_QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(data.getvalue()).decode()


def resize(tile: Floats, height: int) -> NDArray[np.uint8]:
    """Return a picture, H x W x 3 in [0,1], as bytes of a height; small pictures keep their pixels visible."""
    image = Image.fromarray((tile * 255).round().astype(np.uint8), "RGB")
    width = max(1, min(3 * height, round(image.width * height / image.height)))
    how = Image.Resampling.NEAREST if image.height < height else Image.Resampling.BOX
    return np.asarray(image.resize((width, height), how))
