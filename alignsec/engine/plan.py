"""The plan of an attack: its stages in order, and how many searches and passes each can take."""

from dataclasses import dataclass

from alignsec.attack import Attack, Component


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
    def gradient(self) -> bool:
        """Whether its passes go backward too."""
        return self.component != "square"

    @property
    def shared(self) -> bool:
        """Whether one search answers all budgets: FAB looks for the nearest boundary and never uses eps."""
        return self.component == "fab-t"


def stages(attack: Attack, classes: int) -> tuple[Stage, ...]:
    """The stages of an attack on a model with so many classes; a component that needs more is left out."""
    targets = min(attack.targets, classes - 1)
    steps, restarts = attack.steps, attack.restarts
    possible: dict[Component, Stage] = {
        "apgd-ce": Stage("apgd-ce", restarts, restarts, steps, 1 + steps),
        "apgd-t": Stage("apgd-t", targets * restarts, restarts, steps, 1 + steps),
        # A step of FAB is a pass with gradient and one without.
        "fab-t": Stage("fab-t", targets, 1, steps, 2 * steps),
        "square": Stage("square", 1, 1, attack.queries, 1 + attack.queries),
    }
    return tuple(possible[name] for name in attack.run_on(classes))
