"""Cost of an attack: model passes for an image that stays robust, and for one that is broken early."""

from dataclasses import dataclass
from functools import cache

from alignsec.spec.attack import Attack
from alignsec.spec.audit import Audit
from alignsec.spec.audit_plan import NEAR_SHARE, sample_sizes, stratum_sizes
from alignsec.spec.components import COMPONENTS
from alignsec.spec.verdicts import Passes

BROKEN_AFTER = 20
"""Forward passes, and as many backward passes, until an image is broken, including the start and the judging. The
median image of an undefended network is broken after 2 gradient steps; this is the mean, which a few images that
stay robust for long raise."""

SORTING_PASSES = 9
"""Forward passes, and as many backward passes, that compute the distance of a survivor of an audit's screen."""
CUSTOM_PASSES = 1000
"""Forward and backward passes of one image at one budget that a custom attack is assumed to make, until a pair
with it has finished. Its code is not run at submission."""


@dataclass(frozen=True)
class AttackCost:
    """Passes of one image over all budgets of an attack."""

    robust: Passes
    """For an image that stays robust at every budget: the largest possible cost."""
    broken: Passes
    """For an image that is broken early at every budget."""
    screened: Passes
    """For an image that survives the screen of an audited attack and is not audited; `robust` without an audit."""

    def expected(self, robust_share: float, audited_share: float = 1.0) -> tuple[float, float]:
        """Return the mean forward and backward passes of an image.

        Args:
            robust_share: Share of the images that stay robust.
            audited_share: Share of these that an audit searches in full.
        """
        parts = (
            (self.robust, robust_share * audited_share),
            (self.screened, robust_share * (1 - audited_share)),
            (self.broken, 1 - robust_share),
        )
        return sum(p.forward * share for p, share in parts), sum(p.backward * share for p, share in parts)


@cache
def estimate_attack_cost(attack: Attack) -> AttackCost:
    """Return the cost of an attack on a model with many classes."""
    budgets = len(attack.budgets)
    if attack.is_custom:
        most = Passes(forward=1 + CUSTOM_PASSES * budgets, backward=1 + CUSTOM_PASSES * budgets)
        return AttackCost(most, most, most)
    if not attack.components:
        return AttackCost(*3 * [Passes(forward=1 + budgets)])
    forward = backward = 1
    for component in (COMPONENTS[name] for name in attack.components):
        once = component.passes(attack.parameters(component.name))
        # The reference does not share a search between budgets.
        times = 1 if component.shared and attack.implementation == "alignsec" else budgets
        forward, backward = forward + times * once.forward, backward + times * once.backward
    early = min(BROKEN_AFTER * budgets, forward)
    robust = Passes(forward=forward, backward=backward)
    screened = _estimate_screen(attack, attack.audit) if attack.audit is not None else robust
    return AttackCost(robust, Passes(forward=early, backward=min(early, backward)), screened)


def expect_audited_share(audit: Audit, images: int, robust_share: float) -> float:
    """Return the share of the screen's survivors that is audited, at least `audit.share`.

    Args:
        audit: The audit.
        images: Number of images.
        robust_share: Share of them that survives the screen.
    """
    survivors = round(images * robust_share)
    audited = sum(sample_sizes(stratum_sizes(survivors), audit.resolved_share).values())
    return audited / survivors if survivors else 1.0


def _estimate_screen(attack: Attack, audit: Audit) -> Passes:
    """Return the mean passes of an image that survives the screen at every budget, with clean pass and sorting.

    The targets are part of the screen of the images near the decision boundary only.
    """
    forward = backward = 1 + SORTING_PASSES
    budgets = len(attack.budgets)
    for component in (COMPONENTS[name] for name in attack.components if COMPONENTS[name].screens):
        parameters = attack.parameters(component.name)
        images = 1.0
        if "targets" in parameters:
            parameters["targets"], images = min(audit.targets, parameters["targets"]), 1 / NEAR_SHARE
        once = component.passes(parameters)
        forward += round(images * budgets * once.forward)
        backward += round(images * budgets * once.backward)
    return Passes(forward=forward, backward=backward)
