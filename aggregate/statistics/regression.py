"""Regression: robust accuracy on alignment by ordinary least squares, alone and given clean accuracy."""

import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields

import numpy as np
import pandas as pd
import statsmodels.api as sm

from aggregate.scores.scores import Scores
from aggregate.statistics import correlation
from aggregate.statistics.arrays import Floats
from aggregate.statistics.correlation import ScoreBudget

MIN_MODELS = correlation.MIN_MODELS
MIN_MODELS_GIVEN_CLEAN = 6
"""Two predictors and an intercept leave three degrees of freedom."""


@dataclass(frozen=True)
class RegressionFit:
    """Robust accuracy (a share) on a score. A number that cannot be given is None, and `note` says why."""

    n: int
    """Models that have both."""
    r2: float | None = None
    f_p: float | None = None
    """Of the F-test that the slope is zero, with 1 and n - 2 degrees of freedom."""
    slope: float | None = None
    """Robust accuracy per unit of score; its 95 % interval is of Student's t, and so are those below."""
    slope_low: float | None = None
    slope_high: float | None = None
    intercept: float | None = None
    slope_given_clean: float | None = None
    """Robust accuracy per unit of score, of two models of one clean accuracy."""
    slope_given_clean_low: float | None = None
    slope_given_clean_high: float | None = None
    slope_given_clean_p: float | None = None
    r2_of_clean_alone: float | None = None
    r2_with_clean: float | None = None
    """Of clean accuracy and the score together."""
    note: str = ""


COLUMNS = [field.name for kind in (ScoreBudget, RegressionFit) for field in fields(kind)]
NUMBERS = [field.name for field in fields(RegressionFit) if field.name not in {"n", "note"}]


def fit_regressions(alignment: Floats, robust: Floats, clean: Floats | None = None) -> RegressionFit:
    """The regressions of one score, all of shape (n,); alignment and robust accuracy are finite."""
    n = len(alignment)
    if refusal := correlation.check_computable(alignment, robust):
        return RegressionFit(n, note=refusal)
    alone = _least_squares(robust, alignment)
    found = {
        "r2": alone.rsquared,
        "f_p": alone.f_pvalue,
        "slope": alone.params[1],
        "slope_low": alone.conf_int()[1][0],
        "slope_high": alone.conf_int()[1][1],
        "intercept": alone.params[0],
    }
    note = "" if clean is None else _refusal_given_clean(alignment, robust, clean)
    if clean is not None and not note:
        of_clean, both = _least_squares(robust, clean), _least_squares(robust, clean, alignment)
        found |= {
            "slope_given_clean": both.params[2],
            "slope_given_clean_low": both.conf_int()[2][0],
            "slope_given_clean_high": both.conf_int()[2][1],
            "slope_given_clean_p": both.pvalues[2],
            "r2_of_clean_alone": of_clean.rsquared,
            "r2_with_clean": both.rsquared,
        }
    return RegressionFit(n, note=note, **{name: float(value) for name, value in found.items()})


def _least_squares(y: Floats, *x: Floats) -> "sm.regression.linear_model.RegressionResults":
    with warnings.catch_warnings():
        # A perfect fit has an infinite F and p = 0: what it should be.
        warnings.simplefilter("ignore", RuntimeWarning)
        return sm.OLS(y, sm.add_constant(np.column_stack(x))).fit()


def _refusal_given_clean(alignment: Floats, robust: Floats, clean: Floats) -> str:
    n = len(clean)
    if n < MIN_MODELS_GIVEN_CLEAN:
        return f"given clean accuracy at least {MIN_MODELS_GIVEN_CLEAN} models are needed"
    if unknown := int((~np.isfinite(clean)).sum()):
        return f"clean accuracy is not known of {unknown} of {n} models"
    if correlation.is_constant(clean):
        return f"clean accuracy is the same for all {n} models"
    if 1 - abs(np.corrcoef(alignment, clean)[0, 1]) < 1e-9:
        return "the score is a straight line of clean accuracy"
    if 1 - abs(np.corrcoef(robust, clean)[0, 1]) < 1e-9:
        return "robust accuracy is a straight line of clean accuracy"
    return ""


def compute_regressions(table: pd.DataFrame, scores: Scores | None) -> pd.DataFrame:
    """One row per attack, budget and aggregate score (every score, where there is no aggregate)."""
    found = pd.DataFrame(list(_answers(table, scores)) if scores else [], columns=COLUMNS)
    return found.astype(dict.fromkeys(NUMBERS, "float64"))


def _answers(table: pd.DataFrame, scores: Scores) -> Iterator[dict[str, object]]:
    for question, both in correlation.iter_score_budgets(table, scores, scores.summaries):
        yield {**asdict(question), **asdict(fit_regressions(*correlation.extract_arrays(both)))}
