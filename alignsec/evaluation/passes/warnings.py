"""Warnings for the report: properties of a model or of its results that make the measured robustness doubtful."""

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from alignsec.spec.components import COMPONENTS
from alignsec.spec.verdicts import ROBUST, WRONG, BudgetVerdicts

RANDOMISED = (
    "the model seems to be randomised: two passes of the same images gave different logits, so the verdicts may "
    "depend on chance"
)
"""Warning about a model whose logits differ between passes."""
_PROBABILITY_TOLERANCE = 1e-5
"""The reference warns if all outputs are non-negative and sum to 1 within this tolerance."""
_RANDOM_TOLERANCE = 1e-4
"""The reference warns if two results for one image differ by more than this share of their length."""
_GRADIENT_FREE_SHARE = 0.002
"""The reference warns if Square, which uses no gradients, breaks more than this share of the images."""


def find_model_warnings(logits: Tensor, repeated: Tensor | None = None, again: Sequence[Tensor] = ()) -> list[str]:
    """Return warnings about a model under which attacks fail without an error.

    Args:
        logits: Logits of the clean images, N x classes.
        repeated: Logits of the first images from another pass; None if there was no such pass.
        again: Logits of the first image from passes of one batch, whose other images are not the clean images.
    """
    notes = []
    sums = logits.sum(1)
    if bool((logits >= 0).all()) and bool(((sums - 1).abs() < _PROBABILITY_TOLERANCE).all()):
        notes.append(
            "the outputs look like probabilities, not logits: a softmax inside the model masks its gradients"
        )
    if any(_differ(again[0], other) for other in again[1:]):
        notes.append(RANDOMISED)
    elif any(_differ(logits, other) for other in (repeated, *again[:1]) if other is not None):
        notes.append(
            "the model's logits for an image depend on the other images of its batch, or on chance: the verdicts "
            "are not properties of single images"
        )
    return notes


def _differ(logits: Tensor, others: Tensor) -> bool:
    """Return True if the first logits differ from others of the same images by more than rounding."""
    first = torch.nn.functional.normalize(logits[: len(others)], dim=1)
    difference = first - torch.nn.functional.normalize(others, dim=1)
    return bool((difference.norm(dim=1) > _RANDOM_TOLERANCE).any())


def find_flat_images(gradients: Tensor) -> list[str]:
    """Return a warning if the gradient of the loss is zero at clean images.

    Args:
        gradients: Gradients with respect to clean images, N x C x H x W.
    """
    if count := int((gradients.flatten(1).abs().amax(1) == 0).sum()):
        where = f"{count} of {len(gradients)} clean images"
        return [f"the gradient of the loss is zero at {where}: gradients may be masked"]
    return []


def find_search_warnings(counters: Counter[str], budgets: Sequence[BudgetVerdicts]) -> list[str]:
    """Return warnings and notes about a finished search.

    Args:
        counters: Events that the engine counted, by name.
        budgets: The verdicts of each budget, from the smallest budget to the largest.
    """
    notes = []
    if count := counters["flat starts"]:
        notes.append(
            f"{count} searches started at a point where the gradient of the loss is zero: gradients may be masked"
        )
    if count := counters["wild gradients"]:
        notes.append(f"{count} gradients were not finite and were replaced by 0")
    if count := counters["judged again"]:
        notes.append(f"{count} of the forward passes checked apparent successes of the search in fp32")
    if count := counters["compared"]:
        notes.append(f"{count} of the forward passes compared the compiled network with the eager network")
    notes += [note for budget in budgets for note in _find_masked_gradients(budget)]
    if count := _count_inconsistent(budgets):
        notes.append(
            f"{count} images are broken at one budget and robust at a larger one: the search missed adversarial "
            "examples there"
        )
    return notes


def _find_masked_gradients(budget: BudgetVerdicts) -> list[str]:
    """Return a warning for each gradient-free component that broke many images after components with gradients."""
    ran = [COMPONENTS[name] for name in budget.passes if name in COMPONENTS]
    if not any(component.gradient for component in ran):
        return []
    broken = {component: budget.verdicts.count(component.letter) for component in ran if not component.gradient}
    return [
        f"at eps {budget.eps}, {component.label} broke {count} images that the gradient attacks did not break: "
        "gradients may be masked"
        for component, count in broken.items()
        if count > _GRADIENT_FREE_SHARE * len(budget.verdicts)
    ]


def _count_inconsistent(budgets: Sequence[BudgetVerdicts]) -> int:
    """Count the images that are broken at a smaller budget and robust at a larger one."""
    count = 0
    for letters in zip(*(budget.verdicts for budget in budgets), strict=True):
        robust = [letter == ROBUST for letter in letters if letter != WRONG]
        count += any(one and not all(robust[:index]) for index, one in enumerate(robust))
    return count
