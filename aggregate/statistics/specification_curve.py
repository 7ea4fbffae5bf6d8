"""The specification curve: how the answer changes with every defensible choice of the analysis.

Each specification is one choice of scores, aggregation, control, budget and set of models. All go through
`family_correlation`. The joint test compares the mean of the studentised statistics with its distribution under
random weights of the families, which keeps the dependence between specifications.

Reference: Simonsohn, Simmons & Nelson 2020, Nature Human Behaviour 4, 1208-1214.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from aggregate.scores.hierarchy import AVERAGE, CATEGORIES
from aggregate.scores.labels import RECOMPUTED
from aggregate.scores.scores import Scores
from aggregate.statistics.adjusted_correlations import WELL_COVERED
from aggregate.statistics.arrays import Bits, Floats
from aggregate.statistics.budget_networks import BUDGET, Budget, BudgetNetworks, coverage_of, read_budget
from aggregate.statistics.family_correlation import Adjusted, Measured, correlate
from aggregate.statistics.familywise import draw_weights
from aggregate.statistics.networks import Networks

SCORE_SETS: Mapping[str, tuple[str, ...]] = {
    "neural and behavioural": CATEGORIES[:2],
    "neural": CATEGORIES[:1],
    "behavioural": CATEGORIES[1:2],
}
CONTROLS = ("none", "clean accuracy", "clean accuracy and coverage", "clean accuracy and family")
MODEL_SETS = ("all", "90 % of the scores or more", "without the largest family")


@dataclass(frozen=True)
class Specification:
    """One choice of each kind; the fields of `Adjusted` follow in the table."""

    attack: str
    norm: str
    eps: str
    eps_value: float
    scores: str
    aggregation: str
    control: str
    models: str


COLUMNS = [field.name for kind in (Specification, Adjusted) for field in fields(kind)]
SUMMARY = ["attack", "specifications", "median_r", "same_sign", "excluding_0", "p", "note"]


def specification_curve(
    table: pd.DataFrame,
    scores: Scores | None,
    networks: Networks,
    robust: Mapping[tuple[str, str, str], Bits],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return one row per specification, and a summary row per attack.

    Args:
        table: Columns model, attack, norm, eps, eps_value, images, robust_accuracy and clean_accuracy.
        scores: The scores; None gives empty tables.
        networks: Facts about the models.
        robust: Packed bits of the robust images, by model, attack and eps.

    Returns:
        The specifications in a fixed order, and for each attack: number of specifications with an estimate,
        median r, share with the sign of the median, share whose interval excludes 0, and the p value of the
        joint test of the specifications that adjust for clean accuracy.
    """
    rows: list[dict[str, object]] = []
    summary: list[dict[str, object]] = []
    known = table[table["robust_accuracy"].notna()]
    for attack, part in known.groupby("attack", sort=False):
        found = list(_of_attack(part, scores, networks, robust)) if scores is not None else []
        if not found:
            continue
        rows.extend({**asdict(choice), **asdict(adjusted)} for choice, adjusted, _ in found)
        summary.append({"attack": attack, **_summarise(found)})
    numbers = ["effective_models", "r", "low", "high", "p"]
    return (
        pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(numbers, "float64")),
        pd.DataFrame(summary, columns=SUMMARY).astype(
            dict.fromkeys(["median_r", "same_sign", "excluding_0", "p"], "float64")
        ),
    )


Found = tuple[Specification, Adjusted, Mapping[str, float]]


def _of_attack(
    part: pd.DataFrame, scores: Scores, networks: Networks, robust: Mapping[tuple[str, str, str], Bits]
) -> Iterator[Found]:
    budgets: Iterator[tuple[Budget, pd.DataFrame]] = iter(part.groupby(BUDGET, sort=False))
    for budget, rows in budgets:
        found = read_budget(budget, rows, networks, robust)
        index = labels_of(found.measured, found.labels)
        for set_name, categories in SCORE_SETS.items():
            values = found.benchmarks(scores, categories)
            coverage = coverage_of(values)
            for aggregation, score in _aggregations(found, scores, categories, values).items():
                for control in CONTROLS:
                    adjusted_for = _control(found, control, coverage)
                    for models in MODEL_SETS:
                        chosen = np.where(_members(models, coverage, found.labels), score, np.nan)
                        choice = Specification(*budget, set_name, aggregation, control, models)
                        result, sums = correlate(chosen, adjusted_for)
                        yield choice, result, dict(zip(index, sums, strict=True))


