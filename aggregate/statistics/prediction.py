"""Prediction: cross-validated prediction of robust accuracy from all benchmark scores.

The model is ridge regression on standardised scores. Every learned quantity is fitted on the training folds alone:
the median that replaces a missing score, the scale and the penalty. A benchmark without information therefore does
not improve the result.

Reference: Varma & Simon 2006, BMC Bioinformatics 7, 91 (nested cross-validation).
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields

import numpy as np
import numpy.typing as npt
import pandas as pd
import sklearn
from sklearn.impute import SimpleImputer
from sklearn.inspection import permutation_importance
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, RepeatedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from aggregate.scores.hierarchy import CATEGORIES
from aggregate.scores.scores import Scores
from aggregate.statistics import correlation
from aggregate.statistics.arrays import Floats

MIN_MODELS = 20
"""Smallest number of models for a prediction: with fewer, each of five folds tests on fewer than four."""
ALIGNMENT = CATEGORIES[:2]
FOLDS = 5
REPEATS = 5
SEED = 20250217
PENALTIES = np.logspace(-2, 5, 15)
"""Candidate penalties; leave-one-out error within the training folds selects one."""

Folds = list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]
"""Indices of the training models and of the test models of each fold."""
Budget = tuple[str, str, str, float]
"""Attack, norm, eps as text, and eps as a number."""


@dataclass(frozen=True)
class Prediction:
    """Cross-validated R2 of predictions of robust accuracy at one budget.

    R2 is 1 for a perfect prediction, 0 for one that is no better than the mean, and below 0 for a worse one. A
    number that cannot be computed is None, and `note` gives the reason.
    """

    attack: str
    norm: str
    eps: str
    eps_value: float
    n: int
    benchmarks: int
    """Number of benchmarks that at least half of the models have and that differ between models."""
    alignment_benchmarks: int = 0
    """Number of neural and behavioural benchmarks among them. Engineering benchmarks, such as ImageNet-top1, are
    not alignment: they measure clean accuracy or something close to it."""
    r2_cv: float | None = None
    """R2 of all benchmarks."""
    r2_cv_of_alignment: float | None = None
    """R2 of the neural and behavioural benchmarks alone."""
    r2_cv_of_alignment_with_clean: float | None = None
    """R2 of these and clean accuracy. Minus r2_cv_of_clean_alone, it is the contribution of alignment."""
    r2_cv_of_clean_alone: float | None = None
    r2_cv_with_clean: float | None = None
    """R2 of clean accuracy and all benchmarks together."""
    r2_cv_new_families: float | None = None
    """R2 of all benchmarks if each fold holds out whole architecture families."""
    note: str = ""


IMPORTANCE_COLUMNS = [
    "attack", "norm", "eps", "eps_value", "benchmark", "category", "importance", "low", "high", "note",
]  # fmt: skip


@dataclass(frozen=True)
class PredictionData:
    """The models of one budget that have a robust accuracy and at least one score."""

    x: Floats
    """Scores of shape (n, benchmarks); NaN where missing."""
    y: Floats
    """Robust accuracy, shape (n,)."""
    clean: Floats
    """Clean accuracy, shape (n, 1); NaN where unknown."""
    benchmarks: tuple[str, ...]
    categories: tuple[str, ...]
    """Category of each benchmark; empty where unknown."""
    families: npt.NDArray[np.str_]
    """Architecture family of each model, shape (n,)."""

    @property
    def aligned(self) -> npt.NDArray[np.bool_]:
        """Mask of the neural and behavioural benchmarks, shape (benchmarks,)."""
        return np.array([category in ALIGNMENT for category in self.categories], dtype=bool)

    @property
    def unknown_clean(self) -> int:
        """Number of models without a clean accuracy."""
        return int(np.isnan(self.clean).sum())


def compute_predictions(
    table: pd.DataFrame, scores: Scores | None, family: Mapping[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the predictions and the importance of each benchmark for them.

    Args:
        table: Columns model, attack, norm, eps, eps_value, robust_accuracy and clean_accuracy.
        scores: The alignment scores; None gives two empty tables.
        family: Architecture family of each model.

    Returns:
        Two tables. The first has one row per attack and budget, with the fields of `Prediction`. The second has
        one row per attack, budget and benchmark: `importance` is the R2 that predictions of held-out models lose
        when the scores of this benchmark are shuffled among them; `low` and `high` contain 95 % of folds and
        shuffles. Two benchmarks with the same information both look unimportant.

    Reference:
        Breiman 2001, Machine Learning 45, 5-32 (permutation importance).
    """
    predictions: list[Prediction] = []
    importances: list[dict[str, object]] = []
    budgets = table.groupby(["attack", "norm", "eps", "eps_value"], sort=False)
    # The inputs are checked here once; scikit-learn would check them again for each of thousands of shuffles.
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        for budget, part in budgets:
            if scores is None:
                break
            prediction, rows = _predict_at_budget(budget, _select_data(part, scores, family))
            predictions.append(prediction)
            importances.extend(rows)
    columns = [field.name for field in fields(Prediction)]
    numbers = [name for name in columns if name.startswith("r2")]
    return (
        pd.DataFrame([asdict(row) for row in predictions], columns=columns).astype(
            dict.fromkeys(numbers, "float64")
        ),
        pd.DataFrame(importances, columns=IMPORTANCE_COLUMNS).astype(
            dict.fromkeys(["importance", "low", "high"], "float64")
        ),
    )


