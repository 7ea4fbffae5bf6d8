"""Audits computed from a full run: roles, verdicts, passes and errors for any share, without the engine."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aggregate.statistics.audited import Estimate, clopper_pearson, estimate_accuracy
from alignsec.spec.audit import NOT_AUDITED, OUTSIDE, PILOT, SECOND
from alignsec.spec.audit_plan import StratumCounts, assign_pilot, assign_second, assign_strata, count_strata
from alignsec.spec.budget import Budget
from alignsec.spec.verdicts import UNAUDITED
from benchmarks.audit_runs import FullRun, component_cost

REDRAWS = 100
"""Audits of other images, drawn at random, from which errors are computed."""
SORTING_CLASSES = 9
_AUDITED = frozenset({*PILOT.values(), *SECOND.values()})


@dataclass(frozen=True)
class Replay:
    """The audit of one share."""

    roles: str
    verdicts: str
    passes: int
    """Forward + 2 x backward, with the distances, without the clean pass."""

    @property
    def strata(self) -> tuple[StratumCounts, ...]:
        """Counts of the strata."""
        return tuple(count_strata(self.roles, self.verdicts).values())

    @property
    def estimate(self) -> Estimate:
        """Estimate of the full attack's accuracy."""
        return estimate_accuracy(len(self.verdicts), self.strata)


def replay_audit(run: FullRun, share: Budget, targets: int = 1, ranks: Sequence[int] | None = None) -> Replay:
    """Return what the engine gives for a share.

    Args:
        run: The full run.
        share: Audited share.
        targets: Targets of APGD-T in the screen near the boundary.
        ranks: Digests that select the images; by default those of the run.
    """
    ranks = run.ranks if ranks is None else ranks
    strata = assign_strata(run.survivors, len(run.verdicts), run.survivors)
    screened = "".join(
        UNAUDITED
        if role == NOT_AUDITED["far"] or (role == NOT_AUDITED["near"] and not run.is_screened_out(image, targets))
        else run.verdicts[image]
        for image, role in enumerate(strata)
    )
    roles = assign_pilot(strata, screened, ranks, share)
    roles = assign_second(roles, _reveal(run, roles), ranks, share, full=False)
    return Replay(roles, _reveal(run, roles), _sum_costs(run, targets, roles))


def _reveal(run: FullRun, roles: str) -> str:
    """Return the verdicts that are known if the images with a role of an audit are audited."""
    return "".join(
        letter if role == OUTSIDE or role in _AUDITED else UNAUDITED
        for role, letter in zip(roles, run.verdicts, strict=True)
    )


def _sum_costs(run: FullRun, targets: int, roles: str) -> int:
    """Return the passes of an audit, with the distances of all survivors of APGD-CE."""
    far = component_cost(run.attack, "apgd-ce")
    near = far + (component_cost(run.attack, "apgd-t", targets) if targets else 0)
    screens = {NOT_AUDITED["far"]: far, NOT_AUDITED["near"]: near}
    searched = sum(screens.get(role, run.costs[image]) for image, role in enumerate(roles))
    return searched + 3 * SORTING_CLASSES * len(run.survivors)


def make_row(case: str, run: FullRun, share: str) -> dict[str, Any]:
    """Return the row of a share: the audit that the engine runs, and the errors of audits of other images."""
    images, budget = len(run.verdicts), Budget.parse(share)
    audit = replay_audit(run, budget)
    found, robust = audit.estimate, run.robust / images
    rng = np.random.default_rng(0)
    others = [replay_audit(run, budget, ranks=rng.permutation(images).tolist()) for _ in range(REDRAWS)]
    errors = [one.estimate.accuracy - robust for one in others]
    full_passes = sum(run.costs)
    sampling, within = robust * (1 - robust) / images, float(np.mean(np.square(errors)))
    passes = float(np.mean([one.passes for one in others]))
    survivors = sum(one.survivors for one in audit.strata)
    whole = replay_audit(run, Budget.parse("1")).strata
    broken = [one.broken for one in whole]
    full_low, full_high = clopper_pearson(run.robust, images, 0.05)
    return {
        "case": case,
        "kind": "run",
        "norm": run.attack.norm,
        "eps": run.attack.budgets[0].text,
        "images": images,
        "share": share,
        "survivors": round(survivors / images, 4),
        "audited": sum(one.audited for one in audit.strata),
        "p": round(sum(broken) / max(survivors, 1), 4),
        "broken_near": broken[0],
        "broken_far": broken[1],
        "cost_ratio": round(full_passes / passes * sampling / (sampling + within), 2) if sampling else None,
        "passes_ratio": round(full_passes / audit.passes, 2),
        "robust": round(robust, 4),
        "estimate": round(found.accuracy, 4),
        "error": round(found.accuracy - robust, 4),
        "rms_error": round(math.sqrt(within), 5),
        "bias": round(float(np.mean(errors)), 5),
        "coverage_exact": round(
            float(np.mean([one.estimate.low <= robust <= one.estimate.high for one in others])), 4
        ),
        "width": round(found.high - found.low, 4),
        "width_full": round(full_high - full_low, 4),
        "broken_after": _mean_early_cost(run),
        "seconds_full": run.seconds,
    }


def _mean_early_cost(run: FullRun) -> float | None:
    """Return the mean passes of an image that APGD-CE breaks."""
    costs = [run.cost(image) for image, (name, _, _) in run.broken_at.items() if name == "apgd-ce"]
    return round(float(np.mean(costs)), 1) if costs else None