def _summarise(found: list[Found]) -> dict[str, object]:
    known = [(choice, adjusted, sums) for choice, adjusted, sums in found if adjusted.p is not None]
    if not known:
        return {"specifications": 0, "note": found[0][1].note if found else "no specification"}
    r = np.array([adjusted.r for _, adjusted, _ in known])
    median = float(np.median(r))
    outside = [not (adjusted.low or 0) <= 0 <= (adjusted.high or 0) for _, adjusted, _ in known]
    return {
        "specifications": len(known),
        "median_r": median,
        "same_sign": float((np.sign(r) == np.sign(median)).mean()),
        "excluding_0": float(np.mean(outside)),
        "p": _joint_p([sums for choice, _, sums in known if choice.control != "none"]),
        "note": "",
    }


def _joint_p(sums: list[Mapping[str, float]]) -> float:
    """Return the p value of the mean studentised statistic under random weights of the families."""
    if not sums:
        return float("nan")
    families = sorted({family for one in sums for family in one})
    matrix = np.array([[one.get(family, 0.0) for one in sums] for family in families])
    weights = draw_weights(len(families))
    observed = float((matrix.sum(axis=0) / np.sqrt((matrix**2).sum(axis=0))).mean())
    drawn = ((weights @ matrix) / np.sqrt(np.maximum(weights**2 @ matrix**2, 1e-300))).mean(axis=1)
    return float((1 + (np.abs(drawn) >= abs(observed) - 1e-12).sum()) / (len(weights) + 1))


def labels_of(measured: Measured, labels: npt.NDArray[np.str_]) -> list[str]:
    """Return the family name of each index of `measured.families`."""
    first = {int(index): str(label) for index, label in zip(measured.families, labels, strict=True)}
    return [first[index] for index in range(len(first))]


def _aggregations(
    networks: BudgetNetworks, scores: Scores, categories: tuple[str, ...], values: Floats
) -> dict[str, Floats]:
    """Return the score of each network under each way to aggregate benchmarks, shape (networks,) each."""
    name = AVERAGE if len(categories) > 1 else categories[0]
    available = {column.name for column in scores.columns}
    found = {}
    for label, column in (("leaderboard", name), ("mean of the scores a model has", name + RECOMPUTED)):
        if column in available:
            found[label] = networks.score(scores, column)
    if values.shape[1] > 1:
        standard = _standardise(values)
        known = np.isfinite(standard).any(axis=1)
        mean = np.full(len(standard), np.nan)
        mean[known] = np.nanmean(standard[known], axis=1)
        found["mean of standardised scores"] = mean
        found["first principal component"] = _first_component(standard)
    return found


def _standardise(values: Floats) -> Floats:
    scale = np.nanstd(values, axis=0)
    found: Floats = (values - np.nanmean(values, axis=0)) / np.where(scale > 0, scale, 1.0)
    return found


def _first_component(standard: Floats) -> Floats:
    """Return the first principal component of standardised scores, with missing scores at their mean."""
    filled = np.nan_to_num(standard)
    _, _, axes = np.linalg.svd(filled, full_matrices=False)
    component: Floats = filled @ axes[0] * (1.0 if axes[0].sum() >= 0 else -1.0)
    return np.where(np.isfinite(standard).any(axis=1), component, np.nan)


def _control(networks: BudgetNetworks, control: str, coverage: Floats) -> Measured:
    if control == "none":
        return networks.without_clean()
    if control.endswith("coverage"):
        return replace(networks.measured, covariates=coverage[:, None])
    return replace(networks.measured, within_families=control.endswith("family"))


def _members(models: str, coverage: Floats, labels: npt.NDArray[np.str_]) -> npt.NDArray[np.bool_]:
    if models == MODEL_SETS[1]:
        return coverage >= WELL_COVERED
    if models == MODEL_SETS[2]:
        kinds, counts = np.unique(labels, return_counts=True)
        return np.asarray(labels != kinds[counts.argmax()], dtype=np.bool_)
    return np.ones(len(labels), dtype=bool)
