"""Regression: ordinary least squares of robust accuracy on alignment, alone and together with clean accuracy."""

import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import pandas as pd
import statsmodels.api as sm

from aggregate.scores.scores import Scores
from aggregate.statistics import correlation
from aggregate.statistics.arrays import Floats
from aggregate.statistics.correlation import ScoreBudget

MIN_MODELS = correlation.MIN_MODELS
MIN_MODELS_GIVEN_CLEAN = 6
"""Smallest number of models with clean accuracy as second predictor. With six models and an intercept, three
degrees of freedom remain."""


@dataclass(frozen=True)
class RegressionFit:
    """Regression of robust accuracy (a share) on a score.

    A number that cannot be computed is None, and `note` gives the reason.
    """

    n: int
    """Number of models that have both values."""
    coverage: float | None = None
    """Mean share of the neural and behavioural benchmarks that these models have a score for."""
    r2: float | None = None
    f_p: float | None = None
    """p value of the F-test for a slope of zero, with 1 and n - 2 degrees of freedom."""
    slope: float | None = None
    """Robust accuracy per unit of score. All intervals are 95 % intervals of Student's t."""
    slope_low: float | None = None
    slope_high: float | None = None
    intercept: float | None = None
    slope_given_clean: float | None = None
    """Robust accuracy per unit of score between models of equal clean accuracy."""
    slope_given_clean_low: float | None = None
    slope_given_clean_high: float | None = None
    slope_given_clean_p: float | None = None
    r2_of_clean_alone: float | None = None
    r2_with_clean: float | None = None
    """R2 of clean accuracy and the score together."""
    note: str = ""


COLUMNS = [field.name for kind in (ScoreBudget, RegressionFit) for field in fields(kind)]
NUMBERS = [field.name for field in fields(RegressionFit) if field.name not in {"n", "note"}]


def compute_regressions(table: pd.DataFrame, scores: Scores | None) -> pd.DataFrame:
    """Return one row per attack, budget and aggregate score; every score if the file has no aggregate.

    Args:
        table: Columns model, attack, norm, eps, eps_value, robust_accuracy and clean_accuracy.
        scores: The alignment scores; None gives an empty table.
    """
    frame = pd.DataFrame(list(_compute_rows(table, scores)) if scores else [], columns=COLUMNS)
    return frame.astype(dict.fromkeys(NUMBERS, "float64"))


def _compute_rows(table: pd.DataFrame, scores: Scores) -> Iterator[dict[str, object]]:
    coverage = scores.coverage
    for key, joined in correlation.iter_score_budgets(table, scores, scores.summaries):
        fit = fit_regressions(*correlation.extract_arrays(joined))
        fit = replace(fit, coverage=correlation.mean_coverage(joined["model"], coverage))
        yield {**asdict(key), **asdict(fit)}


def fit_regressions(alignment: Floats, robust: Floats, clean: Floats | None = None) -> RegressionFit:
    """Return the regressions of robust accuracy on one score.

    Args:
        alignment: Shape (n,), finite.
        robust: Robust accuracy of each model, shape (n,), finite.
        clean: Clean accuracy of each model, shape (n,); NaN where unknown. None skips the second regression.
    """
    n = len(alignment)
    if reason := correlation.check_computable(alignment, robust):
        return RegressionFit(n, note=reason)
    alone = _fit_least_squares(robust, alignment)
    numbers = {
        "r2": alone.rsquared,
        "f_p": alone.f_pvalue,
        "slope": alone.params[1],
        "slope_low": alone.conf_int()[1][0],
        "slope_high": alone.conf_int()[1][1],
        "intercept": alone.params[0],
    }
    note = "" if clean is None else _check_clean(alignment, robust, clean)
    if clean is not None and not note:
        clean_alone = _fit_least_squares(robust, clean)
        both = _fit_least_squares(robust, clean, alignment)
        numbers |= {
            "slope_given_clean": both.params[2],
            "slope_given_clean_low": both.conf_int()[2][0],
            "slope_given_clean_high": both.conf_int()[2][1],
            "slope_given_clean_p": both.pvalues[2],
            "r2_of_clean_alone": clean_alone.rsquared,
            "r2_with_clean": both.rsquared,
        }
    return RegressionFit(n, note=note, **{name: float(value) for name, value in numbers.items()})


def _fit_least_squares(y: Floats, *x: Floats) -> "sm.regression.linear_model.RegressionResults":
    with warnings.catch_warnings():
        # A perfect fit divides by zero; the resulting infinite F and p = 0 are correct.
        warnings.simplefilter("ignore", RuntimeWarning)
        return sm.OLS(y, sm.add_constant(np.column_stack(x))).fit()


def _check_clean(alignment: Floats, robust: Floats, clean: Floats) -> str:
    """Return the reason why clean accuracy cannot be a second predictor; "" if it can."""
    n = len(clean)
    if n < MIN_MODELS_GIVEN_CLEAN:
        return f"a regression with clean accuracy needs at least {MIN_MODELS_GIVEN_CLEAN} models"
    if unknown := int((~np.isfinite(clean)).sum()):
        return f"clean accuracy is unknown for {unknown} of {n} models"
    if correlation.is_constant(clean):
        return f"clean accuracy is the same for all {n} models"
    if 1 - abs(np.corrcoef(alignment, clean)[0, 1]) < 1e-9:
        return "the score is a linear function of clean accuracy"
    if 1 - abs(np.corrcoef(robust, clean)[0, 1]) < 1e-9:
        return "robust accuracy is a linear function of clean accuracy"
    return ""
