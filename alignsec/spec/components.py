"""Attack components: one record each, from which every other list of components is derived.

To add a component, write its table in `alignsec/engine/attacks/` and add one record to `COMPONENTS`. This module
does not import torch, because submission runs on machines that do not have it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from alignsec.spec import reference_passes
from alignsec.spec.versions import AUTOATTACK_PLUS, AUTOATTACK_RAND

Norm = Literal["Linf", "L2", "L1"]
Parameter = Literal["steps", "restarts", "targets", "queries", "candidates", "eot"]
Parameters = Mapping[Parameter, int]

STANDARD: Parameters = {"steps": 100, "restarts": 1, "targets": 9, "queries": 5000, "candidates": 9, "eot": 20}
"""Parameter values of AutoAttack's versions for Linf and L2 (Croce & Hein 2020, arXiv 2003.01690)."""


class ImagePasses(NamedTuple):
    """Model passes of one image."""

    forward: int
    backward: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Breaker:
    """A cause of misclassification: an attack component or a corruption."""

    name: str
    """Name in studies and outcome files: lower-case words joined by hyphens."""
    letter: str
    """Verdict of an image that it broke: one ASCII letter, unique."""
    label: str
    """Name in the text of reports and warnings."""
    colour: str
    """Colour in figures, such as "#d55e00". The report adapts it to dark pages if it is one of the series colours
    of aggregate/figures/style.py."""

    def __post_init__(self) -> None:
        """Raise ValueError if a field cannot be written into verdicts, CSV columns or style sheets."""
        if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", self.name):
            raise ValueError(f"component name {self.name!r} must be lower-case words joined by hyphens")
        if not re.fullmatch(r"[A-Za-z]", self.letter):
            raise ValueError(f"{self.name}: letter {self.letter!r} must be one ASCII letter")
        if not re.fullmatch(r"#[0-9a-f]{6}", self.colour):
            raise ValueError(f"{self.name}: colour {self.colour!r} must have the form #d55e00")

    @property
    def column(self) -> str:
        """Name of the column in table.csv that counts the images it broke."""
        return f"broken_by_{self.name.replace('-', '_')}"

    @property
    def meaning(self) -> str:
        """Meaning of its letter, in legends of outcome files and figures."""
        return f"broken by {self.name}"


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The implementation of a component by the package pyautoattack."""

    run: str
    """`module:function` with the signature of the functions in alignsec/evaluation/reference.py."""
    most_forward_passes: Callable[[Parameters, Norm], int]
    """Forward passes of one image that stays robust at one budget, including the start, the component's own checks
    and the judge. An upper bound."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Component(Breaker):
    """One attack of a sequence, such as APGD-CE in AutoAttack."""

    parameters: tuple[Parameter, ...]
    """Parameters that it uses. An attack made only of components that do not use a parameter rejects it."""
    table: str
    """`module:Class` of the `alignsec.engine.table.Table` that runs it, imported when a job first needs it."""
    passes: Callable[[Parameters], ImagePasses]
    """Passes of one image that stays robust at one budget, for the resource estimate."""
    table_l1: str = ""
    """`module:Class` of the table for L1, if that is a different one."""
    standard_l1: Parameters = field(default_factory=dict)
    """Standard parameter values for L1 that differ from `STANDARD`."""
    fewest_classes: int = 2
    """Classes that a model must have. For a model with fewer, the component is left out."""
    fewest_steps_l1: int = 1
    """Fewest steps for L1."""
    fewest_steps_l1_reason: str = ""
    """The reason for `fewest_steps_l1`, for the error message."""
    gradient: bool = True
    """True if it needs gradients of the model."""
    minimizes: bool = False
    """True if it searches for the nearest adversarial image: its points may leave the budgets."""
    judged_twice: bool = False
    """True if a second pass must confirm a success, because the model may be randomised."""
    screens: bool = False
    """True if its searches are part of the screen of an audited attack (see `alignsec.spec.audit`)."""
    shared: bool = False
    """True if one search serves all budgets because it does not use eps."""
    reference: Reference | None = None
    """None if pyautoattack does not have it. A study then cannot ask for implementation = "reference"."""

    def standard(self, parameter: Parameter, norm: Norm | None) -> int:
        """Return the standard value of a parameter for a norm."""
        usual = STANDARD[parameter]
        return self.standard_l1.get(parameter, usual) if norm == "L1" else usual

    def table_path(self, norm: Norm) -> str:
        """Return `module:Class` of the table for a norm."""
        return self.table_l1 if norm == "L1" and self.table_l1 else self.table


