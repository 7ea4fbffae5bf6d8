"""The plan of an attack: its stages in order, and how many searches and passes each can take."""

from dataclasses import dataclass

from alignsec.attack import PARAMETERS, Attack, Component


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
        restarts, targets = 1, 1
        if "restarts" in PARAMETERS[component]:
            restarts = attack.number("restarts", component)
        if "targets" in PARAMETERS[component]:
            targets = min(attack.number("targets", component), classes - 1)
        match component:
            case "apgd-ce" | "apgd-t":
                steps = attack.steps
                # In L1 there is a start for each of three balls.
                forward = steps + (3 if attack.norm == "L1" else 1)
            case "fab-t":
                # A step of FAB is a pass with gradient and one without.
                steps, forward = attack.steps, 2 * attack.steps
            case "square":
                steps, forward = attack.queries, 1 + attack.queries
        return Stage(component, targets * restarts, restarts, steps, forward)

    return tuple(stage(component) for component in attack.run_on(classes))
