"""Attacks: the `[[attacks]]` tables of a study, their parameters and their standard values."""

from functools import cached_property, lru_cache
from operator import not_
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from alignsec import digest
from alignsec.errors import nearest
from alignsec.names import NAME_PATTERN
from alignsec.schema import StrictModel
from alignsec.spec import corruption, custom
from alignsec.spec.audit import Audit
from alignsec.spec.budget import Budget
from alignsec.spec.components import COMPONENTS, STANDARD, Norm, Parameter, methods
from alignsec.spec.engine_limits import SLOTS
from alignsec.spec.keep import Keep
from alignsec.spec.level import Level, LevelKind, find_kind
from alignsec.spec.method import Method, default_name
from alignsec.spec.options import Options
from alignsec.spec.versions import METHOD_STANDARDS, WITHOUT_L1

SearchPrecision = Literal["fp32", "tf32", "bf16"]


SHORTCUTS = frozenset({"search", "compile", "carry"})
"""Fields that trade strength for time; every attack of alignsec's engine accepts them."""

VERDICTS_VERSION = 1
"""Part of every pair's digest. Increase it with every change of the code that can change a verdict."""


class Attack(StrictModel):
    """One attack at one or more budgets. The defaults are those of AutoAttack's standard version."""

    name: str = Field(min_length=1, max_length=80, pattern=NAME_PATTERN)
    """Name in tables and figures, unique in a study. Default: the method and the norm, such as
    "autoattack-Linf"."""
    method: Method
    norm: Norm | None = None
    """Norm of the distance that eps bounds, in pixels of [0,1]; None for `clean` and `corruption`."""
    eps: tuple[Budget, ...] = ()
    corruption: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")] | None = None
    """Type of the corruption: one of the common corruptions, or a folder in the study's set of corrupted images. A
    study may list several types or name a group; it then has one attack per type and severity."""
    severity: Annotated[int, Field(ge=1, le=5)] | None = None
    """Severity of the corruption. A study may list several."""
    generator: str = ""
    """Library and version that generate the corrupted images from the clean ones; a study cannot set it. Empty
    if the corrupted images come as a set."""
    steps: Annotated[int, Field(ge=1, le=10_000)] = STANDARD["steps"]
    """Gradient steps of APGD and FAB."""
    restarts: Annotated[int, Field(ge=1, le=100)] | None = None
    """Random starts of APGD. Default: the standard number of each component."""
    targets: Annotated[int, Field(ge=1, le=999)] | None = None
    """Number of target classes of APGD-T and FAB-T, the most likely wrong classes first. Default: the standard
    number of each component. At most the number of classes minus 1."""
    candidates: Annotated[int, Field(ge=1, le=999)] | None = Field(default=None, exclude_if=not_)
    """Classes whose boundaries untargeted FAB considers, the most likely wrong classes first. The reference takes
    all classes, which needs as many gradients in each step."""
    eot: Annotated[int, Field(ge=1, le=1000)] | None = Field(default=None, exclude_if=not_)
    """Gradients of a randomised model that APGD averages in each step: expectation over transformation."""
    queries: Annotated[int, Field(ge=1, le=1_000_000)] = STANDARD["queries"]
    """Random squares that Square tries."""
    batch: Annotated[int, Field(ge=1, le=10_000)] = SLOTS
    """Largest number of images in one model pass. The random draws of the reference and of a user's own attack
    depend on it, so it is part of their fingerprints. The verdicts of alignsec's engine do not."""
    implementation: Literal["alignsec", "reference"] = "alignsec"
    """alignsec's engine, or the package pyautoattack, which needs more passes for the same verdicts."""
    search: SearchPrecision = "fp32"
    """Precision of the search. An image counts as broken only if float32 confirms it. A lower precision may miss
    adversarial examples that float32 finds. bf16 uses torch's autocast; tf32 has an effect only on NVIDIA GPUs of
    compute capability 8.0 and newer."""
    compile: bool = False
    """Run the full batches of the search through torch.compile, which rounds differently and may save time. An
    image counts as broken only if the uncompiled network confirms it in float32."""
    carry: bool = False
    """Count an image that is broken at one budget as broken at every larger budget, without a search there."""

    options: Options = Field(default={}, exclude_if=not_)
    """Keyword arguments of a user's own attack."""
    audit: Audit | None = Field(default=None, exclude_if=not_)  # absent from the files of other attacks
    """Search only a random share of the images that survive the first searches with the remaining searches. The
    analysis estimates the robust accuracy under the full attack."""
    keep: Keep | None = Field(default=None, exclude_if=lambda keep: keep is None)
    """Adversarial examples to store at each budget; see `alignsec.spec.keep`. It changes no verdict and no id."""

    @model_validator(mode="before")
    @classmethod
    def _add_default_name(cls, data: object) -> object:
        if isinstance(data, dict) and "name" not in data and isinstance(data.get("method"), str):
            return {**data, "name": default_name(data["method"], data.get("norm"))}
        return data

    def __hash__(self) -> int:
        """Return the hash of the fields that distinguish the attacks of a study; options cannot be hashed."""
        return hash((self.name, self.method, self.norm, self.eps))

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_corruption()
        self._check_budgets()
        self._check_components()
        self._check_audit()
        self._check_used_fields()
        if (self.options or self.is_custom) and (why := custom.find_error(self.method, self.implementation)):
            raise _error(why)
        return self

    def _check_corruption(self) -> None:
        """Require type and severity for a corruption and reject them otherwise; only known types can be
        generated."""
        if self.method != "corruption":
            if self.corruption or self.severity or self.generator:
                raise _error('has a corruption or a severity, which only method = "corruption" uses; remove them')
            return
        if not self.corruption:
            raise _error('has no type; add corruption = ["fog"] or corruption = "common"')
        if not self.severity:
            raise _error("has no severity; add severity = [1, 3, 5]")
        known = (*corruption.COMMON, *corruption.EXTRA)
        if self.generator and self.corruption not in known:
            raise _error(f"has the unknown corruption {self.corruption}; {nearest(self.corruption, known)}")

    def _check_budgets(self) -> None:
        """Require a norm and distinct budgets for an attack with components, and reject them otherwise."""
        if self.level_kind != "eps":
            if self.norm or self.eps:
                measured = "clean accuracy" if self.method == "clean" else "accuracy under corruption"
                raise _error(f"measures {measured}, which has no norm and no eps; remove them")
            return
        if not self.norm:
            raise _error('has no norm; add norm = "Linf"')
        if not self.eps:
            raise _error('has no eps; add eps = ["1/255"]')
        if self.norm == "Linf" and (too_large := [eps.text for eps in self.eps if eps.exact > 1]):
            why = f"has eps {', '.join(too_large)}, but two pixels in [0,1] differ by at most 1"
            raise _error(f'{why}; write 8 of 255 as "8/255"')
        if len(set(self.eps)) < len(self.eps):
            raise _error("names one budget twice in eps; name each budget once")

    def _check_components(self) -> None:
        """Reject too few steps for L1, and a reference implementation that does not exist."""
        if self.norm == "L1" and self.method in WITHOUT_L1:
            raise _error(f"has norm L1, for which {self.method} is not defined; choose Linf or L2")
        for component in (COMPONENTS[name] for name in self.components):
            if self.norm == "L1" and "steps" in component.parameters and self.steps < component.fewest_steps_l1:
                fewest, reason = component.fewest_steps_l1, component.fewest_steps_l1_reason
                raise _error(f"has fewer than {fewest} steps, but {reason}; give {fewest} or more")
            if self.implementation == "reference" and component.reference is None:
                lacks = f"pyautoattack does not have {component.name}"
                raise _error(f'has implementation = "reference", but {lacks}; remove it')

    def _check_audit(self) -> None:
        """Reject an audit of anything but AutoAttack by alignsec's engine, and one together with `carry`."""
        if self.audit is None:
            return
        if self.method != "autoattack":
            raise _error(f'has audit, which {self.method} does not use; use method = "autoattack" or remove audit')
        if self.implementation == "reference":
            raise _error("has audit, which the reference does not have; remove implementation or audit")
        if self.carry:
            raise _error("has audit and carry, which cannot be combined; remove one of them")

    def _check_used_fields(self) -> None:
        """Reject fields that the attack does not use."""
        if self.keep is not None and self.level_kind != "eps":
            raise _error(f"has keep, but {self.method} makes no adversarial examples; remove it")
        if self.components and self.implementation == "reference" and self.shortcuts:
            fields = ", ".join(self.shortcuts)
            raise _error(f"has {fields}, which the reference does not have; remove implementation or {fields}")
        allowed = self.used_parameters | SHORTCUTS if self.components else frozenset[str]()
        if unused := sorted(self._changed_fields - allowed):
            choices = f"it uses {', '.join(sorted(allowed))}" if allowed else "it uses none"
            raise _error(f"has {', '.join(unused)}, which {self.method} does not use; {choices}")

    @property
    def series(self) -> str:
        """Name of the attack in the analysis, where all severities of a corruption are one attack."""
        return self.name.removesuffix(f"-{self.severity}")

    @property
    def is_custom(self) -> bool:
        """True for a user's own attack."""
        return custom.is_custom(self.method)

    @property
    def level_kind(self) -> LevelKind:
        """Kind of the attack's levels: budgets, severities, or clean images."""
        return find_kind(self.method)

    def level(self, budget: Budget) -> Level:
        """Return the level at a budget; for a corruption, its severity."""
        if self.severity is not None:
            return Level.from_severity(self.severity)
        return Level.clean() if self.level_kind == "clean" else Level.from_budget(budget)

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the components in the order in which they run, each on the images that are still robust."""
        return methods().get(self.method, ())

    def components_for(self, classes: int) -> tuple[str, ...]:
        """Return the components that run on a model with this number of classes."""
        return tuple(name for name in self.components if classes >= COMPONENTS[name].fewest_classes)

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """The budgets in ascending order; the budget 0 for clean images and corruptions, which have none."""
        return tuple(sorted(self.eps)) or (Budget.parse("0"),)

    def parameter_value(self, parameter: Parameter, component: str) -> int:
        """Return the value of a parameter for one component: the given value, or the standard one."""
        given: int | None = getattr(self, parameter)
        return self._standard_value(parameter, component) if given is None else given

    def _standard_value(self, parameter: Parameter, component: str) -> int:
        own = METHOD_STANDARDS.get(self.method, {}).get(component, {})
        return own.get(parameter, COMPONENTS[component].standard(parameter, self.norm))

    def parameters(self, component: str) -> dict[Parameter, int]:
        """Return the value of every parameter that a component uses."""
        return {name: self.parameter_value(name, component) for name in COMPONENTS[component].parameters}

    @property
    def used_parameters(self) -> frozenset[Parameter]:
        """Parameters that at least one component of the attack uses."""
        return frozenset[Parameter]().union(*(COMPONENTS[name].parameters for name in self.components))

    def values_by_component(self, parameter: Parameter, standard: bool = False) -> dict[str, int]:
        """Return a parameter's value, or its standard value, for every component that uses it."""
        users = (COMPONENTS[name] for name in self.components if parameter in COMPONENTS[name].parameters)
        return {
            user.name: self._standard_value(parameter, user.name)
            if standard
            else self.parameter_value(parameter, user.name)
            for user in users
        }

    @property
    def fingerprint(self) -> dict[str, object]:
        """Everything that changes the verdicts as JSON values, with eps exact; part of a pair's digest."""
        return dict(_compute_fingerprint(self))

    @cached_property
    def canonical_fingerprint(self) -> str:
        """The fingerprint's canonical JSON text."""
        return _compute_canonical_fingerprint(self)

    @property
    def shortcuts(self) -> dict[str, object]:
        """The shortcuts that have an effect. With one budget, `carry` has none."""
        used: dict[str, object] = {} if self.search == "fp32" else {"search": self.search}
        if self.compile:
            used["compile"] = True
        if self.audit is not None:
            used["audit"] = self.audit.fingerprint
        return {**used, "carry": True} if self.carry and len(self.eps) > 1 else used

    @property
    def _changed_fields(self) -> frozenset[str]:
        """Parameters and shortcuts that differ from the standard version for Linf and L2."""
        parameters = {name for name, usual in STANDARD.items() if getattr(self, name) not in {None, usual}}
        fields = type(self).model_fields
        shortcuts = {name for name in SHORTCUTS if getattr(self, name) != fields[name].default}
        return frozenset(parameters | shortcuts)


