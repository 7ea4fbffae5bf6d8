"""Correlations of robust accuracy with alignment over models."""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from aggregate.scores.scores import ScoreColumn, Scores
from aggregate.statistics import bootstrap, multiple_testing, partial, pearson_interval
from aggregate.statistics.arrays import Floats

MIN_MODELS = 4
"""Smallest number of models for a correlation: three points are always close to some line."""
MAX_EXACT_MODELS = 8
"""Largest number of models for which Spearman's p counts all orders (8! = 40,320). Above it, Student's t is a good
approximation without many ties."""
MANY_TIES = 0.1
"""Share of models with one and the same value above which Spearman's p counts random orders."""
ORDERS = 9999
SEED = 20250217


@dataclass(frozen=True)
class ScoreBudget:
    """One score column and one attack at one budget: the key of a row of most tables."""

    attack: str
    norm: str
    eps: str
    eps_value: float
    score: str
    level: str
    category: str


@dataclass(frozen=True)
class Correlation:
    """Correlations and least-squares line of two values over models.

    A number that cannot be computed is None, and `note` gives the reason.
    """

    n: int
    """Number of models that have both values."""
    coverage: float | None = None
    """Mean share of the neural and behavioural benchmarks that these models have a score for."""
    spearman_r: float | None = None
    spearman_p: float | None = None
    spearman_low: float | None = None
    """Lower end of the 95 % bootstrap interval over models."""
    spearman_high: float | None = None
    pearson_r: float | None = None
    pearson_p: float | None = None
    pearson_low: float | None = None
    """Lower end of the 95 % bootstrap interval over architecture families."""
    pearson_high: float | None = None
    slope: float | None = None
    """Slope of the least-squares line: robust accuracy (a share) per unit of score."""
    intercept: float | None = None
    r2: float | None = None
    ols_p: float | None = None
    """Two-sided p value for a slope of zero. With one predictor it equals the p value of the F-test."""
    partial_r: float | None = None
    """Spearman's partial correlation given clean accuracy."""
    partial_p: float | None = None
    note: str = ""


Q_COLUMNS = {"spearman_q": "spearman_p", "pearson_q": "pearson_p", "partial_q": "partial_p"}
"""Each q column and its p column; p is corrected for the number of scores of one kind, attack and budget."""
_KINDS = {"average": "aggregate", "category": "aggregate", "recomputed": "aggregate"}
"""Levels that are corrected together. An average alone would be a set of one test, without correction."""
_NUMBERS = frozenset(field.name for field in fields(Correlation)) - {"n", "note"}


