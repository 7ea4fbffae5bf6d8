"""Size of the files of kept adversarial examples."""

import math
from collections.abc import Mapping

from alignsec import limits
from alignsec.run.plan import Plan
from alignsec.spec.attack import Attack
from alignsec.spec.components import Norm
from alignsec.spec.keep import count_kept

EXAMPLE_BYTES: Mapping[Norm, float] = {"Linf": 0.9, "L2": 2.8, "L1": 2.8}
"""Bytes of an example for each pixel value. Measured on photographs at 224 pixels: Linf 0.14 (APGD) to 0.86 (FAB),
L2 1.9 to 2.6. L1 is assumed to be as L2."""
CLEAN_BYTES = 0.6
"""Bytes of a clean image for each pixel value; measured on the same photographs: 0.45."""
InputSize = tuple[int, int, int]
"""Channels, height and width of a model's input."""


def estimate_bytes(attack: Attack, input_size: InputSize, image_count: int) -> int:
    """Return the largest expected size of a pair's file of examples: every image breaks at every budget.

    Args:
        attack: The attack.
        input_size: Input of the model.
        image_count: Number of images.
    """
    return int(count_kept(attack, image_count) * _bytes_per_image(attack, input_size))


def estimate_run_mb(plan: Plan) -> int:
    """Return the largest expected size of all files of a run, in MB."""
    sizes = (estimate_bytes(pair.attack, pair.model.preprocessing.input_size, plan.image_count) for pair in plan)
    return sum(sizes) // 1_000_000


def count_fitting(attack: Attack, input_size: InputSize) -> int:
    """Return how many examples at each budget fit into one file."""
    return int(limits.EXAMPLES_BYTES // _bytes_per_image(attack, input_size))


def _bytes_per_image(attack: Attack, input_size: InputSize) -> float:
    """Return the bytes of an image that breaks at every budget: its examples and its clean pixels."""
    if attack.norm is None:
        return 0.0
    return math.prod(input_size) * (len(attack.budgets) * EXAMPLE_BYTES[attack.norm] + CLEAN_BYTES)
