"""How much better alignment predicts robust accuracy than clean accuracy alone does, on families held out.

Two nested models are compared on the same folds: clean accuracy alone, by ordinary least squares, and clean
accuracy plus benchmarks. In the second model only the benchmarks are penalised: robust accuracy and each
benchmark are first regressed on clean accuracy within the training folds, and a ridge regression links the
residuals (Frisch-Waugh-Lovell theorem: Lovell 1963, JASA 58, 993-1010). A ridge that penalises clean accuracy
together with the benchmarks shrinks clean accuracy and reports that alignment makes predictions worse even if
it helps.

Whole families are held out, so a benchmark gains nothing by recognising a family. The interval resamples families
with their held-out errors; it does not include the choice of folds or the refitting of the models.
"""

from dataclasses import asdict, dataclass, fields

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.linear_model import RidgeCV

from aggregate.scores.hierarchy import CATEGORIES
from aggregate.scores.scores import Scores
from aggregate.statistics.arrays import Floats
from aggregate.statistics.budget_networks import BUDGET
from aggregate.statistics.clean_accuracy import choose_clean_accuracy
from aggregate.statistics.networks import Networks

Ints = npt.NDArray[np.int64]

MIN_MODELS = 20
FOLDS = 5
REPEATS = 10
RESAMPLES = 4999
SEED = 20250217
PENALTIES = np.logspace(-2, 6, 17)
"""Candidates of the ridge penalty, chosen by leave-one-out error within the training folds."""


@dataclass(frozen=True)
class AddedPrediction:
    """R2 of held-out models. A missing number is None, and `note` gives the reason.

    Attributes:
        n: Models with a score, clean and robust accuracy.
        families: Families among them.
        r2_clean: R2 of clean accuracy alone.
        r2_both: R2 of clean accuracy and the benchmarks.
        added: r2_both - r2_clean.
        low: Lower end of the 95 % interval of `added`, over families.
        high: Upper end.
        note: Reason for a missing number.
    """

    n: int
    families: int
    r2_clean: float | None = None
    r2_both: float | None = None
    added: float | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""


def added_predictions(table: pd.DataFrame, scores: Scores | None, networks: Networks) -> pd.DataFrame:
    """Return one row per attack and budget: what the neural and behavioural benchmarks add to clean accuracy.

    Args:
        table: Columns model, attack, norm, eps, eps_value, robust_accuracy and clean_accuracy.
        scores: The scores; None gives an empty table.
        networks: Facts about the models.
    """
    columns = [*BUDGET, "benchmarks", *(field.name for field in fields(AddedPrediction))]
    rows: list[dict[str, object]] = []
    known = table[table["robust_accuracy"].notna() & table["clean_accuracy"].notna()]
    for budget, part in known.groupby(BUDGET, sort=False):
        if scores is not None:
            scored = part[part["model"].isin(scores.rows)]
            once = scored[~scored["model"].map(lambda name: networks.network.get(name, name)).duplicated()]
            rows.append(dict(zip(BUDGET, budget, strict=True)) | _of_budget(once, scores, networks))
    numbers = ["r2_clean", "r2_both", "added", "low", "high"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(numbers, "float64"))


def _of_budget(part: pd.DataFrame, scores: Scores, networks: Networks) -> dict[str, object]:
    names = [column.name for column in scores.benchmarks if column.category in CATEGORIES[:2]]
    x = np.array([[scores.rows[model].get(name, np.nan) for name in names] for model in part["model"]])
    x = x.reshape(len(part), len(names))
    x = x[:, np.isfinite(x).mean(axis=0) >= 0.5] if len(part) else x
    family = part["model"].map(lambda name: networks.family.get(name, "") or name).to_numpy(dtype=str)
    families = np.unique(family, return_inverse=True)[1].astype(np.int64)
    counted, robust = (part[name].to_numpy(dtype=np.float64) for name in ("clean_accuracy", "robust_accuracy"))
    published = [networks.published.get(model) for model in part["model"]]
    clean = choose_clean_accuracy(counted, published, robust).values
    return {"benchmarks": x.shape[1], **asdict(compare_predictions(x, clean, robust, families))}


