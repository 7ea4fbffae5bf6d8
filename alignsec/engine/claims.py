"""Judging: which points of a pass are adversarial images that count, by the rule of alignsec.evaluation.judge.

The judge puts an image through the float32 model. Where the search's own pass was that one, at that very image, it
serves both; after a pass in less than float32, or through the compiled network, the points that may be
misclassified are put through once more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from alignsec.engine.attacks.losses import margin
from alignsec.engine.problem import Problem
from alignsec.engine.search import Search
from alignsec.evaluation.judge import distances, tolerance
from alignsec.evaluation.passes import precision
from alignsec.evaluation.passes.model_runner import PassResult


class PointFlags(NamedTuple):
    """What one look at the device tells of the points of a pass, a list of bools each."""

    unsound: list[bool]
    """Logits that are not finite."""
    wrong: list[bool]
    """Misclassified by these logits."""
    doubtful: list[bool]
    """Misclassified by these logits, or perhaps by float32's."""
    tied: list[bool]
    """The label's logit equals another one."""
    wild: list[bool]
    """Gradients that are not finite."""


def point_flags(seen: PassResult, labels: Tensor, rounding: float = 0.0) -> PointFlags:
    """The signs of a pass, brought from the device at once: waiting for it is what costs time on a GPU.

    rounding: of its logits, see alignsec.evaluation.passes.precision; 0 for logits in float32.
    """
    margins, wrong = margin(seen.logits, labels), seen.logits.argmax(1) != labels
    doubtful = wrong | precision.find_doubtful(margins, seen.logits, rounding) if rounding else wrong
    wild = torch.zeros_like(wrong)
    if seen.gradients is not None:
        wild = ~seen.gradients.isfinite().flatten(1).all(1)
    return PointFlags(*torch.stack([~seen.logits.isfinite().all(1), wrong, doubtful, margins == 0, wild]).tolist())


@dataclass
class Claim:
    """A point that may be an adversarial image."""

    place: int
    """In the pass."""
    search: Search
    step: int
    distance: float
    """From its clean image; infinite for a point that is not an image in [0,1]."""
    within: list[int]
    """The course's budgets that it is within."""


def find_claims(
    ground: Problem, points: Tensor, searches: Sequence[Search], steps: Sequence[int], places: Sequence[int]
) -> list[Claim]:
    """The claims of the points at some places.

    Points beyond all budgets are none where the stage is shared: those of FAB begin beyond and come nearer.
    """
    if not places:
        return []
    claiming = [searches[place] for place in places]
    clean = ground.pixels[ground.images_of(claiming)]
    here = points[torch.tensor(places, device=points.device)]
    inside = ((here >= 0) & (here <= 1)).flatten(1).all(1)
    far = torch.where(inside, distances(clean, here, ground.norm), torch.inf).tolist()
    slack = tolerance(clean[0], ground.norm)
    reach = [eps + slack for eps in ground.eps]
    claims = []
    for place, search, distance in zip(places, claiming, far, strict=True):
        within = [budget for budget in search.course.budgets if distance <= reach[budget]]
        if within or not search.course.stage.component.shared:
            claims.append(Claim(place, search, steps[place], distance, within))
    return claims
