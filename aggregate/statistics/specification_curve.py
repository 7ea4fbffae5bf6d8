"""The specification curve: how the answer changes with every defensible choice of the analysis.

Each specification is one choice of scores, aggregation, control, budget and set of models. All go through
`family_correlation`. The joint test compares the mean of the studentised statistics with its distribution under
random weights of the families, which keeps the dependence between specifications.

Reference: Simonsohn, Simmons & Nelson 2020, Nature Human Behaviour 4, 1208-1214.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from aggregate.scores.hierarchy import AVERAGE, CATEGORIES
from aggregate.scores.labels import RECOMPUTED
from aggregate.scores.scores import Scores
from aggregate.statistics.adjusted_correlations import WELL_COVERED
from aggregate.statistics.arrays import Bits, Floats
from aggregate.statistics.budget_networks import BudgetNetworks, coverage_of, iter_budgets
from aggregate.statistics.components import find_components, mean_of_known, metric_type_means, standardise
from aggregate.statistics.family_correlation import Adjusted, Measured, correlate_all
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
    for budget, found in iter_budgets(part, networks, robust):
        index = labels_of(found.measured, found.labels)
        for set_name, categories in SCORE_SETS.items():
            names, values = found.named_benchmarks(scores, categories)
            coverage = coverage_of(values)
            aggregated = _aggregations(found, scores, categories, names, values)
            if not aggregated:
                continue
            together = np.stack(list(aggregated.values()), axis=1)
            for control, models in itertools.product(CONTROLS, MODEL_SETS):
                members = _members(models, coverage, found.labels)[:, None]
                chosen = np.where(members, together, np.nan)
                results, sums = correlate_all(chosen, _control(found, control, coverage))
                for aggregation, result, one in zip(aggregated, results, sums.T, strict=True):
                    choice = Specification(*budget, set_name, aggregation, control, models)
                    yield choice, result, dict(zip(index, one, strict=True))


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
    networks: BudgetNetworks, scores: Scores, categories: tuple[str, ...], names: Sequence[str], values: Floats
) -> dict[str, Floats]:
    """Return the score of each network under each way to aggregate benchmarks, shape (networks,) each.

    Args:
        networks: The networks of one budget.
        scores: All scores.
        categories: The categories to aggregate.
        names: Names of the benchmarks of these categories.
        values: Scores on them, shape (networks, benchmarks).
    """
    name = AVERAGE if len(categories) > 1 else categories[0]
    available = {column.name for column in scores.columns}
    found = {}
    for label, column in (("leaderboard", name), ("mean of the scores a model has", name + RECOMPUTED)):
        if column in available:
            found[label] = networks.score(scores, column)
    if values.shape[1] > 1:
        standard = standardise(values)
        found["mean of standardised scores"] = mean_of_known(standard)
        by_type = metric_type_means(names, standard)
        if 1 < len(by_type) < len(names):
            found["mean of metric types"] = mean_of_known(np.stack(list(by_type.values()), axis=1))
        found["first principal component"] = find_components(standard)[0][:, 0]
    return found


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
