"""Examples: clean images, perturbations and adversarial images."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes

from aggregate import formatting
from aggregate.collect.examples import ShownExample
from aggregate.figures.drawing import Drawing, FigureKind, Margins, Panel
from alignsec.images.clean_pixels import to_floats
from alignsec.images.packing import Floats

KIND = FigureKind(
    name="examples",
    title="Adversarial examples",
    description=(
        "Each row is one image: clean, the perturbation (amplified as stated; grey is 0), and adversarial, with "
        "the class and the model’s confidence in it. The images are the first ones that broke, not selected ones. "
        "The pages of the models show more of them."
    ),
    make_drawings=lambda inputs: make_drawings(inputs.examples),
)
_ROWS = 4
"""Largest number of images in the figure."""


def add_example(chosen: list[ShownExample], example: ShownExample) -> None:
    """Add an example to the figure: one for each attack and budget, of different images if there are any."""
    shown = [one.image for one in chosen]
    for at, one in enumerate(chosen):
        if (one.attack, one.eps) == (example.attack, example.eps):
            if shown.count(one.image) > 1 and example.image not in shown:
                chosen[at] = example
            return
    if len(chosen) < _ROWS:
        chosen.append(example)


def make_tiles(example: ShownExample) -> tuple[Floats, Floats, Floats]:
    """Return clean image, amplified perturbation and adversarial image, H x W x 3 in [0,1]."""
    amplified = (0.5 + example.amplification * example.perturbation).clip(0, 1)
    first, second, third = (_to_rgb(one) for one in (to_floats(example.clean), amplified, example.example))
    return first, second, third


def _to_rgb(pixels: Floats) -> Floats:
    """Return an image as H x W x 3; the first channel of an image that has not three."""
    channels = pixels if len(pixels) == 3 else np.repeat(pixels[:1], 3, axis=0)
    return np.ascontiguousarray(channels.transpose(1, 2, 0))


def draw_panel(tile: Floats, axes: Axes) -> None:
    """Draw one picture without axes."""
    axes.imshow(tile, interpolation="nearest", vmin=0, vmax=1)
    axes.set_axis_off()


def make_drawings(examples: Sequence[ShownExample]) -> Iterator[Drawing]:
    """Make one drawing with a row for each attack and budget; none without kept examples."""
    if not examples:
        return
    rows = []
    for example in examples:
        clean, amplified, adversarial = make_tiles(example)
        budget = formatting.format_budget(example.eps, "")
        before = f"class {example.label} ({formatting.format_percent(example.clean_confidence)})"
        after = f"class {example.predicted} ({formatting.format_percent(example.confidence)})"
        factor = f"{example.amplification:.0f}"
        rows.append((
            Panel(before, partial(draw_panel, clean), f"The clean image {example.image}, {before}."),
            Panel(
                f"{example.norm}, {budget}, ×{factor}", partial(draw_panel, amplified),
                f"The perturbation of {example.attack} at {budget}, amplified {factor} times, found by "
                f"{example.component}.",
            ),
            Panel(after, partial(draw_panel, adversarial), f"The adversarial image for {example.model}, {after}."),
        ))  # fmt: skip
    listed = "; ".join(
        f"{at}: {one.image}, {one.model}, {one.attack}, broken by {one.component}"
        for at, one in enumerate(examples, start=1)
    )
    yield Drawing(
        kind=KIND,
        name=KIND.name,
        rows=tuple(rows),
        width=1.8,
        height=1.72,
        margins=Margins(left=0.04, right=0.04, bottom=0.04, top=0.04),
        note=f"Rows {listed}.",
    )
