"""Audit plan: the images of each stratum that are audited, and the counts from which the analysis estimates.

There are no random numbers: which images are audited follows from digests. docs/statistics.md ("Audited attacks")
describes the rules.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alignsec.spec.audit import NOT_AUDITED, OUTSIDE, PILOT, SECOND, STRATA, Stratum
from alignsec.spec.budget import Budget
from alignsec.spec.verdicts import ROBUST, UNAUDITED

NEAR_SHARE = 8
"""One of this number of survivors belongs to the stratum nearest to the decision boundary."""
FEWEST: dict[Stratum, int] = {"near": 4, "far": 3}
"""Smallest sample of a stratum with at least as many survivors; a smaller stratum is audited as a whole."""
GUARD_SHARE = 0.05
"""If the pilot estimates that more than this share of the survivors is broken, all survivors are audited."""
GUARD_COUNT = 2
"""Number of broken pilot images below which the guard does nothing."""


@dataclass(frozen=True)
class StratumCounts:
    """Counts of one stratum at one budget."""

    survivors: int
    """Images that survived the screen."""
    pilot: int
    """Images audited in the pilot."""
    pilot_broken: int
    second: int
    """Images audited after the pilot."""
    second_broken: int

    @property
    def audited(self) -> int:
        """Audited images."""
        return self.pilot + self.second

    @property
    def broken(self) -> int:
        """Audited images that the full attack broke."""
        return self.pilot_broken + self.second_broken


def sample_sizes(survivors: Mapping[Stratum, int], share: Budget) -> dict[Stratum, int]:
    """Return the number of audited images of each stratum.

    Half of the sample is near the boundary, as far as there are so many near survivors. The numbers never decrease
    if the share increases, so that a larger share contains the smaller one.

    Args:
        survivors: Images of each stratum that survived the screen.
        share: Share of them to audit.
    """
    total = math.ceil(sum(survivors.values()) * share.exact)
    near = min(survivors["near"], max(math.ceil(total / 2), FEWEST["near"]))
    far = min(survivors["far"], max(total - near, FEWEST["far"]))
    return {"near": near, "far": far}


def stratum_sizes(survivors: int) -> dict[Stratum, int]:
    """Return the number of images in each stratum among those that survive the untargeted part of the screen."""
    near = math.ceil(survivors / NEAR_SHARE)
    return {"near": near, "far": survivors - near}


def pilot_size(sample: int) -> int:
    """Return the number of a stratum's audited images that belong to the pilot: a quarter, rounded down."""
    return sample // 4


def assign_strata(survivors: Sequence[int], images: int, nearest: Sequence[int]) -> str:
    """Return the roles after the untargeted part of the screen: the strata.

    Args:
        survivors: Indices of the images that survived it.
        images: Number of images of the task.
        nearest: Image indices in ascending order of their distance to the boundary.
    """
    alive, roles = set(survivors), [OUTSIDE] * images
    near = stratum_sizes(len(alive))["near"]
    for at, image in enumerate(image for image in nearest if image in alive):
        roles[image] = NOT_AUDITED["near" if at < near else "far"]
    return "".join(roles)


def assign_pilot(strata: str, verdicts: str, ranks: Sequence[int], share: Budget) -> str:
    """Return the roles before the audit: the strata of the screen's survivors, and the images of the pilot.

    Args:
        strata: Result of `assign_strata`.
        verdicts: Verdict letters after the screen.
        ranks: A digest for each image; images with small digests are audited first.
        share: Share of the survivors to audit.
    """
    alive = [role if verdict == UNAUDITED else OUTSIDE for role, verdict in zip(strata, verdicts, strict=True)]
    members = {one: [at for at, role in enumerate(alive) if role == NOT_AUDITED[one]] for one in STRATA}
    sizes = sample_sizes({one: len(images) for one, images in members.items()}, share)
    for stratum, images in members.items():
        for image in sorted(images, key=lambda at: ranks[at])[: pilot_size(sizes[stratum])]:
            alive[image] = PILOT[stratum]
    return "".join(alive)


def assign_second(roles: str, verdicts: str, ranks: Sequence[int], share: Budget, full: bool) -> str:
    """Return the roles after the pilot: all survivors if the guard says so, otherwise the rest of the sample.

    Args:
        roles: Result of `assign_pilot`.
        verdicts: Verdict letters after the pilot.
        ranks: As for `assign_pilot`.
        share: As for `assign_pilot`.
        full: True if the model needs the full attack, whatever the pilot found.
    """
    counts = count_strata(roles, verdicts)
    full = full or is_guarded(counts)
    sizes = sample_sizes({stratum: one.survivors for stratum, one in counts.items()}, share)
    found = list(roles)
    for stratum in STRATA:
        left = sorted(
            (at for at, role in enumerate(roles) if role == NOT_AUDITED[stratum]), key=lambda at: ranks[at]
        )
        wanted = len(left) if full else sizes[stratum] - counts[stratum].pilot
        for image in left[:wanted]:
            found[image] = SECOND[stratum]
    return "".join(found)


def is_guarded(counts: dict[Stratum, StratumCounts]) -> bool:
    """Return whether the pilot asks for the audit of all survivors."""
    broken = sum(one.pilot_broken for one in counts.values())
    total = sum(one.survivors for one in counts.values())
    estimate = sum(one.survivors * one.pilot_broken / one.pilot for one in counts.values() if one.pilot)
    return broken >= GUARD_COUNT and estimate > GUARD_SHARE * total


def count_strata(roles: str, verdicts: str) -> dict[Stratum, StratumCounts]:
    """Return the counts of each stratum.

    Args:
        roles: Role letters of one budget.
        verdicts: Verdict letters of the same images.
    """
    pairs = list(zip(roles, verdicts, strict=True))
    result: dict[Stratum, StratumCounts] = {}
    for stratum in STRATA:
        pilot = [verdict for role, verdict in pairs if role == PILOT[stratum]]
        second = [verdict for role, verdict in pairs if role == SECOND[stratum]]
        unaudited = roles.count(NOT_AUDITED[stratum])
        result[stratum] = StratumCounts(
            unaudited + len(pilot) + len(second),
            len(pilot),
            sum(verdict != ROBUST for verdict in pilot),
            len(second),
            sum(verdict != ROBUST for verdict in second),
        )
    return result
