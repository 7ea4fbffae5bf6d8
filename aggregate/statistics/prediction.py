"""Prediction: how well all benchmarks together foretell the robust accuracy of models they were not fitted on.

Ridge regression on standardised scores. Everything that learns - the median that stands for a missing score, the
scale, the penalty - is fitted on the training folds alone (nested cross-validation: Varma & Simon 2006, BMC
Bioinformatics 7, 91), so a benchmark that foretells nothing earns nothing.
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
"""Models below which nothing is predicted: five folds would test on fewer than four each."""
ALIGNMENT = CATEGORIES[:2]
FOLDS = 5
REPEATS = 5
SEED = 20250217
PENALTIES = np.logspace(-2, 5, 15)
"""Chosen by leave-one-out error within the training folds."""

Folds = list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]


@dataclass(frozen=True)
class Prediction:
    """R2 of predictions of models that were held out: 1 is perfect, 0 no better than the mean, below 0 worse."""

    attack: str
    norm: str
    eps: str
    eps_value: float
    n: int
    benchmarks: int
    """Those that at least half of the models have, and that differ between models."""
    alignment_benchmarks: int = 0
    """Of them, the neural and behavioural ones. Engineering benchmarks, such as ImageNet-top1, are not alignment:
    they are clean accuracy itself or near it, and what they foretell is no merit of alignment."""
    r2_cv: float | None = None
    """Of all benchmarks."""
    r2_cv_of_alignment: float | None = None
    """Of the neural and behavioural benchmarks alone."""
    r2_cv_of_alignment_with_clean: float | None = None
    """Of these and clean accuracy: what alignment adds is this less r2_cv_of_clean_alone."""
    r2_cv_of_clean_alone: float | None = None
    r2_cv_with_clean: float | None = None
    """Of clean accuracy and all benchmarks together."""
    r2_cv_new_families: float | None = None
    """Of the benchmarks, where every fold holds out whole architecture families."""
    note: str = ""


IMPORTANCE_COLUMNS = [
    "attack",
    "norm",
    "eps",
    "eps_value",
    "benchmark",
    "category",
    "importance",
    "low",
    "high",
    "note",
]


def compute_predictions(
    table: pd.DataFrame, scores: Scores | None, family: Mapping[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row per attack and budget, and one per attack, budget and benchmark: the importance of each.

    importance: the R2 that predictions of held-out models lose when this benchmark's scores are shuffled among
    them (Breiman 2001, Machine Learning 45, 5-32); low and high hold 95 % of folds and shuffles. Of benchmarks
    that say the same, each looks unimportant beside the other.
    """
    predictions: list[Prediction] = []
    importances: list[dict[str, object]] = []
    budgets = table.groupby(["attack", "norm", "eps", "eps_value"], sort=False)
    # What goes in is checked here once; scikit-learn would do it again for each of thousands of shuffles.
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        for budget, part in budgets:
            if scores is None:
                break
            answer, weighed = _of_budget(budget, part, scores, family)
            predictions.append(answer)
            importances.extend(weighed)
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


def _of_budget(
    budget: tuple[str, str, str, float], part: pd.DataFrame, scores: Scores, family: Mapping[str, str]
) -> tuple[Prediction, list[dict[str, object]]]:
    category = {column.name: column.category for column in scores.benchmarks}
    part = part[part["robust_accuracy"].notna()]
    known = pd.DataFrame(
        [scores.rows.get(name, {}) for name in part["model"]], columns=list(category), dtype="float64"
    )
    some = known.notna().any(axis=1).to_numpy()
    known, part = known[some], part[some]
    known = known.loc[:, (known.notna().mean() >= 0.5) & (known.nunique() > 1)]
    x, y = known.to_numpy(dtype=np.float64), part["robust_accuracy"].to_numpy(dtype=np.float64)
    clean = part["clean_accuracy"].to_numpy(dtype=np.float64)[:, None]
    n, benchmarks = x.shape
    aligned = np.array([category[name] in ALIGNMENT for name in known.columns], dtype=bool)
    if why := _refusal(n, benchmarks, y):
        return Prediction(*budget, n, benchmarks, int(aligned.sum()), note=why), []
    folds: Folds = list(RepeatedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=SEED).split(x))
    groups = part["model"].map(lambda model: family.get(model, "")).to_numpy(dtype=str)
    notes, of_families = [], None
    if len(set(groups)) < FOLDS:
        notes.append(f"families are held out only where there are at least {FOLDS}")
    else:
        of_families = _r2(x, y, list(GroupKFold(n_splits=FOLDS).split(x, y, groups)))
    unknown = int(np.isnan(clean).sum())
    notes += [f"clean accuracy is not known of {unknown} of {n} models"] if unknown else []
    notes += [] if aligned.any() else ["no benchmark is known to be neural or behavioural"]

    def foretold(*predictors: Floats) -> float | None:
        """None where a predictor has no column, or is clean accuracy that is not known."""
        usable = all(values.size and not (values is clean and unknown) for values in predictors)
        return _r2(np.hstack(predictors), y, folds) if usable else None

    answer = Prediction(
        *budget,
        n,
        benchmarks,
        int(aligned.sum()),
        r2_cv=foretold(x),
        r2_cv_of_alignment=foretold(x[:, aligned]),
        r2_cv_of_alignment_with_clean=foretold(x[:, aligned], clean),
        r2_cv_of_clean_alone=foretold(clean),
        r2_cv_with_clean=foretold(x, clean),
        r2_cv_new_families=of_families,
        note="; ".join(notes),
    )
    weighed = _importance(x, y, folds[:FOLDS])
    rows = [
        dict(zip(IMPORTANCE_COLUMNS, (*budget, name, category[name], *numbers, ""), strict=True))
        for name, numbers in zip(known.columns, weighed, strict=True)
    ]
    return answer, sorted(rows, key=lambda row: -row["importance"])


def _refusal(n: int, benchmarks: int, y: Floats) -> str:
    if n < MIN_MODELS:
        return f"only {n} models have both scores and an outcome; at least {MIN_MODELS} are needed"
    if not benchmarks:
        return "no benchmark has been scored for half of the models"
    if correlation.is_constant(y):
        return f"robust accuracy is the same for all {n} models"
    return ""


def _learner() -> Pipeline:
    return make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler(), RidgeCV(alphas=PENALTIES)
    )


def _r2(x: Floats, y: Floats, folds: Folds) -> float:
    """Of all held-out predictions, against those of the training folds' mean."""
    lost = of_mean = 0.0
    for train, test in folds:
        predicted = _learner().fit(x[train], y[train]).predict(x[test])
        lost += float(((y[test] - predicted) ** 2).sum())
        of_mean += float(((y[test] - y[train].mean()) ** 2).sum())
    return 1 - lost / of_mean


def _importance(x: Floats, y: Floats, folds: Folds) -> Iterator[tuple[float, float, float]]:
    """Importance, low and high of each benchmark, over five folds and five shuffles of each."""
    lost = []
    for train, test in folds:
        learner = _learner().fit(x[train], y[train])
        seen = learner[:-1].transform(x[test])
        found = permutation_importance(
            learner[-1], seen, y[test], scoring="neg_mean_squared_error", n_repeats=REPEATS, random_state=SEED
        )
        lost.append(found.importances / y.var())
    together = np.concatenate(lost, axis=1)
    for row in together:
        yield float(row.mean()), float(np.quantile(row, 0.025)), float(np.quantile(row, 0.975))
