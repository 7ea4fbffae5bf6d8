"""Cost of an attack: model passes for an image that stays robust, and for one that is broken early."""

from dataclasses import dataclass
from functools import cache

from alignsec.spec.attack import Attack
from alignsec.spec.components import COMPONENTS
from alignsec.spec.verdicts import Passes

BROKEN_AFTER = 20
"""Forward passes, and as many backward passes, until an image is broken, including the start and the judging. The
median image of an undefended network is broken after 2 gradient steps; this is the mean, which a few images that
stay robust for long raise."""


@dataclass(frozen=True)
class AttackCost:
    """Passes of one image over all budgets of an attack."""

    robust: Passes
    """For an image that stays robust at every budget: the largest possible cost."""
    broken: Passes
    """For an image that is broken early at every budget."""

    def expected(self, robust_share: float) -> tuple[float, float]:
        """Return the mean forward and backward passes of an image if a share of the images stays robust."""
        parts = ((self.robust, robust_share), (self.broken, 1 - robust_share))
        return sum(p.forward * share for p, share in parts), sum(p.backward * share for p, share in parts)


@cache
def estimate_attack_cost(attack: Attack) -> AttackCost:
    """Return the cost of an attack on a model with many classes."""
    budgets = len(attack.budgets)
    if not attack.components:
        return AttackCost(Passes(forward=1 + budgets), Passes(forward=1 + budgets))
    forward = backward = 1
    for component in (COMPONENTS[name] for name in attack.components):
        once = component.passes(attack.parameters(component.name))
        # The reference does not share a search between budgets.
        times = 1 if component.shared and attack.implementation == "alignsec" else budgets
        forward, backward = forward + times * once.forward, backward + times * once.backward
    early = min(BROKEN_AFTER * budgets, forward)
    return AttackCost(
        Passes(forward=forward, backward=backward), Passes(forward=early, backward=min(early, backward))
    )