def compare_predictions(benchmarks: Floats, clean: Floats, robust: Floats, families: Ints) -> AddedPrediction:
    """Compare the predictions with and without the benchmarks.

    Args:
        benchmarks: Scores, NaN if missing, shape (models, benchmarks).
        clean: Clean accuracy, finite, shape (models,).
        robust: Robust accuracy, finite, shape (models,).
        families: Family index from 0, shape (models,).
    """
    n, present = len(robust), len(np.unique(families))
    if n < MIN_MODELS:
        return AddedPrediction(n, present, note=f"{n} models have scores; at least {MIN_MODELS} are needed")
    if present < FOLDS:
        return AddedPrediction(
            n, present, note=f"{present} families; at least {FOLDS} are needed to hold some out"
        )
    if not benchmarks.shape[1]:
        return AddedPrediction(n, present, note="no benchmark has a score for half of the models")
    if np.ptp(robust) <= 1e-12 or np.ptp(clean) <= 1e-12:
        return AddedPrediction(n, present, note="an accuracy is the same for all models")
    rng = np.random.default_rng(SEED)
    lost = np.zeros((3, n))
    for _ in range(REPEATS):
        fold = _folds(families, rng)
        for held_out in range(FOLDS):
            test = fold == held_out
            lost[:, test] += _errors(benchmarks, clean, robust, test)
    of_mean, of_clean, of_both = (np.bincount(families, weights=row) for row in lost)
    total = of_mean.sum()
    drawn = rng.multinomial(present, np.full(present, 1 / present), size=RESAMPLES)
    used = np.unique(families)
    gains, totals = (of_clean - of_both)[used], of_mean[used]
    added = (drawn @ gains) / np.maximum(drawn @ totals, 1e-300)
    low, high = np.quantile(added, [0.025, 0.975])
    return AddedPrediction(
        n,
        present,
        r2_clean=float(1 - of_clean.sum() / total),
        r2_both=float(1 - of_both.sum() / total),
        added=float(gains.sum() / total),
        low=float(low),
        high=float(high),
    )


def _folds(families: Ints, rng: np.random.Generator) -> Ints:
    """Assign whole families to folds of about equal size, in random order; shape (models,)."""
    sizes = np.bincount(families)
    fold_of = np.zeros(len(sizes), dtype=np.int64)
    filled = np.zeros(FOLDS)
    order = rng.permutation(len(sizes))
    # Large families first, else the last ones overfill a fold; the order among equal sizes is random.
    for family in order[np.argsort(-sizes[order], kind="stable")]:
        smallest = np.flatnonzero(filled == filled.min())
        fold_of[family] = rng.choice(smallest)
        filled[fold_of[family]] += sizes[family]
    return fold_of[families]


def _errors(benchmarks: Floats, clean: Floats, robust: Floats, test: npt.NDArray[np.bool_]) -> Floats:
    """Return squared errors of held-out models by the mean, by clean accuracy and by both, shape (3, test)."""
    train = ~test
    x = _impute(benchmarks, train)
    scale = x[train].std(axis=0)
    x = (x - x[train].mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    predictors = np.column_stack([np.ones(len(clean)), clean])
    fit_y, fit_x = (np.linalg.lstsq(predictors[train], v[train], rcond=None)[0] for v in (robust, x))
    rest_y, rest_x = robust - predictors @ fit_y, x - predictors @ fit_x
    ridge = RidgeCV(alphas=PENALTIES, fit_intercept=False).fit(rest_x[train], rest_y[train])
    found: Floats = np.stack(
        [
            (robust[test] - robust[train].mean()) ** 2,
            rest_y[test] ** 2,
            (rest_y[test] - ridge.predict(rest_x[test])) ** 2,
        ]
    )
    return found


def _impute(benchmarks: Floats, train: npt.NDArray[np.bool_]) -> Floats:
    """Replace missing scores by the median of the training models; 0 if none of them has a score."""
    known = np.isfinite(benchmarks[train]).any(axis=0)
    median = np.zeros(benchmarks.shape[1])
    median[known] = np.nanmedian(benchmarks[train][:, known], axis=0)
    found: Floats = np.where(np.isfinite(benchmarks), benchmarks, median)
    return found
