"""Audit plan: the images of each stratum that are audited, and the counts from which the analysis estimates.

There are no random numbers: which images are audited follows from digests. docs/statistics.md ("Audited attacks")
describes the rules.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from alignsec.spec.audit import NOT_AUDITED, OUTSIDE, PILOT, SECOND, STRATA, Stratum
from alignsec.spec.budget import Budget
from alignsec.spec.verdicts import ROBUST

NEAR_SHARE = 8
"""One of this number of survivors belongs to the stratum nearest to the decision boundary."""
FEWEST = 4
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


def sample_sizes(survivors: int, share: Budget) -> dict[Stratum, int]:
    """Return the number of audited images of each stratum.

    Half of the sample is near the boundary, as far as there are so many near survivors. The numbers never decrease
    if the share increases, so that a larger share contains the smaller one.

    Args:
        survivors: Images that survived the screen.
        share: Share of them to audit.
    """
    total = math.ceil(survivors * share.exact)
    available = stratum_sizes(survivors)
    near = min(available["near"], max(math.ceil(total / 2), min(FEWEST, available["near"])))
    far = min(available["far"], max(total - near, min(FEWEST, available["far"])))
    return {"near": near, "far": far}


def stratum_sizes(survivors: int) -> dict[Stratum, int]:
    """Return the number of survivors in each stratum."""
    near = math.ceil(survivors / NEAR_SHARE)
    return {"near": near, "far": survivors - near}


def pilot_size(sample: int) -> int:
    """Return the number of a stratum's audited images that belong to the pilot: a quarter."""
    return math.ceil(sample / 4) if sample else 0


def assign_pilot(survivors: Sequence[int], images: int, nearest: Sequence[int], ranks: Sequence[int],
                 share: Budget) -> str:  # fmt: skip
    """Return the roles before the audit: the strata, and the images of the pilot.

    Args:
        survivors: Indices of the images that survived the screen.
        images: Number of images of the task.
        nearest: Image indices in ascending order of their distance to the boundary.
        ranks: A digest for each image; images with small digests are audited first.
        share: Share of the survivors to audit.
    """
    alive, roles = set(survivors), [OUTSIDE] * images
    ordered = [image for image in nearest if image in alive]
    near, sizes = stratum_sizes(len(ordered))["near"], sample_sizes(len(ordered), share)
    members: dict[Stratum, list[int]] = {"near": ordered[:near], "far": ordered[near:]}
    for stratum in STRATA:
        pilot = pilot_size(sizes[stratum])
        for at, image in enumerate(sorted(members[stratum], key=lambda one: ranks[one])):
            roles[image] = (PILOT if at < pilot else NOT_AUDITED)[stratum]
    return "".join(roles)


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
    sizes = sample_sizes(sum(one.survivors for one in counts.values()), share)
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