def compute_correlations(
    table: pd.DataFrame, scores: Scores | None, family: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Return one row per attack, budget and score column, in the order of the table and of the scores file.

    Args:
        table: Columns model, attack, norm, eps, eps_value, robust_accuracy and clean_accuracy.
        scores: The alignment scores; None gives an empty table.
        family: Architecture family by model. A model without one is a family by itself.

    Returns:
        The fields of `ScoreBudget` and `Correlation`, and the columns Q_COLUMNS after their p columns.
    """
    names = [field.name for kind in (ScoreBudget, Correlation) for field in fields(kind)]
    frame = pd.DataFrame(list(_compute_rows(table, scores, family or {})) if scores else [], columns=names)
    frame = frame.astype(dict.fromkeys([name for name in names if name in _NUMBERS], "float64"))
    kinds = frame.assign(kind=frame["level"].replace(_KINDS))
    for q, p in Q_COLUMNS.items():
        corrected = multiple_testing.adjust_p(kinds, p, ["attack", "eps", "kind"])
        frame.insert(list(frame.columns).index(p) + 1, q, corrected)
    return frame


def _compute_rows(table: pd.DataFrame, scores: Scores, family: Mapping[str, str]) -> Iterator[dict[str, object]]:
    coverage = scores.coverage
    for key, joined in iter_score_budgets(table, scores, scores.columns):
        names = [family.get(name) or name for name in joined["model"]]
        families = np.unique(np.array(names, dtype=str), return_inverse=True)[1]
        correlation = compute_correlation(*extract_arrays(joined), families)
        correlation = replace(correlation, coverage=mean_coverage(joined["model"], coverage))
        if not any(key.score in row for row in scores.rows.values()):
            correlation = replace(correlation, note="no model has this score")
        yield {**asdict(key), **asdict(correlation)}


def mean_coverage(models: Iterable[str], coverage: Mapping[str, float]) -> float | None:
    """Return the mean coverage of these models by the neural and behavioural benchmarks; None if it is unknown.

    Args:
        models: Names of models.
        coverage: Coverage by model.
    """
    known = [coverage[model] for model in models if model in coverage]
    return sum(known) / len(known) if known else None


def iter_score_budgets(
    table: pd.DataFrame, scores: Scores, columns: Iterable[ScoreColumn]
) -> Iterator[tuple[ScoreBudget, pd.DataFrame]]:
    """Yield each of these scores at each attack and budget, with the joined rows of `join_scores`."""
    by = ["attack", "norm", "eps", "eps_value"]
    budgets = list(table.groupby(by, sort=False).groups)
    for column in columns:
        joined = join_scores(table, scores, column.name)
        parts = dict(iter(joined.groupby(by, sort=False)))
        for attack, norm, eps, eps_value in budgets:
            key = ScoreBudget(attack, norm, eps, eps_value, column.name, column.level, column.category)
            yield key, parts.get((attack, norm, eps, eps_value), joined.iloc[:0])


def join_scores(table: pd.DataFrame, scores: Scores, score: str) -> pd.DataFrame:
    """Return the rows with a known accuracy whose model has this score, with the score as column `alignment`."""
    alignment = table["model"].map({name: row[score] for name, row in scores.rows.items() if score in row})
    joined = table.assign(alignment=alignment.astype("float64"))
    return joined[joined["alignment"].notna() & joined["robust_accuracy"].notna()]


def extract_arrays(joined: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    """Return alignment, robust accuracy and clean accuracy of joined rows, each of shape (n,)."""
    alignment, robust, clean = (
        joined[name].to_numpy(dtype=np.float64) for name in ("alignment", "robust_accuracy", "clean_accuracy")
    )
    return alignment, robust, clean


def compute_correlation(
    alignment: Floats,
    robust: Floats,
    clean: Floats | None = None,
    families: npt.NDArray[np.int64] | None = None,
) -> Correlation:
    """Return the correlations and the least-squares line of robust accuracy on alignment.

    Args:
        alignment: One score per model, shape (n,), finite.
        robust: Robust accuracy of each model, shape (n,), finite.
        clean: Clean accuracy of each model, shape (n,); NaN where unknown. None skips the partial correlation.
        families: Family index of each model, shape (n,); None if each model is a family by itself.

    Returns:
        The correlations. Without numbers, and with a note, if there are fewer than four models or one of the
        values is the same for all of them.
    """
    n = len(alignment)
    if reason := check_computable(alignment, robust):
        return Correlation(n, note=reason)
    spearman_r, spearman_p = compute_spearman(alignment, robust)
    pearson = stats.pearsonr(alignment, robust)
    line = stats.linregress(alignment, robust)
    families = np.arange(n) if families is None else families
    spearman_interval = bootstrap.bootstrap_interval(alignment, robust)
    linear_interval = pearson_interval.estimate_pearson_interval(alignment, robust, families)
    partial_correlation = (
        partial.PartialCorrelation() if clean is None else partial.compute_partial(alignment, robust, clean)
    )
    return Correlation(
        n=n,
        spearman_r=spearman_r,
        spearman_p=spearman_p,
        pearson_r=float(pearson.statistic),
        pearson_p=float(pearson.pvalue),
        slope=float(line.slope),
        intercept=float(line.intercept),
        r2=float(line.rvalue) ** 2,
        ols_p=float(line.pvalue),
        spearman_low=spearman_interval.low,
        spearman_high=spearman_interval.high,
        pearson_low=linear_interval.low,
        pearson_high=linear_interval.high,
        partial_r=partial_correlation.r,
        partial_p=partial_correlation.p,
        note=_join_notes(
            _explain_missing(alignment, robust, families, spearman_interval), partial_correlation.note
        ),
    )


def _join_notes(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _explain_missing(
    alignment: Floats, robust: Floats, families: npt.NDArray[np.int64], spearman: bootstrap.Interval
) -> str:
    """Return the reasons why an interval is missing; "" if both exist."""
    if len(alignment) < bootstrap.MIN_MODELS:
        return f"an interval needs at least {bootstrap.MIN_MODELS} models"
    return _join_notes(
        "" if spearman.low is not None else "the resamples give no interval",
        pearson_interval.check_pearson_interval(alignment, robust, families),
    )


def check_computable(alignment: Floats, robust: Floats) -> str:
    """Return the reason why no correlation of these values, both of shape (n,), can be computed; "" if it can."""
    n = len(alignment)
    if n == 0:
        return "no model has both a score and an outcome"
    if n < MIN_MODELS:
        what = "model has" if n == 1 else "models have"
        return f"only {n} {what} both a score and an outcome; at least {MIN_MODELS} are needed"
    if is_constant(robust):
        return f"robust accuracy is the same for all {n} models"
    if is_constant(alignment):
        return f"the score is the same for all {n} models"
    return ""


def compute_spearman(x: Floats, y: Floats) -> tuple[float, float]:
    """Return Spearman's r with average ranks for ties, and its two-sided p value.

    Up to eight models, p is that of the exact permutation test. Above, it is that of 9,999 random permutations if
    more than a tenth of the models share a value, such as a robust accuracy of 0. Otherwise it is Student's t
    approximation, but at least 2/n!, the smallest p value that a permutation test of n models can give.

    Args:
        x: Shape (n,), finite and not constant.
        y: Shape (n,), finite and not constant.
    """
    n = len(x)
    ranks_x, ranks_y = (stats.rankdata(values) - (n + 1) / 2 for values in (x, y))
    if n > MAX_EXACT_MODELS and not _has_many_ties(x, y):
        result = stats.spearmanr(x, y)
        smallest_p = 2 / math.factorial(n) if n <= 170 else 0.0
        return float(result.statistic), max(float(result.pvalue), smallest_p)
    observed = ranks_x @ ranks_y
    r = float(observed / math.sqrt((ranks_x @ ranks_x) * (ranks_y @ ranks_y)))
    if n > MAX_EXACT_MODELS:
        drawn = np.abs(ranks_y[_random_orders(n)] @ ranks_x) >= abs(observed) - 1e-9
        return max(-1.0, min(1.0, r)), (1 + int(drawn.sum())) / (1 + ORDERS)
    # Products of half ranks are exact in float64, but the order of a sum may change its last bit.
    extreme = np.abs(ranks_x[_permutations(n)] @ ranks_y) >= abs(observed) - 1e-9
    return max(-1.0, min(1.0, r)), float(extreme.mean())


def _has_many_ties(*columns: Floats) -> bool:
    """Return True if more than MANY_TIES of the models share a value in one of the columns."""
    return any(np.unique(values, return_counts=True)[1].max() > MANY_TIES * len(values) + 1 for values in columns)


@lru_cache(maxsize=2)
def _random_orders(n: int) -> npt.NDArray[np.int64]:
    """Return ORDERS random permutations of n indices, always the same, shape (ORDERS, n)."""
    return np.random.default_rng([SEED, n]).permuted(np.tile(np.arange(n), (ORDERS, 1)), axis=1)


@cache
def _permutations(n: int) -> npt.NDArray[np.int8]:
    """Return all permutations of n indices, shape (n!, n)."""
    return np.array(list(itertools.permutations(range(n))), dtype=np.int8)


def is_constant(values: Floats) -> bool:
    """Return True if all values are equal up to the rounding error of a float."""
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())
