"""The plan of an attack: its stages in order, and how many searches and passes each can take."""

from dataclasses import dataclass

from alignsec.attack import PARAMETERS, Attack, Component
from alignsec.engine import apgd_l1


@dataclass(frozen=True)
class Stage:
    """One component of the attack, as the searches an image goes through until one of them breaks it."""

    component: Component
    searches: int
    """Targets times restarts; the restarts of a target follow each other."""
    restarts: int
    steps: int
    """Of one search."""
    forward: int
    """Most forward passes of one search."""
    counts_from: int = 0
    """Passes of a search before any point of it can count."""

    @property
    def targets(self) -> int:
        """Classes that the searches aim at, one after another."""
        return self.searches // self.restarts

    @property
    def gradient(self) -> bool:
        """Whether its passes go backward too."""
        return self.component != "square"

    @property
    def shared(self) -> bool:
        """Whether one search answers all budgets: FAB looks for the nearest boundary and never uses eps."""
        return self.component == "fab-t"


def stages(attack: Attack, classes: int) -> tuple[Stage, ...]:
    """The stages of an attack on a model with so many classes; a component that needs more is left out."""

    def stage(component: Component) -> Stage:
        restarts, targets, counts_from = 1, 1, 0
        if "restarts" in PARAMETERS[component]:
            restarts = attack.number("restarts", component)
        if "targets" in PARAMETERS[component]:
            targets = min(attack.number("targets", component), classes - 1)
        match component:
            case "apgd-ce" | "apgd-t":
                steps = attack.steps
                forward = steps + 1
                if attack.norm == "L1":
                    # There is a start for each of three balls, and only the last one counts.
                    legs = apgd_l1.legs(steps)
                    forward, counts_from = len(legs), [leg.counts for leg in legs].index(True)
            case "fab-t":
                # A step of FAB is a pass with gradient and one without.
                steps, forward = attack.steps, 2 * attack.steps
            case "square":
                steps, forward = attack.queries, 1 + attack.queries
        return Stage(component, targets * restarts, restarts, steps, forward, counts_from)

    return tuple(stage(component) for component in attack.run_on(classes))