def _searches(parameters: Parameters) -> int:
    return parameters.get("targets", 1) * parameters.get("restarts", 1)


def _apgd_passes(parameters: Parameters) -> ImagePasses:
    """Every step and the start take a gradient pass."""
    gradients = (parameters["steps"] + 1) * _searches(parameters)
    return ImagePasses(gradients, gradients)


def _fab_passes(parameters: Parameters) -> ImagePasses:
    """A step takes a gradient pass and a forward pass."""
    steps = parameters["steps"] * _searches(parameters)
    return ImagePasses(2 * steps, steps)


def _fab_untargeted_passes(parameters: Parameters) -> ImagePasses:
    """A step takes a gradient pass for each candidate class and one that judges the new point."""
    gradients = (parameters["candidates"] + 1) * parameters["steps"] * _searches(parameters)
    return ImagePasses(gradients, gradients)


def _eot_passes(parameters: Parameters) -> ImagePasses:
    """Every step and the start take one gradient pass for each draw of the model."""
    gradients = (parameters["steps"] + 1) * parameters["eot"] * _searches(parameters)
    return ImagePasses(gradients, gradients)


def _square_passes(parameters: Parameters) -> ImagePasses:
    return ImagePasses(parameters["queries"], 0)


_THREE_BALLS = "APGD in L1 takes them in three balls"

