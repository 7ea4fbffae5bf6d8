"""Audit: the `audit` key of an attack, and the letters that record each image's part in the audit.

An audited attack has a screen, which searches every image, and an audit: the remaining searches of the full attack
on a random sample of the images that survive the screen. docs/statistics.md ("Audited attacks") has the formulae.
"""

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from alignsec.schema import StrictModel
from alignsec.spec.budget import Budget

Stratum = Literal["near", "far"]
STRATA: tuple[Stratum, ...] = ("near", "far")
PILOT: dict[Stratum, str] = {"near": "p", "far": "q"}
SECOND: dict[Stratum, str] = {"near": "a", "far": "b"}
NOT_AUDITED: dict[Stratum, str] = {"near": "n", "far": "f"}
RULES_VERSION = 2
"""Part of the id of every audited pair. Increase it with every change of the rules that choose the images.

Version 1 had targets of APGD-T in the screen of every image, and at least four audited images in each stratum.
"""
OUTSIDE = "."
"""Role of an image that did not survive the screen."""
ROLES = {
    OUTSIDE: "did not survive the screen",
    **{NOT_AUDITED[one]: f"{one} stratum, not audited" for one in STRATA},
    **{PILOT[one]: f"{one} stratum, audited in the pilot" for one in STRATA},
    **{SECOND[one]: f"{one} stratum, audited after the pilot" for one in STRATA},
}
"""Meaning of each letter of a budget's `audit`."""


def _check_share(share: Budget) -> Budget:
    if not 0 < share.exact <= 1:
        raise ValueError('must be above 0 and at most 1, such as "0.05"')
    return share


STUDY_PRECISION = "study"
"""Precision of the study as a whole: the standard errors of its correlations grow by at most 5 %."""


def _check_precision(precision: str) -> str:
    if precision == STUDY_PRECISION:
        return precision
    try:
        error = Budget.parse(precision).exact
    except ValueError:
        error = Fraction(0)
    if not 0 < error < Fraction(1, 2):
        raise ValueError('must be "study", or a standard error above 0 and below 0.5, such as "0.01"')
    return precision


def _is_none(value: object) -> bool:
    return value is None


class Audit(StrictModel):
    """The `audit` key of an attack. Share and precision are text, so that they are exact."""

    share: Annotated[Budget, AfterValidator(_check_share)] | None = Field(default=None, exclude_if=_is_none)
    """Share of the survivors of the screen on which the remaining searches run. None until `precision` is
    resolved, which happens at the submission: the attack of a pair has a share."""
    precision: Annotated[str, AfterValidator(_check_precision)] | None = Field(default=None, exclude_if=_is_none)
    """Alternative to `share`: the largest standard error of a model's robust accuracy, or "study"."""
    targets: Annotated[int, Field(ge=0, le=9)] = 1
    """Target classes of APGD-T, the most likely wrong class first, in the screen of the images near the decision
    boundary. The screen of the other images is APGD-CE alone."""

    @model_validator(mode="after")
    def _check_alternatives(self) -> Self:
        if self.share is None and self.precision is None:
            raise _error('has neither share nor precision; add share = "0.05"')
        if self.share is not None and self.precision is not None:
            raise _error("has share and precision, which are alternatives; remove one of them")
        return self

    @property
    def resolved_share(self) -> Budget:
        """The share.

        Raises:
            ValueError: If `precision` is not resolved.
        """
        if self.share is None:
            raise ValueError("audit.precision needs a study, which chooses the share; give audit.share")
        return self.share

    @property
    def fingerprint(self) -> dict[str, object]:
        """The values that change verdicts, as JSON values."""
        exact = self.resolved_share.exact
        return {"share": f"{exact.numerator}/{exact.denominator}", "targets": self.targets, "rules": RULES_VERSION}


def _error(why: str) -> PydanticCustomError:
    return PydanticCustomError("audit", "{why}", {"why": why})


def _check_roles(roles: str) -> str:
    if unknown := roles.strip("".join(ROLES)):
        raise ValueError(f"unknown role {unknown[0]!r}; expected one of {', '.join(ROLES)}")
    return roles


Roles = Annotated[str, AfterValidator(_check_roles)]
"""One letter of `ROLES` per image; empty without an audit."""


def find_images(roles: str, letters: dict[Stratum, str]) -> list[int]:
    """Return the indices of the images that have one of the letters: PILOT, SECOND or NOT_AUDITED."""
    return [at for at, role in enumerate(roles) if role in letters.values()]
