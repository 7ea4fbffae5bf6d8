"""Which table takes the searches of a stage."""

from collections import Counter
from typing import Any

from alignsec.engine.attacks import apgd_l1
from alignsec.engine.attacks.apgd import ApgdTable
from alignsec.engine.attacks.apgd_l1 import ApgdL1Table
from alignsec.engine.attacks.fab import FabTable
from alignsec.engine.attacks.square import SquareTable
from alignsec.engine.problem import Problem
from alignsec.engine.search import Stage
from alignsec.engine.table import Table
from alignsec.spec.attack import PARAMETERS, Attack, Component


def empty_table(stage: Stage, ground: Problem, facts: Counter[str]) -> Table[Any]:
    """A table of the stage's kind with no searches in it."""
    kind: type[Table[Any]]
    match stage.component:
        case "fab-t":
            kind = FabTable
        case "square":
            kind = SquareTable
        case "apgd-ce" | "apgd-t":
            kind = ApgdL1Table if ground.norm == "L1" else ApgdTable
    return kind(stage, ground, facts)


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
