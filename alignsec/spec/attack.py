"""Attacks as a study writes them: which exist, what they may be told, what counts as standard."""

from functools import lru_cache
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from alignsec.errors import nearest
from alignsec.schema import StrictModel
from alignsec.spec import corruption
from alignsec.spec.budget import Budget
from alignsec.spec.components import COMPONENTS, STANDARD, Norm, Parameter, methods
from alignsec.spec.engine_limits import SLOTS

SearchPrecision = Literal["fp32", "tf32", "bf16"]


def _check_method(method: str) -> str:
    """Raise the error that pydantic raises for a Literal, so that the message lists the choices."""
    if method in (known := methods()):
        return method
    *most, last = (f"'{name}'" for name in known)
    expected = {"expected": f"{', '.join(most)} or {last}"}
    raise PydanticCustomError("literal_error", "Input should be {expected}", expected)


Method = Annotated[str, AfterValidator(_check_method)]
"""A key of `alignsec.spec.components.methods`: "clean", "corruption", "autoattack" or the name of a component."""

SHORTCUTS = frozenset({"search", "compile", "carry"})
"""What any attack of our engine takes, at a price in strength."""

SEVERITY = "severity "
"""Prefix of a corruption's level label, such as "severity 3"; the label of other attacks is eps."""

ANSWERS_VERSION = 1
"""Raised whenever a change to our code could change a verdict: it is part of every pair's digest."""


