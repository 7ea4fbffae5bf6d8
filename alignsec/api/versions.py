"""Versions: the components of AutoAttack's versions, their settings, and the engine's attacks for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from alignsec.errors import ConfigError, ConfigErrors
from alignsec.spec.attack import Attack
from alignsec.spec.budget import Budget
from alignsec.spec.components import COMPONENTS, Norm, methods


@dataclass
class ApgdSettings:
    """Settings of APGD-CE and APGD-DLR. The defaults are those of the reference's version "custom"."""

    n_restarts: int = 5
    n_iter: int = 100
    eot_iter: int = 1


@dataclass
class TargetedApgdSettings:
    """Settings of APGD-T."""

    n_restarts: int = 1
    n_iter: int = 100
    n_target_classes: int = 9


@dataclass
class FabSettings:
    """Settings of FAB and FAB-T. As in the reference, FAB-T has one start per target."""

    n_restarts: int = 5
    n_iter: int = 100
    n_target_classes: int = 9


@dataclass
class SquareSettings:
    """Settings of Square."""

    n_queries: int = 5000


class VersionSettings(Protocol):
    """The attributes of `AutoAttack` from which the attacks of the engine follow."""

    norm: Norm
    version: str
    attacks_to_run: list[str]
    replay: bool
    apgd: ApgdSettings
    apgd_targeted: TargetedApgdSettings
    fab: FabSettings
    square: SquareSettings


_METHODS = {"standard": "autoattack", "plus": "autoattack-plus", "rand": "autoattack-rand"}
"""The method of a study for each version."""


def version_attacks(version: str) -> list[str]:
    """Return the names of a version's components, in order, as the reference spells them."""
    return [name.removesuffix("-eot") for name in methods()[_METHODS[version]]]


def plan_attacks(settings: VersionSettings, budget: Budget, batch: int) -> Sequence[Attack]:
    """Return the attacks of the engine, to run one after another.

    The unchanged standard version is one attack, whose components the engine runs side by side. Every other
    choice is one attack for each component.

    Raises:
        ConfigErrors: If there is no component, or one is unknown.
    """
    names = list(settings.attacks_to_run)
    unknown = [name for name in names if name not in COMPONENTS]
    if unknown or not names:
        given = unknown[0] if unknown else "no component"
        remedy = f"found; choose from {', '.join(COMPONENTS)}"
        raise ConfigErrors([ConfigError(path="AutoAttack", field="attacks_to_run", given=given, remedy=remedy)])
    each = [_plan_component(name, settings, budget, batch) for name in names]
    whole = Attack(name="autoattack", method="autoattack", norm=settings.norm, eps=(budget,), batch=batch)
    if settings.replay or tuple(names) != whole.components:
        return each
    is_standard = all(
        one.parameters(name) == whole.parameters(name) for one, name in zip(each, names, strict=True)
    )
    return [whole] if is_standard else each


def _plan_component(name: str, settings: VersionSettings, budget: Budget, batch: int) -> Attack:
    """Return one component as an attack with the present settings."""
    own: dict[str, Any] = {"queries": settings.square.n_queries}
    if name in {"apgd-ce", "apgd-dlr"}:
        own |= {"steps": settings.apgd.n_iter, "restarts": settings.apgd.n_restarts}
    elif name == "apgd-t":
        targeted = settings.apgd_targeted
        own |= {"steps": targeted.n_iter, "restarts": targeted.n_restarts, "targets": targeted.n_target_classes}
    else:
        fab = settings.fab
        own |= {"steps": fab.n_iter, "restarts": fab.n_restarts, "targets": fab.n_target_classes}
    if settings.apgd.eot_iter > 1 and f"{name}-eot" in COMPONENTS:
        name, own = f"{name}-eot", {**own, "eot": settings.apgd.eot_iter}
    used = {key: own[key] for key in COMPONENTS[name].parameters}
    return Attack.model_validate(
        {"name": name, "method": name, "norm": settings.norm, "eps": (budget,), "batch": batch, **used}
    )