def _select_data(part: pd.DataFrame, scores: Scores, family: Mapping[str, str]) -> PredictionData:
    category = {column.name: column.category for column in scores.benchmarks}
    part = part[part["robust_accuracy"].notna()]
    known = pd.DataFrame(
        [scores.rows.get(name, {}) for name in part["model"]], columns=list(category), dtype="float64"
    )
    scored = known.notna().any(axis=1).to_numpy()
    known, part = known[scored], part[scored]
    known = known.loc[:, (known.notna().mean() >= 0.5) & (known.nunique() > 1)]
    return PredictionData(
        x=known.to_numpy(dtype=np.float64),
        y=part["robust_accuracy"].to_numpy(dtype=np.float64),
        clean=part["clean_accuracy"].to_numpy(dtype=np.float64)[:, None],
        benchmarks=tuple(known.columns),
        categories=tuple(category[name] for name in known.columns),
        families=part["model"].map(lambda model: family.get(model, "")).to_numpy(dtype=str),
    )


def _predict_at_budget(budget: Budget, data: PredictionData) -> tuple[Prediction, list[dict[str, object]]]:
    """Return the prediction and its importance rows, the most important benchmark first."""
    n, benchmarks = data.x.shape
    aligned = int(data.aligned.sum())
    if reason := _check_predictable(data):
        return Prediction(*budget, n, benchmarks, aligned, note=reason), []
    folds: Folds = list(RepeatedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=SEED).split(data.x))
    family_r2, notes = _predict_new_families(data)
    if data.unknown_clean:
        notes.append(f"clean accuracy is unknown for {data.unknown_clean} of {n} models")
    if not aligned:
        notes.append("no benchmark is known to be neural or behavioural")
    with_clean = data.unknown_clean == 0
    alignment = data.x[:, data.aligned]

    def cross_validate(*predictors: Floats, computable: bool = True) -> float | None:
        return _compute_r2(np.hstack(predictors), data.y, folds) if computable else None

    prediction = Prediction(
        *budget,
        n,
        benchmarks,
        aligned,
        r2_cv=cross_validate(data.x),
        r2_cv_of_alignment=cross_validate(alignment, computable=aligned > 0),
        r2_cv_of_alignment_with_clean=cross_validate(alignment, data.clean, computable=aligned > 0 and with_clean),
        r2_cv_of_clean_alone=cross_validate(data.clean, computable=with_clean),
        r2_cv_with_clean=cross_validate(data.x, data.clean, computable=with_clean),
        r2_cv_new_families=family_r2,
        note="; ".join(notes),
    )
    importance = _compute_importance(data.x, data.y, folds[:FOLDS])
    ranked = sorted(zip(data.benchmarks, data.categories, importance, strict=True), key=lambda item: -item[2][0])
    return prediction, [
        dict(zip(IMPORTANCE_COLUMNS, (*budget, name, category, *numbers, ""), strict=True))
        for name, category, numbers in ranked
    ]


def _predict_new_families(data: PredictionData) -> tuple[float | None, list[str]]:
    """Return R2 with whole families held out, and the reason if there are too few of them."""
    if len(set(data.families)) < FOLDS:
        return None, [f"holding out families needs at least {FOLDS} families"]
    folds = list(GroupKFold(n_splits=FOLDS).split(data.x, data.y, data.families))
    return _compute_r2(data.x, data.y, folds), []


def _check_predictable(data: PredictionData) -> str:
    """Return the reason why nothing can be predicted; "" if it can."""
    n, benchmarks = data.x.shape
    if n < MIN_MODELS:
        return f"only {n} models have both scores and an outcome; at least {MIN_MODELS} are needed"
    if not benchmarks:
        return "no benchmark has been scored for half of the models"
    if correlation.is_constant(data.y):
        return f"robust accuracy is the same for all {n} models"
    return ""


def _make_estimator() -> Pipeline:
    return make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler(), RidgeCV(alphas=PENALTIES)
    )


def _compute_r2(x: Floats, y: Floats, folds: Folds) -> float:
    """Return R2 of all held-out predictions, relative to predicting the mean of the training folds."""
    residual = total = 0.0
    for train, test in folds:
        predicted = _make_estimator().fit(x[train], y[train]).predict(x[test])
        residual += float(((y[test] - predicted) ** 2).sum())
        total += float(((y[test] - y[train].mean()) ** 2).sum())
    return 1 - residual / total


def _compute_importance(x: Floats, y: Floats, folds: Folds) -> Iterator[tuple[float, float, float]]:
    """Yield importance, low and high of each benchmark, over five folds and five shuffles of each."""
    lost = []
    for train, test in folds:
        estimator = _make_estimator().fit(x[train], y[train])
        transformed = estimator[:-1].transform(x[test])
        result = permutation_importance(
            estimator[-1],
            transformed,
            y[test],
            scoring="neg_mean_squared_error",
            n_repeats=REPEATS,
            random_state=SEED,
        )
        lost.append(result.importances / y.var())
    for row in np.concatenate(lost, axis=1):
        yield float(row.mean()), float(np.quantile(row, 0.025)), float(np.quantile(row, 0.975))