_RECORDS = (
    Component(
        name="apgd-ce",
        letter="c",
        label="APGD-CE",
        colour="#d55e00",
        parameters=("steps", "restarts"),
        screens=True,
        # Standard values for L1: Croce & Hein 2021 (arXiv 2103.01208) and pyautoattack.
        standard_l1={"restarts": 5},
        fewest_steps_l1=3,
        fewest_steps_l1_reason=_THREE_BALLS,
        table="alignsec.engine.attacks.apgd:ApgdTable",
        table_l1="alignsec.engine.attacks.apgd_l1:ApgdL1Table",
        passes=_apgd_passes,
        reference=Reference(
            run="alignsec.evaluation.reference:apgd_ce", most_forward_passes=reference_passes.apgd_ce
        ),
    ),
    Component(
        name="apgd-t",
        letter="t",
        label="APGD-T",
        colour="#e69f00",
        parameters=("steps", "restarts", "targets"),
        screens=True,
        standard_l1={"targets": 5},
        # Its targeted DLR loss uses the four largest logits (Croce & Hein 2020, eq. 9).
        fewest_classes=4,
        fewest_steps_l1=3,
        fewest_steps_l1_reason=_THREE_BALLS,
        table="alignsec.engine.attacks.apgd:ApgdTable",
        table_l1="alignsec.engine.attacks.apgd_l1:ApgdL1Table",
        passes=_apgd_passes,
        reference=Reference(
            run="alignsec.evaluation.reference:apgd_t", most_forward_passes=reference_passes.apgd_t
        ),
    ),
    Component(
        name="fab-t",
        letter="f",
        label="FAB-T",
        colour="#009e73",
        parameters=("steps", "targets"),
        # FAB searches for the nearest boundary, which answers every budget.
        minimizes=True,
        shared=True,
        table="alignsec.engine.attacks.fab:FabTable",
        passes=_fab_passes,
        reference=Reference(run="alignsec.evaluation.reference:fab_t", most_forward_passes=reference_passes.fab_t),
    ),
    Component(
        name="square",
        letter="s",
        label="Square",
        colour="#cc79a7",
        parameters=("queries",),
        gradient=False,
        table="alignsec.engine.attacks.square:SquareTable",
        passes=_square_passes,
        reference=Reference(
            run="alignsec.evaluation.reference:square", most_forward_passes=reference_passes.square
        ),
    ),
    Component(
        name="apgd-dlr",
        letter="d",
        label="APGD-DLR",
        colour="#56b4e9",
        parameters=("steps", "restarts"),
        standard_l1={"restarts": 5},
        # Its DLR loss uses the three largest logits (Croce & Hein 2020, eq. 7).
        fewest_classes=3,
        fewest_steps_l1=3,
        fewest_steps_l1_reason=_THREE_BALLS,
        table="alignsec.engine.attacks.apgd_dlr:ApgdDlrTable",
        table_l1="alignsec.engine.attacks.apgd_dlr:ApgdDlrL1Table",
        passes=_apgd_passes,
        reference=Reference(
            run="alignsec.evaluation.reference:apgd_dlr", most_forward_passes=reference_passes.apgd_ce
        ),
    ),
    Component(
        name="fab",
        letter="b",
        label="FAB",
        colour="#0072b2",
        parameters=("steps", "restarts", "candidates"),
        minimizes=True,
        table="alignsec.engine.attacks.fab_untargeted:FabUntargetedTable",
        passes=_fab_untargeted_passes,
        reference=Reference(run="alignsec.evaluation.reference:fab", most_forward_passes=reference_passes.fab),
    ),
    Component(
        name="apgd-ce-eot",
        letter="C",
        label="APGD-CE with EOT",
        colour="#d55e00",
        parameters=("steps", "restarts", "eot"),
        judged_twice=True,
        table="alignsec.engine.attacks.apgd_eot:ApgdCeEotTable",
        passes=_eot_passes,
        reference=Reference(
            run="alignsec.evaluation.reference:apgd_ce_eot", most_forward_passes=reference_passes.eot
        ),
    ),
    Component(
        name="apgd-dlr-eot",
        letter="D",
        label="APGD-DLR with EOT",
        colour="#56b4e9",
        parameters=("steps", "restarts", "eot"),
        judged_twice=True,
        fewest_classes=3,
        table="alignsec.engine.attacks.apgd_eot:ApgdDlrEotTable",
        passes=_eot_passes,
        reference=Reference(
            run="alignsec.evaluation.reference:apgd_dlr_eot", most_forward_passes=reference_passes.eot
        ),
    ),
)
COMPONENTS: dict[str, Component] = {component.name: component for component in _RECORDS}
"""Every component by its name, in the order of the columns of table.csv."""

AUTOATTACK = ("apgd-ce", "apgd-t", "fab-t", "square")
"""Components of AutoAttack's standard version, in its order (Croce & Hein 2020, arXiv 2003.01690)."""

CORRUPTION = Breaker(name="corruption", letter="x", label="corruption", colour="#d55e00")
"""A common corruption of the image, which is not an attack component."""

CUSTOM = Breaker(name="custom", letter="p", label="custom attack", colour="#d55e00")
"""A user's own attack, `python:FILE:CALLABLE`. A study has at most one in each pair."""


def breakers() -> tuple[Breaker, ...]:
    """Return everything that can break an image: the components, then the corruption and a user's own attack."""
    return (*COMPONENTS.values(), CORRUPTION, CUSTOM)


def methods() -> dict[str, tuple[str, ...]]:
    """Return the component names of each method that a study can name, in the order in which they run."""
    sequences = {
        "autoattack": AUTOATTACK,
        "autoattack-plus": AUTOATTACK_PLUS,
        "autoattack-rand": AUTOATTACK_RAND,
    }
    return {"clean": (), "corruption": (), **sequences, **{name: (name,) for name in COMPONENTS}}
