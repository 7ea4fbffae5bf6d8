"""Error rates of the analysis in simulated studies: `make validate` writes benchmarks/results/validation.json.

    python -m benchmarks.validation [--repetitions 400] [--processes 2]

A simulated study has models in families, clean and robust accuracies counted on images that all models share, an
average, two categories and 105 benchmarks. Under a null, scores relate to clean accuracy but add nothing to it.
Each study goes through the analysis that the report uses (`adjusted_correlations.claims`) and through the previous
one (`..._before`: partial Spearman correlations, Benjamini-Hochberg per level, a bootstrap over models).
"""

import argparse
import functools
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from aggregate.scores.scores import ScoreColumn, Scores
from aggregate.statistics import bootstrap, multiple_testing
from aggregate.statistics.adjusted_correlations import GIVEN_CLEAN, adjusted_correlations, claims
from aggregate.statistics.arrays import Floats
from aggregate.statistics.family_correlation import normal_scores
from aggregate.statistics.networks import Networks
from benchmarks import validation_page

RESULTS = Path(__file__).parent / "results" / "validation.json"
SEED = 20261125
FAMILIES = (36, 18, 12, 10, 8, 7, 6, 5, 4, 4, 3, 3, 3, 2, 2, 2, 2, 2)
"""Sizes of the largest families, as unequal as the leaderboard's; every other model is a family of its own."""
BENCHMARKS = 105
PUBLISHED_SHIFT = 0.02
"""Clean accuracy on the images of the study minus the published one, as if the images were easier."""
ATTACK, EPS = "autoattack-Linf", "1/255"


@dataclass(frozen=True)
class Case:
    """One kind of simulated study.

    Attributes:
        name: What the case shows.
        images: Images that all models are tested on.
        icc: Correlation within a family of scores and robust accuracy, given clean accuracy.
        effect: Correlation of the mean of a third of the benchmarks with robust accuracy, given clean accuracy.
        models: Number of models.
        curved: Whether robust accuracy is a curved function of clean accuracy.
        skewed: Whether scores and accuracies are skewed.
        published: Share of models whose clean accuracy is published, with a shift that all of them share.
    """

    name: str
    images: int = 200
    icc: float = 0.3
    effect: float = 0.0
    models: int = 144
    curved: bool = False
    skewed: bool = False
    published: float = 0.0


NULLS = (
    Case("independent models, 1000 images", images=1000, icc=0.0),
    Case("families, 1000 images", images=1000),
    Case("families, 200 images"),
    Case("families, 50 images", images=50),
    Case("strong families, 200 images", icc=0.5),
    Case("skewed scores, curved relation, 200 images", curved=True, skewed=True),
    Case("half of the clean accuracies published, 50 images", images=50, published=0.5),
)
EFFECTS = (
    Case("effect 0.2, 1000 images", images=1000, effect=0.2),
    Case("effect 0.3, 200 images", effect=0.3),
    Case("effect 0.5, 200 images", effect=0.5),
)


@dataclass(frozen=True)
class Study:
    """A simulated study, in the form in which the analysis takes a real one."""

    table: pd.DataFrame
    scores: Scores
    networks: Networks
    robust: dict[tuple[str, str, str], npt.NDArray[np.uint8]]


@dataclass(frozen=True)
class Population:
    """Models before any image is drawn; arrays have one row per model."""

    families: npt.NDArray[np.int64]
    benchmarks: Floats
    clean: Floats
    robust: Floats


