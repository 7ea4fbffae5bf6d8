"""Audit: the `audit` key of an attack, and the letters that record each image's part in the audit.

An audited attack has a screen, which searches every image, and an audit: the remaining searches of the full attack
on a random sample of the images that survive the screen. docs/statistics.md ("Audited attacks") has the formulae.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from alignsec.schema import StrictModel
from alignsec.spec.budget import Budget

Stratum = Literal["near", "far"]
STRATA: tuple[Stratum, ...] = ("near", "far")
PILOT: dict[Stratum, str] = {"near": "p", "far": "q"}
SECOND: dict[Stratum, str] = {"near": "a", "far": "b"}
NOT_AUDITED: dict[Stratum, str] = {"near": "n", "far": "f"}
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


class Audit(StrictModel):
    """The `audit` key of an attack. The share is text, so that it is exact."""

    share: Annotated[Budget, AfterValidator(_check_share)]
    """Share of the survivors of the screen on which the remaining searches run."""
    targets: Annotated[int, Field(ge=0, le=9)] = 1
    """Target classes of APGD-T that are part of the screen, the most likely wrong class first."""

    @property
    def fingerprint(self) -> dict[str, object]:
        """The values that change verdicts, as JSON values."""
        return {"share": f"{self.share.exact.numerator}/{self.share.exact.denominator}", "targets": self.targets}


def _check_roles(roles: str) -> str:
    if unknown := roles.strip("".join(ROLES)):
        raise ValueError(f"unknown role {unknown[0]!r}; expected one of {', '.join(ROLES)}")
    return roles


Roles = Annotated[str, AfterValidator(_check_roles)]
"""One letter of `ROLES` per image; empty without an audit."""


def find_images(roles: str, letters: dict[Stratum, str]) -> list[int]:
    """Return the indices of the images that have one of the letters: PILOT, SECOND or NOT_AUDITED."""
    return [at for at, role in enumerate(roles) if role in letters.values()]
