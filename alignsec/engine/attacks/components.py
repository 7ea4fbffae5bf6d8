"""Components in the engine: the stages of an attack, and the table that runs each."""

from collections import Counter
from dataclasses import replace
from pkgutil import resolve_name
from typing import Any

from alignsec.engine.problem import Problem
from alignsec.engine.search import Stage
from alignsec.engine.table import Table
from alignsec.spec.attack import Attack
from alignsec.spec.components import COMPONENTS, Component, Norm


def plan_stages(attack: Attack, classes: int) -> tuple[Stage, ...]:
    """Return the stages of an attack on a model, in order.

    Args:
        attack: The attack. Components that need more classes than the model has are left out.
        classes: Number of classes of the model.

    Returns:
        One stage for each component; none for the clean attack, which has no norm either.
    """
    stages = (_plan_stage(COMPONENTS[name], attack, classes) for name in attack.components_for(classes))
    return tuple(part for stage in stages for part in _split_stage(stage, attack))


def _split_stage(stage: Stage, attack: Attack) -> tuple[Stage, ...]:
    """Divide APGD-T of an audited attack into the targets of the screen and the others."""
    screened = count_screen_searches(stage, attack)
    if screened in {0, stage.searches}:
        return (stage,)
    rest = replace(stage, searches=stage.searches - screened, first=screened)
    return replace(stage, searches=screened), rest


def count_screen_searches(stage: Stage, attack: Attack) -> int:
    """Return how many searches of an undivided stage belong to the screen; 0 without an audit."""
    if attack.audit is None or not stage.component.screens:
        return 0
    if "targets" not in stage.component.parameters:
        return stage.searches
    return min(attack.audit.targets * stage.restarts, stage.searches)


def count_untargeted_stages(stages: tuple[Stage, ...], attack: Attack) -> int:
    """Return the number of stages, from the first one on, that screen every image of an audited attack."""
    screens = stages[: count_screen_stages(stages, attack)]
    return sum("targets" not in stage.component.parameters for stage in screens)


def count_screen_stages(stages: tuple[Stage, ...], attack: Attack) -> int:
    """Return the number of stages that are the screen of an audited attack, from the first one on."""
    return sum(not stage.first and count_screen_searches(stage, attack) > 0 for stage in stages)


def _plan_stage(component: Component, attack: Attack, classes: int) -> Stage:
    parameters = attack.parameters(component.name)
    if "targets" in parameters:
        parameters["targets"] = min(parameters["targets"], classes - 1)
    if "candidates" in parameters:
        parameters["candidates"] = min(parameters["candidates"], classes - 1)
    schedule = _table_class(component, attack.norm or "Linf").schedule(parameters)
    restarts = parameters.get("restarts", 1)
    searches, candidates = parameters.get("targets", 1) * restarts, parameters.get("candidates", 0)
    return Stage(component, searches, restarts, schedule, candidates)


def build_table(stage: Stage, problem: Problem, counters: Counter[str]) -> Table[Any]:
    """Return the table of a stage, without searches."""
    return _table_class(stage.component, problem.norm)(stage, problem, counters)


def _table_class(component: Component, norm: Norm) -> type[Table[Any]]:
    """Import the class that the component's record names."""
    table: type[Table[Any]] = resolve_name(component.table_path(norm))
    return table