def draw_models(case: Case, rng: np.random.Generator) -> Population:
    """Draw the models of one study."""
    n = case.models
    sizes = [*FAMILIES, *[1] * n]
    families = np.repeat(np.arange(len(sizes)), sizes)[:n]

    def draw(columns: int) -> Floats:
        shared = rng.normal(size=(len(sizes), columns))[families]
        values: Floats = np.sqrt(case.icc) * shared + np.sqrt(1 - case.icc) * rng.normal(size=(n, columns))
        return values

    ability = draw(1)[:, 0]
    # Benchmarks share a factor, as real ones do: their scores are correlated given clean accuracy too.
    given_clean = np.sqrt(0.3) * draw(1) + np.sqrt(0.7) * draw(BENCHMARKS)
    signal = given_clean[:, : BENCHMARKS // 3].mean(axis=1)
    # Standard deviation of a mean of k standard normal values with correlation 0.3.
    signal /= np.sqrt(0.3 + 0.7 / (BENCHMARKS // 3))
    rest = case.effect * signal + np.sqrt(1 - case.effect**2) * draw(1)[:, 0]
    benchmarks = 0.5 * ability[:, None] + np.sqrt(0.75) * given_clean
    link = np.sign(ability) * ability**2 / 1.5 if case.curved else ability
    clean = np.clip(0.75 + 0.06 * ability, 0.02, 0.98)
    robust = np.clip(0.45 + 0.12 * (0.7 * link + np.sqrt(0.51) * rest), 0.01, None)
    return Population(
        families, np.exp(benchmarks) if case.skewed else benchmarks, clean, np.minimum(robust, clean - 0.005)
    )


def simulate(case: Case, rng: np.random.Generator) -> Study:
    """Draw one study of a case: models, then verdicts on images that all models share."""
    models = draw_models(case, rng)
    # The difficulty of an image has a latent correlation of 0.4 between models (0.27 to 0.52 between MobileNets).
    difficulty = np.sqrt(0.4) * rng.normal(size=case.images)
    latent = difficulty + np.sqrt(0.6) * rng.normal(size=(case.models, case.images))
    clean, robust = (latent < stats.norm.ppf(accuracy)[:, None] for accuracy in (models.clean, models.robust))
    names = [f"model-{at:03d}" for at in range(case.models)]
    table = pd.DataFrame(
        {
            "model": names, "attack": ATTACK, "norm": "Linf", "eps": EPS, "eps_value": 1 / 255,
            "images": case.images, "clean_accuracy": clean.mean(axis=1), "robust_accuracy": robust.mean(axis=1),
        }
    )  # fmt: skip
    family = {name: f"family-{at}" for name, at in zip(names, models.families, strict=True)}
    published = {
        name: float(accuracy) - PUBLISHED_SHIFT
        for name, accuracy in zip(names, models.clean, strict=True)
        if case.published and rng.random() < case.published
    }
    return Study(
        table,
        _scores(names, models.benchmarks),
        Networks(family, {}, dict(zip(names, np.packbits(clean, axis=1), strict=True)), published),
        {(name, ATTACK, EPS): bits for name, bits in zip(names, np.packbits(robust, axis=1), strict=True)},
    )


def _scores(names: list[str], benchmarks: Floats) -> Scores:
    half = BENCHMARKS // 2
    neural, behaviour = benchmarks[:, :half].mean(axis=1), benchmarks[:, half:].mean(axis=1)
    columns = (
        ScoreColumn("average_vision", "average", ""),
        ScoreColumn("neural_vision", "category", "neural_vision"),
        ScoreColumn("behavior_vision", "category", "behavior_vision"),
        *(ScoreColumn(f"benchmark-{at:03d}", "benchmark", "neural_vision") for at in range(half)),
        *(ScoreColumn(f"benchmark-{at:03d}", "benchmark", "behavior_vision") for at in range(half, BENCHMARKS)),
    )
    values = np.column_stack([(neural + behaviour) / 2, neural, behaviour, benchmarks])
    keys = [column.name for column in columns]
    rows = {name: dict(zip(keys, map(float, row), strict=True)) for name, row in zip(names, values, strict=True)}
    return Scores(columns, rows)


def true_values(case: Case) -> tuple[float, float]:
    """Return the average's correlation given clean accuracy, and its Spearman correlation, without sampling."""
    models = draw_models(replace(case, models=40_000, icc=0.0), np.random.default_rng(SEED))
    average = models.benchmarks.mean(axis=1)
    predictors = np.column_stack([np.ones(len(average)), models.clean])
    x, y = (
        values - predictors @ np.linalg.lstsq(predictors, values, rcond=None)[0]
        for values in (normal_scores(average), models.robust)
    )
    return float(np.corrcoef(x, y)[0, 1]), float(stats.spearmanr(average, models.robust).statistic)


@dataclass(frozen=True)
class Result:
    """What the two analyses say of one simulated study."""

    claim: bool
    covered: bool
    power: bool
    claim_before: bool
    covered_before: bool
    power_before: bool


def judge(study: Study, truths: tuple[float, float]) -> Result:
    """Run both analyses on a study."""
    found = adjusted_correlations(study.table, study.scores, study.networks, study.robust, claims_only=True)
    claimed = claims(found)
    average = found[(found["score"] == "average_vision") & (found["given"] == GIVEN_CLEAN)].iloc[0]
    claimed_before, low, high = _before(study)
    return Result(
        claim=not claimed.empty,
        covered=bool(average["low"] <= truths[0] <= average["high"]),
        power="average_vision" in set(claimed["score"]),
        claim_before=bool(claimed_before),
        covered_before=low <= truths[1] <= high,
        power_before="average_vision" in claimed_before,
    )


def _before(study: Study) -> tuple[set[str], float, float]:
    """Return what the analysis before this one claimed given clean accuracy, and its interval of Spearman's r."""
    claimed = set()
    levels = (("average", "category"), ("benchmark",))
    table = study.table
    robust, clean = (table[name].to_numpy(dtype=np.float64) for name in ("robust_accuracy", "clean_accuracy"))

    for level in levels:
        names = [column.name for column in study.scores.columns if column.level in level]
        values = np.array([[study.scores.rows[model][name] for name in names] for model in table["model"]])
        frame = pd.DataFrame({"score": names, "p": partial_p(values, robust, clean), "attack": ATTACK})
        q = multiple_testing.adjust_p(frame, "p", ["attack"])
        claimed |= set(frame["score"][q < 0.05])
    average = np.array([study.scores.rows[model]["average_vision"] for model in table["model"]])
    interval = bootstrap.bootstrap_interval(average, robust)
    return claimed, interval.low or -1.0, interval.high or 1.0


def partial_p(scores: Floats, robust: Floats, clean: Floats) -> Floats:
    """Return p of `partial.compute_partial` for every column of scores at once, shape (scores,)."""
    ranks = stats.rankdata(np.column_stack([scores, robust, clean]), axis=0)
    r = np.corrcoef(ranks, rowvar=False)
    xy, xz, yz = r[:-2, -2], r[:-2, -1], r[-2, -1]
    given = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    t = given * np.sqrt((len(ranks) - 3) / (1 - given**2))
    p: Floats = 2 * stats.t.sf(np.abs(t), len(ranks) - 3)
    return p


def run(case: Case, repetitions: int) -> dict[str, object]:
    """Simulate a case and return its row of validation.json."""
    truths = true_values(case)
    rng = np.random.default_rng([SEED, *case.name.encode()])
    results = [judge(simulate(case, rng), truths) for _ in range(repetitions)]

    def share(name: str) -> float:
        return float(np.mean([getattr(result, name) for result in results]))

    row: dict[str, object] = {
        ("effect" if case.effect else "null"): case.name,
        "models": case.models, "images": case.images, "icc": case.icc, "repetitions": repetitions,
        "coverage": share("covered"), "coverage_before": share("covered_before"),
    }  # fmt: skip
    if case.effect:
        return row | {"r": truths[0], "power": share("power"), "power_before": share("power_before")}
    return row | {"any_claim": share("claim"), "any_claim_before": share("claim_before")}


def main() -> None:
    """Run the simulations and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.validation", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=400, help="simulated studies of each case")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    rows = []
    with ProcessPoolExecutor(given.processes) as pool:
        for row in pool.map(functools.partial(run, repetitions=given.repetitions), (*NULLS, *EFFECTS)):
            sys.stdout.write(f"{json.dumps(row)}\n")
            sys.stdout.flush()
            rows.append(row)
    RESULTS.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    validation_page.write_page(rows)


if __name__ == "__main__":
    main()
