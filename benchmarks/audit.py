"""Simulate audited attacks, compare audits of real networks with full attacks, and write audit.json.

    python -m benchmarks.audit

docs/statistics.md ("Audited attacks") describes the estimator. Each row simulates many models: images are drawn,
some survive the screen, the full attack would break a planted share p of the survivors, and the audit runs as the
engine does it, with pilot and guard. `cost_ratio` compares passes (forward + 2 x backward) at equal variance.

Rows of the kind "run" come from full attacks on real networks, which are cached: with --only, one kind of rows is
measured again and the others are kept. A run that was interrupted continues where it was saved.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aggregate.statistics.audited import estimate_accuracy, pool_strata, pooled_interval
from alignsec.spec.attack import Attack
from alignsec.spec.audit import STRATA, Stratum
from alignsec.spec.audit_plan import StratumCounts, is_guarded, pilot_size, sample_sizes, stratum_sizes
from alignsec.spec.budget import Budget
from alignsec.spec.components import COMPONENTS
from benchmarks import audit_chart
from benchmarks.audit_cases import list_cases
from benchmarks.audit_replay import make_row

RESULTS = Path(__file__).parent / "results" / "audit.json"
CACHE = Path(__file__).parents[1] / "build" / "audit-runs"
SHARES = ("0.02", "0.05", "0.1", "0.2")
SURVIVORS = (0.15, 0.3, 0.5)
BROKEN = (0.0, 0.005, 0.01, 0.04, 0.4)
IMAGES = 1000
MODELS = 144
BROKEN_AFTER = 30
"""Passes (forward + 2 x backward) of an image that APGD-CE breaks. The mean was 6 to 9 on digits, undefended and
adversarially trained, and 6, 34 and 14 on the MNIST network at Linf 0.1, 0.15 and 0.2."""
SORTING = 27
"""Passes for the linearised distances of a survivor: 9 forward and 9 backward."""
_STANDARD = Attack.model_validate({"method": "autoattack", "norm": "Linf", "eps": ["1/255"]})
Row = dict[str, Any]


def full_cost() -> int:
    """Return the passes of the standard attack for an image that stays robust."""
    return sum(_cost(name, None) for name in _STANDARD.components)


def screen_cost(stratum: Stratum, targets: int = 1) -> int:
    """Return the passes of the screen for an image of a stratum that survives it."""
    return _cost("apgd-ce", None) + (_cost("apgd-t", targets) if targets and stratum == "near" else 0)


def audited_cost(strata: Sequence[StratumCounts]) -> int:
    """Return the passes of an audited attack for its survivors, which all stay robust."""
    total = 0
    for stratum, one in zip(STRATA, strata, strict=True):
        screen = screen_cost(stratum)
        total += one.survivors * (screen + SORTING) + one.audited * (full_cost() - screen)
    return total


def _cost(name: str, targets: int | None) -> int:
    parameters = _STANDARD.parameters(name) | ({"targets": targets} if targets else {})
    passes = COMPONENTS[name].passes(parameters)
    return passes.forward + 2 * passes.backward


def simulate_model(
    rng: np.random.Generator, survivors: float, p: float, near_part: float, share: Budget
) -> tuple[list[StratumCounts], int]:
    """Return the counts of an audit, and the survivors of the full attack.

    Args:
        rng: Random numbers.
        survivors: Probability that an image survives the screen.
        p: Share of the survivors that the full attack breaks.
        near_part: Part of the broken survivors in the near stratum.
        share: Share of the survivors to audit.
    """
    alive = int(rng.binomial(IMAGES, survivors))
    sizes = stratum_sizes(alive)
    samples = sample_sizes(sizes, share)
    chances = {
        "near": min(1.0, p * near_part * alive / max(sizes["near"], 1)),
        "far": min(1.0, p * (1 - near_part) * alive / max(sizes["far"], 1)),
    }
    broken = {one: rng.random(sizes[one]) < chances[one] for one in sizes}
    pilots = {one: pilot_size(samples[one]) for one in sizes}
    counts = {
        one: StratumCounts(sizes[one], pilots[one], int(broken[one][: pilots[one]].sum()), 0, 0) for one in sizes
    }
    ends = sizes if is_guarded(counts) else samples
    strata = [
        StratumCounts(
            sizes[one],
            pilots[one],
            counts[one].pilot_broken,
            ends[one] - pilots[one],
            int(broken[one][pilots[one] : ends[one]].sum()),
        )
        for one in sizes
    ]
    return strata, alive - int(sum(each.sum() for each in broken.values()))


def simulate(survivors: float, p: float, near_part: float, share: str, studies: int) -> Row:
    """Return the row of one planted population.

    Args:
        survivors: Probability that an image survives the screen.
        p: Share of the survivors that the full attack breaks.
        near_part: Part of them in the near stratum; an eighth is no difference between the strata.
        share: Audited share.
        studies: Simulated studies of MODELS models each.
    """
    rng = np.random.default_rng([round(survivors * 1000), round(p * 1000), round(near_part * 1000), len(share)])
    truth, budget = survivors * (1 - p), Budget.parse(share)
    exact, pooled_hits, spent, within = 0, 0, 0, []
    for _ in range(studies):
        models = [simulate_model(rng, survivors, p, near_part, budget) for _ in range(MODELS)]
        pooled = pool_strata([strata for strata, _ in models])
        for strata, robust in models:
            found = estimate_accuracy(IMAGES, strata)
            low, high = pooled_interval(IMAGES, strata, pooled)
            exact += found.low <= truth <= found.high
            pooled_hits += low <= truth <= high
            within.append(found.accuracy - robust / IMAGES)
            spent += audited_cost(strata)
    runs = studies * MODELS
    early = (1 - survivors) * BROKEN_AFTER
    whole = survivors * full_cost() + early
    cost, sampling = spent / runs / IMAGES + early, truth * (1 - truth) / IMAGES
    return {
        "case": "far images break too" if near_part < 0.5 else "near images break",
        "kind": "simulation",
        "share": share,
        "survivors": survivors,
        "p": p,
        # Given the images, the audit's error has mean 0, so that its variance adds to that of the images.
        "cost_ratio": round(whole / cost / (1 + float(np.var(within)) / sampling), 2),
        "passes_ratio": round(whole / cost, 2),
        "coverage_exact": round(exact / runs, 4),
        "coverage_pooled": round(pooled_hits / runs, 4),
        "rms_error": round(math.sqrt(float(np.mean(np.square(within)))), 5),
        "bias": round(float(np.mean(within)), 5),
        "correlation_shift": round(correlation_shift(rng, float(np.std(within))), 4),
    }


def correlation_shift(rng: np.random.Generator, error: float, studies: int = 200) -> float:
    """Return the rms change of a correlation of 0.4 over MODELS models, in its standard errors.

    Robust accuracies under the full attack have a standard deviation of 0.1 over models.

    Args:
        rng: Random numbers.
        error: Standard deviation of the audit's error of one model.
        studies: Simulated studies.
    """
    score, other, audit = rng.standard_normal((3, studies, MODELS))
    robust = 0.1 * (0.4 * score + math.sqrt(1 - 0.4**2) * other)
    before, after = (_correlate(score, values) for values in (robust, robust + error * audit))
    return float(np.sqrt(np.mean((after - before) ** 2)) * math.sqrt(MODELS - 1) / (1 - 0.4**2))


def _correlate(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    a, b = (values - values.mean(axis=1, keepdims=True) for values in (a, b))
    result: np.ndarray[Any, Any] = (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return result


def list_rows(studies: int) -> Iterator[Row]:
    """Yield the rows of all planted populations."""
    for near_part in (1.0, 0.125):
        for survivors in SURVIVORS:
            for p in BROKEN:
                if near_part == 1.0 and p > 0.1:
                    continue  # The near stratum has too few images.
                for share in SHARES:
                    yield simulate(survivors, p, near_part, share, studies)


def measure_runs(cache: Path, *, cached: bool) -> Iterator[Row]:
    """Yield the rows of audits of real networks.

    Args:
        cache: Folder for finished full attacks, and for the state of one that was interrupted.
        cached: Leave out cases that are not in the cache.
    """
    torch.set_num_threads(1)
    for case in list_cases():
        if not cached or case.is_finished(cache):
            run = case.run(cache)
            for share in SHARES:
                yield make_row(case.name, run, share)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the simulations and write the rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit", description=__doc__)
    parser.add_argument("--studies", type=int, default=10, help=f"simulated studies of {MODELS} models per row")
    parser.add_argument("--only", choices=("simulation", "run"), help="keep the other rows of the results")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder for full attacks")
    parser.add_argument("--cached", action="store_true", help="leave out full attacks that are not in the cache")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file for the rows")
    options = parser.parse_args(arguments)
    kept = json.loads(options.results.read_text(encoding="utf-8")) if options.only else []
    rows = [row for row in kept if row["kind"] != options.only]
    new = [] if options.only == "run" else [list_rows(options.studies)]
    new += [] if options.only == "simulation" else [measure_runs(options.cache, cached=options.cached)]
    for row in chain.from_iterable(new):
        rows.append(row)
        sys.stdout.write(f"{json.dumps(row)}\n")
        sys.stdout.flush()
    options.results.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    audit_chart.draw(rows)


if __name__ == "__main__":
    main()
