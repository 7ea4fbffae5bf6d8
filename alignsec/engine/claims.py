"""Claims: points of a pass that may be adversarial images, by the rule of `alignsec.evaluation.judge`.

The judge classifies an image with the float32 model. If the search's own pass used that model, its logits serve
both. After a pass in lower precision or through the compiled network, the points that may be misclassified go
through the float32 model once more.
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
    """Per-image flags of one pass, copied from the device in one transfer."""

    non_finite: list[bool]
    """The logits are not finite."""
    misclassified: list[bool]
    """The image is misclassified by these logits."""
    doubtful: list[bool]
    """The image is misclassified by these logits, or may be misclassified in float32."""
    tied: list[bool]
    """The label's logit equals the largest other one."""
    bad_gradient: list[bool]
    """The gradient is not finite."""


def compute_flags(result: PassResult, labels: Tensor, rounding: float = 0.0) -> PointFlags:
    """Return the flags of a pass. One transfer for all flags, because waiting for the device costs time on a GPU.

    Args:
        result: Logits and perhaps gradients of the pass.
        labels: Labels of the images, N.
        rounding: Relative rounding of the logits, see `alignsec.evaluation.passes.precision`. 0 for float32.
    """
    margins, misclassified = margin(result.logits, labels), result.logits.argmax(1) != labels
    doubtful = misclassified
    if rounding:
        doubtful = misclassified | precision.find_doubtful(margins, result.logits, rounding)
    bad_gradient = torch.zeros_like(misclassified)
    if result.gradients is not None:
        bad_gradient = ~result.gradients.isfinite().flatten(1).all(1)
    non_finite = ~result.logits.isfinite().all(1)
    return PointFlags(*torch.stack([non_finite, misclassified, doubtful, margins == 0, bad_gradient]).tolist())


@dataclass
class Claim:
    """A point that may be an adversarial image."""

    position: int
    """Index in the pass."""
    search: Search
    step: int
    distance: float
    """Distance from the clean image; infinite if the point is not an image in [0,1]."""
    within: list[int]
    """Budgets of the stage run whose radius is at least the distance."""


def find_claims(
    problem: Problem, points: Tensor, searches: Sequence[Search], steps: Sequence[int], positions: Sequence[int]
) -> list[Claim]:
    """Return the claims of the points at some positions of a pass.

    A point beyond all budgets is a claim that will be rejected. For FAB it is no claim: its points start beyond
    the budgets and come nearer.

    Args:
        problem: The problem.
        points: Points of the pass, N x C x H x W.
        searches: Search of each point.
        steps: Step of each point in its search.
        positions: Positions of the points that may be misclassified.
    """
    if not positions:
        return []
    claiming = [searches[position] for position in positions]
    clean = problem.pixels[problem.image_indices(claiming)]
    chosen = points[torch.tensor(positions, device=points.device)]
    inside = ((chosen >= 0) & (chosen <= 1)).flatten(1).all(1)
    far = torch.where(inside, distances(clean, chosen, problem.norm), torch.inf).tolist()
    slack = tolerance(clean[0], problem.norm)
    radii = [eps + slack for eps in problem.eps]
    claims = []
    for position, search, distance in zip(positions, claiming, far, strict=True):
        within = [budget for budget in search.stage_run.budgets if distance <= radii[budget]]
        if within or not search.stage_run.stage.component.minimizes:
            claims.append(Claim(position, search, steps[position], distance, within))
    return claims
