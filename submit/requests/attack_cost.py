"""What an attack costs: the passes of an image that stays robust to the end, and of one that is broken."""

from dataclasses import dataclass
from functools import cache

from alignsec.spec.attack import Attack
from alignsec.spec.components import COMPONENTS
from alignsec.spec.verdicts import Passes

BROKEN_AFTER = 20
"""Forward passes, and as many backward ones, that break an image, start and judging included. The median image of
an undefended network is broken after 2 gradient steps; this is the mean where a few hold out for long."""


@dataclass(frozen=True)
class AttackCost:
    """Passes of one image over all budgets of an attack."""

    robust: Passes
    """Where the image stays robust at every budget: the most it can cost."""
    broken: Passes
    """Where it is broken early at every budget."""

    def expected(self, robust_share: float) -> tuple[float, float]:
        """Forward and backward passes of an image, if such a share of images stays robust."""
        parts = ((self.robust, robust_share), (self.broken, 1 - robust_share))
        return sum(p.forward * share for p, share in parts), sum(p.backward * share for p, share in parts)


@cache
def attack_cost(attack: Attack) -> AttackCost:
    """The cost of an attack on a model of many classes."""
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