class Attack(StrictModel):
    """One attack at one or more budgets. The defaults are those of AutoAttack's standard version."""

    name: str = Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")
    """What tables and figures call it; unique in a study. A study may leave it out: method and norm then."""
    method: Method
    norm: Norm | None = None
    """The distance that eps bounds, in pixels of [0,1]; none for `clean` and `corruption`."""
    eps: tuple[Budget, ...] = ()
    corruption: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")] | None = None
    """Which of the common corruptions, or the folder of any other in the study's set of corrupted images. In a
    study a list, or a group of them, and the attack becomes one for each; so does severity."""
    severity: Annotated[int, Field(ge=1, le=5)] | None = None
    generator: str = ""
    """The library, with its version, that makes the corrupted images of the clean ones: not for a study to say.
    Empty where they come as a set."""
    steps: Annotated[int, Field(ge=1, le=10_000)] = STANDARD["steps"]
    """Gradient steps of APGD and FAB."""
    restarts: Annotated[int, Field(ge=1, le=100)] | None = None
    """Random starts of APGD; none where each component takes its standard number."""
    targets: Annotated[int, Field(ge=1, le=999)] | None = None
    """Most likely other classes that APGD-T and FAB-T aim at, none where each takes its standard number;
    classes - 1 where a model has fewer."""
    queries: Annotated[int, Field(ge=1, le=1_000_000)] = STANDARD["queries"]
    """Random squares that Square tries."""
    batch: Annotated[int, Field(ge=1, le=10_000)] = SLOTS
    """Most images the model is given at once. The reference's random draws depend on it, so it is part of its
    fingerprint; the engine's verdicts do not."""
    implementation: Literal["alignsec", "reference"] = "alignsec"
    """Our engine, or the package pyautoattack, which needs more passes for the same verdicts."""
    search: SearchPrecision = "fp32"
    """What the search computes in. An image is broken only if float32 confirms it, whatever this is; but less than
    float32 may miss what float32 finds. bf16 is torch's autocast; tf32 does nothing but on NVIDIA GPUs of compute
    capability 8.0 and newer."""
    compile: bool = False
    """The search's full batches go through torch.compile: other rounding and perhaps less time. An image is broken
    only if the network as it is confirms it in float32."""
    carry: bool = False
    """An image broken at one budget counts as broken at every larger one, without a search there."""

    @model_validator(mode="before")
    @classmethod
    def _name_it(cls, data: object) -> object:
        """An attack without a name is called by its method and norm."""
        if isinstance(data, dict) and "name" not in data and isinstance(data.get("method"), str):
            norm = data.get("norm")
            return {**data, "name": f"{data['method']}-{norm}" if isinstance(norm, str) else data["method"]}
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Clean images and corruptions have no distance; every attack proper has a norm, distinct budgets and its
        own parameters."""
        self._check_corruption()
        if self.method in {"clean", "corruption"}:
            if self.norm or self.eps:
                why = "clean accuracy, which has" if self.method == "clean" else "accuracy under corruption, with"
                raise PydanticCustomError("attack", f"is {why} no norm and no eps; remove them")
        elif not (self.norm and self.eps):
            missing = "norm" if not self.norm else "eps"
            example = 'norm = "Linf"' if not self.norm else 'eps = ["1/255"]'
            raise PydanticCustomError("attack", f"has no {missing}; add {example}")
        if self.norm == "Linf" and (above := [eps.text for eps in self.eps if eps.exact > 1]):
            why = f"has eps {', '.join(above)}, but no two pixels in [0,1] are further apart than 1"
            raise PydanticCustomError("attack", '{why}; write 8 of 255 as "8/255"', {"why": why})
        if len(set(self.eps)) < len(self.eps):
            raise PydanticCustomError("attack", "names one budget twice in eps; name each once")
        self._check_components()
        if self.components and self.implementation == "reference" and (ours := self._shortcuts):
            why = f"has {', '.join(ours)}, which the reference does not have; remove implementation or those"
            raise PydanticCustomError("attack", "{why}", {"why": why})
        allowed = self._taken | SHORTCUTS if self.components else frozenset[str]()
        if unused := sorted(self._unusual - allowed):
            can = f"it takes {', '.join(sorted(allowed))}" if allowed else "it takes none"
            raise PydanticCustomError(
                "attack", f"has {', '.join(unused)}, which {self.method} does not use; {can}"
            )
        return self

    def _check_components(self) -> None:
        """Reject too few steps for L1, and a reference implementation that does not exist."""
        for component in (COMPONENTS[name] for name in self.components):
            if self.norm == "L1" and "steps" in component.parameters and self.steps < component.fewest_steps_l1:
                fewest, reason = component.fewest_steps_l1, component.fewest_steps_l1_reason
                why = f"has fewer than {fewest} steps, but {reason}; give {fewest} or more"
                raise PydanticCustomError("attack", "{why}", {"why": why})
            if self.implementation == "reference" and component.reference is None:
                why = (
                    f'has implementation = "reference", but pyautoattack does not have {component.name}; remove it'
                )
                raise PydanticCustomError("attack", "{why}", {"why": why})

    def _check_corruption(self) -> None:
        """Type and severity go with corruptions, and only with them; only known types can be generated."""
        if self.method != "corruption":
            if self.corruption or self.severity or self.generator:
                why = 'has a corruption or a severity, which only method = "corruption" takes; remove them'
                raise PydanticCustomError("attack", why)
            return
        if not self.corruption:
            raise PydanticCustomError("attack", 'has no type; add corruption = ["fog"] or corruption = "common"')
        if not self.severity:
            raise PydanticCustomError("attack", "has no severity; add severity = [1, 3, 5]")
        known = (*corruption.COMMON, *corruption.EXTRA)
        if self.generator and self.corruption not in known:
            given = {"given": self.corruption, "why": nearest(self.corruption, known)}
            raise PydanticCustomError("attack", "has no such corruption as {given}; {why}", given)

    @property
    def series(self) -> str:
        """What the analysis calls it: the severities of a corruption are one attack there, as budgets are."""
        return self.name.removesuffix(f"-{self.severity}")

    def level(self, budget: Budget) -> tuple[str, float]:
        """A budget as the analysis writes it, and as a number to sort by: "1/255", or "severity 3"."""
        return (f"{SEVERITY}{self.severity}", self.severity) if self.severity else (budget.text, float(budget))

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the components in the order in which they run, each on the images that are still robust."""
        return methods()[self.method]

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """The budgets in ascending order; 0 for clean accuracy and corruptions, which have none."""
        return tuple(sorted(self.eps)) or (Budget.parse("0"),)

    def number(self, parameter: Parameter, component: str) -> int:
        """Return the value of a parameter for one component: the given value, or the standard one."""
        given: int | None = getattr(self, parameter)
        return COMPONENTS[component].standard(parameter, self.norm) if given is None else given

    def parameters(self, component: str) -> dict[Parameter, int]:
        """Return the value of every parameter that a component uses."""
        return {name: self.number(name, component) for name in COMPONENTS[component].parameters}

    @property
    def _taken(self) -> frozenset[Parameter]:
        """The parameters that mean something to this attack."""
        return frozenset[Parameter]().union(*(COMPONENTS[name].parameters for name in self.components))

    def _by_component(self, parameter: Parameter, standard: bool = False) -> dict[str, int]:
        users = (COMPONENTS[name] for name in self.components if parameter in COMPONENTS[name].parameters)
        return {
            user.name: user.standard(parameter, self.norm) if standard else self.number(parameter, user.name)
            for user in users
        }

    @property
    def fingerprint(self) -> dict[str, object]:
        """Everything that changes the verdicts, JSON-able, with eps exact: what a pair's digest is made of."""
        return dict(_fingerprint(self))

    def _asked(self) -> dict[str, object]:
        asked: dict[str, object] = {}
        if self.components:
            batch = {"batch"} if self.implementation == "reference" else set[str]()
            asked = self.model_dump(include={"implementation", *batch})
            asked |= {name: _one_or_each(self._by_component(name)) for name in self._taken}
        exact = [f"{b.exact.numerator}/{b.exact.denominator}" for b in self.budgets]
        fixed = {"name": self.name, "method": self.method, "norm": self.norm, "eps": exact}
        if self.method == "corruption":
            asked = self.model_dump(include={"corruption", "severity", "generator"})
        return {**asked, **fixed, **self._shortcuts, "version": ANSWERS_VERSION}

    @property
    def _shortcuts(self) -> dict[str, object]:
        """Those that are taken. At one budget there is nothing to carry to."""
        taken: dict[str, object] = {} if self.search == "fp32" else {"search": self.search}
        if self.compile:
            taken["compile"] = True
        return {**taken, "carry": True} if self.carry and len(self.eps) > 1 else taken

    @property
    def _unusual(self) -> frozenset[str]:
        """The fields of a search that are not as they are by default in Linf and L2."""
        told = {name for name, usual in STANDARD.items() if getattr(self, name) not in {None, usual}}
        fields = type(self).model_fields
        return frozenset({*told, *(name for name in SHORTCUTS if getattr(self, name) != fields[name].default)})

    @property
    def deviations(self) -> tuple[str, ...]:
        """How this attack differs from the reference's standard settings, in words for the report."""
        both = {name: (self._by_component(name), self._by_component(name, standard=True)) for name in self._taken}
        shortcuts = []
        if self.search != "fp32":
            shortcuts.append(f"searched in {self.search}, successes judged again in fp32 (standard: all in fp32)")
        if self.compile:
            shortcuts.append(
                "searched through torch.compile, successes judged again by the network as it is, in fp32 "
                "(standard: all by the network as it is)"
            )
        if "carry" in self._shortcuts:
            shortcuts.append(
                "images broken at one budget count as broken at larger ones, unattacked there "
                "(standard: every budget by itself)"
            )
        return (
            *(
                f"{name} = {getattr(self, name)} (standard: {_in_words(standard)})"
                for name, (asked, standard) in sorted(both.items())
                if asked != standard
            ),
            *shortcuts,
        )

    def run_on(self, classes: int) -> tuple[str, ...]:
        """The components that a model with so many classes admits."""
        return tuple(name for name in self.components if classes >= COMPONENTS[name].fewest_classes)

    def deviations_on(self, classes: int) -> list[str]:
        """How this attack on a model with so many classes differs from the standard one, for the report."""
        run = self.run_on(classes)
        notes = [f"not the standard attack: {text}" for text in self.deviations]
        aims = self._by_component("targets")
        if too_many := {part: aim for part, aim in aims.items() if part in run and aim > classes - 1}:
            wanted = _in_words(too_many)
            notes.append(f"{classes - 1} target classes instead of {wanted}: the model has {classes} classes")
        notes += [
            f"{name} left out: it needs {COMPONENTS[name].fewest_classes} classes, the model has {classes}"
            for name in self.components
            if name not in run
        ]
        return notes


@lru_cache(maxsize=64)
def _fingerprint(attack: Attack) -> dict[str, object]:
    """Worked out once for all pairs of an attack: each of 100,000 outcomes that are read is asked for its id."""
    return attack._asked()


def _one_or_each(numbers: dict[str, int]) -> object:
    """The number that all share, or each one's."""
    return next(iter(numbers.values())) if len(set(numbers.values())) == 1 else numbers


def _in_words(numbers: dict[str, int]) -> str:
    if len(set(numbers.values())) == 1:
        return str(next(iter(numbers.values())))
    return ", ".join(f"{number} for {component}" for component, number in numbers.items())
