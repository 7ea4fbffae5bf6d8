"""Notes: how an evaluation differs from the reference's, and what makes its numbers doubtful, for the report."""

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from alignsec.spec.components import COMPONENTS
from alignsec.spec.verdicts import ROBUST, WRONG, BudgetVerdicts

_PROBABLY = 1e-5
_RANDOM = 1e-4
_SQUARE_SHOULD_NOT = 0.002
"""The reference warns where Square breaks more than this share, or logits of one image differ by more than
1e-4 of their length, or outputs sum to 1 within 1e-5."""


def find_model_warnings(logits: Tensor, again: Tensor) -> list[str]:
    """What makes attacks useless without anybody noticing; again: the first logits another time."""
    notes = []
    if bool((logits >= 0).all()) and bool(((logits.sum(1) - 1).abs() < _PROBABLY).all()):
        notes.append(
            "the outputs look like probabilities, not logits: a softmax inside the model masks its gradients"
        )
    first = logits[: len(again)]
    apart = torch.nn.functional.normalize(first, dim=1) - torch.nn.functional.normalize(again, dim=1)
    if bool((apart.norm(dim=1) > _RANDOM).any()):
        notes.append("the model seems to be randomised: the same images gave other logits; verdicts may be luck")
    return notes


def find_search_warnings(facts: Counter[str], budgets: Sequence[BudgetVerdicts]) -> list[str]:
    """What the finished evaluation says about itself."""
    notes = []
    if count := facts["flat starts"]:
        notes.append(f"{count} searches began where the loss has no slope: gradients may be masked")
    if count := facts["wild gradients"]:
        notes.append(f"{count} gradients were not finite and were taken as 0")
    if count := facts["judged again"]:
        notes.append(f"{count} of the forward passes put what the search took for a success through fp32")
    if count := facts["compared"]:
        notes.append(f"{count} of the forward passes held the compiled network against the network as it is")
    notes += [note for one in budgets for note in _masked_gradients(one)]
    if count := _contrary(budgets):
        notes.append(f"{count} images are broken at one budget and robust at a larger one: the search missed them")
    return notes


def _masked_gradients(budget: BudgetVerdicts) -> list[str]:
    """Return a warning for each gradient-free component that broke many images after components with gradients."""
    ran = [COMPONENTS[name] for name in budget.passes]
    if not any(component.gradient for component in ran):
        return []
    broken = {component: budget.verdicts.count(component.letter) for component in ran if not component.gradient}
    return [
        f"at eps {budget.eps}, {component.label} broke {count} images that gradients could not: are they masked?"
        for component, count in broken.items()
        if count > _SQUARE_SHOULD_NOT * len(budget.verdicts)
    ]


def _contrary(budgets: Sequence[BudgetVerdicts]) -> int:
    """Images that a smaller budget broke and a larger one did not."""
    contrary = 0
    for letters in zip(*(one.verdicts for one in budgets), strict=True):
        fates = [letter == ROBUST for letter in letters if letter != WRONG]
        contrary += any(robust and not all(fates[:index]) for index, robust in enumerate(fates))
    return contrary
