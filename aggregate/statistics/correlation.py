"""Correlations: how robust accuracy goes with alignment, over models, with its n and its p or a reason why not."""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from aggregate.scores.scores import ScoreColumn, Scores
from aggregate.statistics import bootstrap, multiple_testing, partial
from aggregate.statistics.arrays import Floats

MIN_MODELS = 4
"""Models below which no number is given: three points always lie near some line."""
MAX_EXACT_MODELS = 8
"""Models up to which Spearman's p counts all orders (8! = 40,320); above, Student's t approximates it well."""


@dataclass(frozen=True)
class Correlation:
    """What links two values of the same models. A number that cannot be given is None, and `note` says why."""

    n: int
    """Models that have both."""
    spearman_r: float | None = None
    spearman_p: float | None = None
    spearman_low: float | None = None
    """The ends of the 95 % interval, by the bootstrap over models; of pearson_low and pearson_high too."""
    spearman_high: float | None = None
    pearson_r: float | None = None
    pearson_p: float | None = None
    pearson_low: float | None = None
    pearson_high: float | None = None
    slope: float | None = None
    """Of the least-squares line: robust accuracy (a share) per unit of score."""
    intercept: float | None = None
    r2: float | None = None
    ols_p: float | None = None
    """Of the slope being zero, two-sided; with one predictor it is the F-test's."""
    partial_r: float | None = None
    """Spearman's, given clean accuracy."""
    partial_p: float | None = None
    note: str = ""


@dataclass(frozen=True)
class ScoreBudget:
    """Which robust accuracy is set against which score."""

    attack: str
    norm: str
    eps: str
    eps_value: float
    score: str
    level: str
    category: str


Q_COLUMNS = {"spearman_q": "spearman_p", "pearson_q": "pearson_p", "partial_q": "partial_p"}
"""p corrected for the number of scores of one level, under one attack at one budget."""


def compute_correlation(alignment: Floats, robust: Floats, clean: Floats | None = None) -> Correlation:
    """Spearman, Pearson and least squares of robust accuracy on alignment, and Spearman given clean accuracy.

    All of shape (n,), the first two finite; without clean accuracy nothing is said of it.
    Refuses, with a note, where there are fewer than four models or a value is the same for all of them.
    """
    n = len(alignment)
    if why := check_computable(alignment, robust):
        return Correlation(n, note=why)
    spearman_r, spearman_p = compute_spearman(alignment, robust)
    pearson = stats.pearsonr(alignment, robust)
    line = stats.linregress(alignment, robust)
    of_spearman, of_pearson = bootstrap.bootstrap_intervals(alignment, robust)
    notes = []
    if of_spearman.low is None:
        few = n < bootstrap.MIN_MODELS
        notes.append(
            f"an interval needs at least {bootstrap.MIN_MODELS} models"
            if few
            else "the resamples give no interval"
        )
    given = partial.PartialCorrelation() if clean is None else partial.compute_partial(alignment, robust, clean)
    notes.extend([given.note] if given.note else [])
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
        spearman_low=of_spearman.low,
        spearman_high=of_spearman.high,
        pearson_low=of_pearson.low,
        pearson_high=of_pearson.high,
        partial_r=given.r,
        partial_p=given.p,
        note="; ".join(notes),
    )


def check_computable(alignment: Floats, robust: Floats) -> str:
    """Why nothing can be said of these two, both of shape (n,); empty where something can."""
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
    """Spearman's r with average ranks for ties, and its two-sided p.

    p is that of the exact permutation test up to eight models. Above, it is Student's t approximation, but
    never below 2/n!, the smallest that a permutation test of n models can give.
    """
    n = len(x)
    ranks_x, ranks_y = (stats.rankdata(values) - (n + 1) / 2 for values in (x, y))
    if n > MAX_EXACT_MODELS:
        found = stats.spearmanr(x, y)
        floor = 2 / math.factorial(n) if n <= 170 else 0.0
        return float(found.statistic), max(float(found.pvalue), floor)
    observed = ranks_x @ ranks_y
    r = float(observed / math.sqrt((ranks_x @ ranks_x) * (ranks_y @ ranks_y)))
    # Products of half ranks are exact in float64, but a sum's order may cost its last bit.
    extreme = np.abs(ranks_x[_orders(n)] @ ranks_y) >= abs(observed) - 1e-9
    return max(-1.0, min(1.0, r)), float(extreme.mean())


@cache
def _orders(n: int) -> npt.NDArray[np.int8]:
    """Every order of n things: shape (n!, n)."""
    return np.array(list(itertools.permutations(range(n))), dtype=np.int8)


def is_constant(values: Floats) -> bool:
    """Equal but for the last bits of a float."""
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())


def join_scores(table: pd.DataFrame, scores: Scores, score: str) -> pd.DataFrame:
    """The table's rows whose model has this score and whose accuracy is known, with it as column `alignment`."""
    alignment = table["model"].map({name: row[score] for name, row in scores.rows.items() if score in row})
    both = table.assign(alignment=alignment.astype("float64"))
    return both[both["alignment"].notna() & both["robust_accuracy"].notna()]


def compute_correlations(table: pd.DataFrame, scores: Scores | None) -> pd.DataFrame:
    """One row per attack, budget and score column, in the order of the table and of the scores file."""
    names = [field.name for kind in (ScoreBudget, Correlation) for field in fields(kind)]
    found = pd.DataFrame(list(_answers(table, scores)) if scores else [], columns=names)
    numbers = [name for name in names if name in _NUMBERS]
    found = found.astype(dict.fromkeys(numbers, "float64"))
    for q, p in Q_COLUMNS.items():
        corrected = multiple_testing.adjust_p(found, p, ["attack", "eps", "level"])
        found.insert(list(found.columns).index(p) + 1, q, corrected)
    return found


_NUMBERS = frozenset(field.name for field in fields(Correlation)) - {"n", "note"}


def _answers(table: pd.DataFrame, scores: Scores) -> Iterator[dict[str, object]]:
    for question, both in iter_score_budgets(table, scores, scores.columns):
        relation = compute_correlation(*extract_arrays(both))
        if not any(question.score in row for row in scores.rows.values()):
            relation = replace(relation, note="no model has this score")
        yield {**asdict(question), **asdict(relation)}


def iter_score_budgets(
    table: pd.DataFrame, scores: Scores, columns: Iterable[ScoreColumn]
) -> Iterator[tuple[ScoreBudget, pd.DataFrame]]:
    """Every score under every attack at every budget, with the rows of the models that have both."""
    by = ["attack", "norm", "eps", "eps_value"]
    budgets = list(table.groupby(by, sort=False).groups)
    for column in columns:
        both = join_scores(table, scores, column.name)
        parts = dict(iter(both.groupby(by, sort=False)))
        for attack, norm, eps, eps_value in budgets:
            question = ScoreBudget(attack, norm, eps, eps_value, column.name, column.level, column.category)
            yield question, parts.get((attack, norm, eps, eps_value), both.iloc[:0])


def extract_arrays(both: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    """Alignment, robust accuracy and clean accuracy of joined rows."""
    alignment, robust, clean = (
        both[name].to_numpy(dtype=np.float64) for name in ("alignment", "robust_accuracy", "clean_accuracy")
    )
    return alignment, robust, clean
