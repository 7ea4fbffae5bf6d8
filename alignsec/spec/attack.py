"""Attacks as a study writes them: which exist, what they may be told, what counts as standard."""

from functools import lru_cache
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from alignsec.errors import nearest
from alignsec.schema import StrictModel
from alignsec.spec import corruption
from alignsec.spec.budget import Budget

Component = Literal["apgd-ce", "apgd-t", "fab-t", "square"]
Method = Literal["clean", "corruption", "autoattack", "apgd-ce", "apgd-t", "fab-t", "square"]
Breaker = Literal["apgd-ce", "apgd-t", "fab-t", "square", "corruption"]
"""What a verdict names when an image is broken: a component, or the corruption."""
Norm = Literal["Linf", "L2", "L1"]
Parameter = Literal["steps", "restarts", "targets", "queries"]
SearchPrecision = Literal["fp32", "tf32", "bf16"]

COMPONENTS: dict[Method, tuple[Component, ...]] = {
    "clean": (),
    "corruption": (),
    # Croce & Hein 2020 (arXiv 2003.01690), the "standard" version, in its order.
    "autoattack": ("apgd-ce", "apgd-t", "fab-t", "square"),
    "apgd-ce": ("apgd-ce",),
    "apgd-t": ("apgd-t",),
    "fab-t": ("fab-t",),
    "square": ("square",),
}
PARAMETERS: dict[Component, frozenset[Parameter]] = {
    "apgd-ce": frozenset({"steps", "restarts"}),
    "apgd-t": frozenset({"steps", "restarts", "targets"}),
    "fab-t": frozenset({"steps", "targets"}),
    "square": frozenset({"queries"}),
}
SHORTCUTS = frozenset({"search", "compile", "carry"})
"""What any attack of our engine takes, at a price in strength."""

STANDARD: dict[Parameter, int] = {"steps": 100, "restarts": 1, "targets": 9, "queries": 5000}
"""Of the standard version, for Linf and L2."""
STANDARD_L1: dict[tuple[Component, Parameter], int] = {("apgd-ce", "restarts"): 5, ("apgd-t", "targets"): 5}
"""Where the standard version for L1 differs (Croce & Hein 2021, arXiv 2103.01208, and the reference's code)."""
FEWEST_STEPS_L1 = 3
"""APGD in L1 spends its steps in three balls, each smaller than the one before."""

SEVERITY = "severity "
"""Prefix of a corruption's level label, such as "severity 3"; the label of other attacks is eps."""

FEWEST_CLASSES: dict[Component, int] = {"apgd-ce": 2, "apgd-t": 4, "fab-t": 2, "square": 2}
"""The targeted DLR loss of APGD-T looks at the four largest logits (Croce & Hein 2020, eq. 9)."""

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
    batch: Annotated[int, Field(ge=1, le=10_000)] = 100
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
        if self.norm == "L1" and self.steps < FEWEST_STEPS_L1 and {"apgd-ce", "apgd-t"} & {*self.components}:
            raise PydanticCustomError(
                "attack", "has fewer than 3 steps, but APGD in L1 takes them in three balls; give 3 or more"
            )
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
    def components(self) -> tuple[Component, ...]:
        """What is run, in order, each on the images that are still robust."""
        return COMPONENTS[self.method]

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """The budgets in ascending order; 0 for clean accuracy and corruptions, which have none."""
        return tuple(sorted(self.eps)) or (Budget.parse("0"),)

    def number(self, parameter: Parameter, component: Component) -> int:
        """What a parameter comes to for one component: what was asked for, or the standard's."""
        asked: int | None = getattr(self, parameter)
        return self._standard(parameter, component) if asked is None else asked

    def _standard(self, parameter: Parameter, component: Component) -> int:
        usual = STANDARD[parameter]
        return STANDARD_L1.get((component, parameter), usual) if self.norm == "L1" else usual

    @property
    def _taken(self) -> frozenset[Parameter]:
        """The parameters that mean something to this attack."""
        return frozenset[Parameter]().union(*(PARAMETERS[component] for component in self.components))

    def _by_component(self, parameter: Parameter, standard: bool = False) -> dict[Component, int]:
        number = self._standard if standard else self.number
        parts = (part for part in self.components if parameter in PARAMETERS[part])
        return {part: number(parameter, part) for part in parts}

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

    def run_on(self, classes: int) -> tuple[Component, ...]:
        """The components that a model with so many classes admits."""
        return tuple(component for component in self.components if classes >= FEWEST_CLASSES[component])

    def deviations_on(self, classes: int) -> list[str]:
        """How this attack on a model with so many classes differs from the standard one, for the report."""
        run = self.run_on(classes)
        notes = [f"not the standard attack: {text}" for text in self.deviations]
        aims = self._by_component("targets")
        if too_many := {part: aim for part, aim in aims.items() if part in run and aim > classes - 1}:
            wanted = _in_words(too_many)
            notes.append(f"{classes - 1} target classes instead of {wanted}: the model has {classes} classes")
        notes += [
            f"{component} left out: it needs {FEWEST_CLASSES[component]} classes, the model has {classes}"
            for component in self.components
            if component not in run
        ]
        return notes


@lru_cache(maxsize=64)
def _fingerprint(attack: Attack) -> dict[str, object]:
    """Worked out once for all pairs of an attack: each of 100,000 outcomes that are read is asked for its id."""
    return attack._asked()


def _one_or_each(numbers: dict[Component, int]) -> object:
    """The number that all share, or each one's."""
    return next(iter(numbers.values())) if len(set(numbers.values())) == 1 else numbers


def _in_words(numbers: dict[Component, int]) -> str:
    if len(set(numbers.values())) == 1:
        return str(next(iter(numbers.values())))
    return ", ".join(f"{number} for {component}" for component, number in numbers.items())