@lru_cache(maxsize=64)
def _compute_fingerprint(attack: Attack) -> dict[str, object]:
    """Cached, because reading 100,000 outcomes computes the id of each pair."""
    values: dict[str, object] = {}
    if attack.level_kind == "eps":
        batch = {"batch"} if attack.is_custom or attack.implementation == "reference" else set[str]()
        values = attack.model_dump(include={"implementation", "options", *batch})
        values |= {name: _merge(attack.values_by_component(name)) for name in attack.used_parameters}
    elif attack.level_kind == "severity":
        values = attack.model_dump(include={"corruption", "severity", "generator"})
    exact = [f"{budget.exact.numerator}/{budget.exact.denominator}" for budget in attack.budgets]
    fixed = {"name": attack.name, "method": attack.method, "norm": attack.norm, "eps": exact}
    return {**values, **fixed, **attack.shortcuts, "version": VERDICTS_VERSION}


@lru_cache(maxsize=1024)
def _compute_canonical_fingerprint(attack: Attack) -> str:
    return digest.canonical(attack.fingerprint).decode()


def _merge(values: dict[str, int]) -> object:
    """Return the value that all components share, or the value of each component."""
    return next(iter(values.values())) if len(set(values.values())) == 1 else values


def _error(why: str) -> PydanticCustomError:
    return PydanticCustomError("attack", "{why}", {"why": why})
