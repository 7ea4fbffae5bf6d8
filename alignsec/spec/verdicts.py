"""Verdicts: one letter per image and budget, and the counts that an outcome file stores with them."""

from operator import not_
from typing import Annotated

from pydantic import AfterValidator, Field

from alignsec.schema import StrictModel
from alignsec.spec.audit import Roles
from alignsec.spec.budget import Budget
from alignsec.spec.components import COMPONENTS, breakers

ROBUST = "R"
WRONG = "W"
MENDED = "m"
UNAUDITED = "U"
"""Survived the screen of an audited attack; the other searches did not run."""


def legend() -> dict[str, str]:
    """Return the meaning of each verdict letter. Every record contains it, so that a file explains itself."""
    return {
        ROBUST: (
            "robust: classified correctly, clean and corrupted, or no adversarial image found within the budget"
        ),
        WRONG: "wrong when clean",
        MENDED: "wrong when clean, classified correctly when corrupted",
        **{breaker.letter: breaker.meaning for breaker in breakers()},
        UNAUDITED: "survived the screen of an audited attack; the remaining searches did not run",
    }


def broken_letters() -> str:
    """Return the letters of all verdicts that mean broken."""
    return "".join(breaker.letter for breaker in breakers())


def _known_letters(verdicts: str) -> str:
    if unknown := verdicts.strip(f"{ROBUST}{WRONG}{MENDED}{UNAUDITED}{broken_letters()}"):
        raise ValueError(f"unknown verdict {unknown[0]!r}; expected one of {', '.join(legend())}")
    return verdicts


def _none_negative(counts: list[int]) -> list[int]:
    if counts and min(counts) < 0:
        raise ValueError("every number must be greater than or equal to 0")
    return counts


Count = Annotated[int, Field(ge=0)]
Counts = Annotated[list[int], AfterValidator(_none_negative)]
"""Validated as a whole: a bound on each of thousands of numbers takes four times as long as reading them."""
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Distance = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Passes(StrictModel):
    """Model passes, counted in images: one pass of a batch of 32 images counts 32."""

    forward: Count = 0
    backward: Count = 0


def _known_breakers(passes: dict[str, Passes]) -> dict[str, Passes]:
    if unknown := passes.keys() - {breaker.name for breaker in breakers()}:
        raise ValueError(f"unknown component {min(unknown)!r}; expected one of {', '.join(COMPONENTS)}")
    return passes


class BudgetVerdicts(StrictModel):
    """The verdicts at one budget: one letter per image, in the order of the record's images."""

    eps: Budget
    verdicts: Annotated[str, AfterValidator(_known_letters)]
    largest_distance: Distance
    """Largest distance of a confirmed adversarial image, in the attack's norm, computed in float64."""
    broken_at_step: Counts = []
    """For each broken image, in the order of the letters: the step of the search that broke it, 0 for a random
    start. Empty for the reference implementation and custom attacks, which do not report it."""
    broken_at_distance: list[Distance] = []
    """For each broken image, in the same order: the distance of the adversarial image, in the attack's norm,
    rounded."""
    rejected: Count = 0
    """Number of images that a component reported as broken and the check in float32 did not confirm."""
    seconds: Seconds
    passes: Annotated[dict[str, Passes], AfterValidator(_known_breakers)]
    """Passes by component, or under the key "corruption" or "custom"."""
    audit: Roles = Field(default="", exclude_if=not_)
    """One letter of `alignsec.spec.audit.ROLES` per image: its stratum and its part in the audit. Empty unless the
    attack is audited."""

    @property
    def robust(self) -> int:
        """Number of images classified correctly under the attack.

        Under a corruption, this includes images that are wrong when clean, as accuracy on ImageNet-C does
        (Hendrycks & Dietterich 2019, section 4.1). Under an audited attack, it includes images that were not
        audited.
        """
        return sum(map(self.verdicts.count, (ROBUST, MENDED, UNAUDITED)))


def round_distance(distance: float) -> float:
    """Round to six digits. Pixels are float32, whose seventh digit is noise, and distances are half of a file."""
    return float(f"{distance:.6g}")
