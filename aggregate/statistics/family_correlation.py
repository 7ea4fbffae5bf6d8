"""Correlations of scores with robust accuracy that allow for families, clean accuracy and image sampling.

Three facts break the textbook test of a correlation. Models of one architecture family resemble each other, so
they are not independent. Clean accuracy, the main confounder, is measured on a sample of images, so a plain
partial correlation removes only part of it. And many scores are tested together. The procedure:

1. Regress robust accuracy y and the score x (as normal scores) on clean accuracy c. The error variance s_cc and
   covariance s_cy of the measured accuracies are subtracted from the moments (errors in variables: Fuller 1987,
   Measurement Error Models, section 2.2). g and d are the slopes of y and x on the true clean accuracy.
2. Model i adds (x_i - d c_i)(y_i - g c_i) + d (s_cy,i - g s_cc,i) to the covariance that is left. Its expectation
   is 0 if the score adds nothing to clean accuracy.
3. Interval: a jackknife that deletes one family at a time, in Fisher's z. The deviation of a family with the share
   h of the models is weighted by 1 - h, which removes the jackknife's bias for large families (CR2: Bell &
   McCaffrey 2002, Survey Methodology 28, 169-181). Student's t has the effective number of families, n^2 / sum of
   squared family sizes, minus 1 as degrees of freedom. The plain number of families gives too narrow intervals if
   one family is large (Carter, Schnepel & Steigerwald 2017, Rev. Econ. Stat. 99, 698-709).
4. Family-wise p values over many scores: the largest studentised family sum under random weights of the families
   (score wild bootstrap: Kline & Santos 2012, J. Econometric Methods 1, 23-41; Westfall & Young 1993).

docs/validation.md gives the error rates of this procedure in simulated studies.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from aggregate.statistics.adjusted_moments import correct_correlation, find_contributions, make_terms
from aggregate.statistics.arrays import Floats
from aggregate.statistics.image_error import ImageError

MIN_MODELS = 8
MIN_FAMILIES = 5
"""Families below which neither an interval nor a p value is given."""
_LIMIT = 0.999
"""Largest |r| for Fisher's z."""


@dataclass(frozen=True)
class Adjusted:
    """A correlation with an interval over families. A missing number is None, and `note` gives the reason.

    Attributes:
        n: Models with both values.
        families: Architecture families among them.
        effective_models: Number of independent models that would give the same standard error.
        r: Correlation of the score's normal scores with robust accuracy, corrected for image sampling.
        low: Lower end of the 95 % interval.
        high: Upper end.
        p: Two-sided p value that belongs to the interval.
        note: Reason for a missing number.
    """

    n: int
    families: int = 0
    effective_models: float | None = None
    r: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Measured:
    """Accuracies of models and what they are adjusted for.

    Attributes:
        robust: Robust accuracy, shape (models,).
        families: Family index from 0, shape (models,).
        clean: Clean accuracy to adjust for, shape (models,); None for no adjustment.
        error: Error covariance of the measured accuracies; None if it is unknown or negligible.
        covariates: Further values to adjust for, without error, shape (models, covariates); None for none.
        within_families: Whether to compare models only within their family.
    """

    robust: Floats
    families: npt.NDArray[np.int64]
    clean: Floats | None = None
    error: ImageError | None = None
    covariates: Floats | None = None
    within_families: bool = False

    def take(self, rows: npt.NDArray[np.bool_]) -> "Measured":
        """Return a subset of the models."""
        return Measured(
            self.robust[rows],
            self.families[rows],
            None if self.clean is None else self.clean[rows],
            None if self.error is None else self.error.take(rows),
            None if self.covariates is None else self.covariates[rows],
            self.within_families,
        )


def correlate(score: Floats, measured: Measured) -> tuple[Adjusted, Floats]:
    """Correlate one score with robust accuracy.

    Args:
        score: Score of each model, NaN if it has none, shape (models,).
        measured: The models' accuracies and families.

    Returns:
        The correlation, and the sum of contributions of each family for `familywise_p`, shape (families,). The
        sums are zero if no correlation can be computed.
    """
    (found,), sums = correlate_all(score[:, None], measured)
    return found, sums[:, 0]


def correlate_all(scores: Floats, measured: Measured, *, ranked: bool = True) -> tuple[list[Adjusted], Floats]:
    """Correlate several scores with robust accuracy. Scores of the same models are computed together.

    Args:
        scores: NaN where a model has no score, shape (models, scores).
        measured: The models' accuracies and families.
        ranked: Whether to replace the scores by their normal scores.

    Returns:
        The correlation of each score, and the sums of `correlate`, shape (families, scores).
    """
    found: list[Adjusted] = [Adjusted(0)] * scores.shape[1]
    sums = np.zeros((int(measured.families.max()) + 1, scores.shape[1]))
    usable = np.isfinite(measured.robust)
    if measured.clean is not None:
        usable &= np.isfinite(measured.clean)
    known = np.isfinite(scores) & usable[:, None]
    together: dict[bytes, list[int]] = {}
    for column in range(scores.shape[1]):
        together.setdefault(known[:, column].tobytes(), []).append(column)
    for columns in together.values():
        rows = known[:, columns[0]]
        results, part = _correlate_same_models(
            scores[rows][:, columns], measured.take(rows), len(sums), ranked=ranked
        )
        sums[:, columns] = part
        for column, result in zip(columns, results, strict=True):
            found[column] = result
    return found, sums


def _correlate_same_models(
    x: Floats, part: Measured, families: int, *, ranked: bool
) -> tuple[list[Adjusted], Floats]:
    """Return the results of `correlate_all` for scores that all models have.

    Args:
        x: Finite scores, shape (models, scores).
        part: The models.
        families: Number of rows of the sums.
        ranked: Whether to replace the scores by their normal scores.
    """
    count = x.shape[1]
    nothing = np.zeros((families, count))
    present = len(np.unique(part.families))
    if note := _refusal(x, part, present):
        return [Adjusted(len(x), present, note=note)] * count, nothing
    normal, part = _partial_out(normal_scores(x) if ranked else x - x.mean(axis=0), part)
    labels, sizes = np.unique(part.families, return_counts=True)
    n, present = len(normal), len(labels)
    if n < MIN_MODELS or present < MIN_FAMILIES:
        return [Adjusted(n, present, note="too few models differ beyond the covariates")] * count, nothing
    members = (part.families == labels[:, None]).astype(np.float64)
    terms = make_terms(normal, part.robust, part.clean, part.error)
    by_family = [members @ term for term in terms]
    total = [values.sum(axis=0) for values in by_family]
    r = correct_correlation(total)
    without = correct_correlation([whole - values for whole, values in zip(total, by_family, strict=True)])
    sums = nothing.copy()
    sums[labels] = members @ find_contributions(terms, total)
    degrees = n**2 / float((sizes**2).sum()) - 1
    error = np.sqrt((1 - sizes / n) @ (_fisher(without) - _fisher(r)) ** 2)
    results = [
        _make_interval(n, present, float(r[at]), float(error[at]), degrees)
        if np.ptp(x[:, at]) > 1e-12
        else Adjusted(len(x), present, note=f"the score is the same for all {len(x)} models")
        for at in range(count)
    ]
    sums[:, [result.p is None for result in results]] = 0
    return results, sums


def _make_interval(n: int, families: int, r: float, error: float, degrees: float) -> Adjusted:
    """Return the interval and p value of one correlation.

    Args:
        n: Number of models.
        families: Number of families.
        r: The correlation; NaN if clean accuracy is too noisy.
        error: Standard error of Fisher's z; NaN if clean accuracy is too noisy without one family.
        degrees: Degrees of freedom of Student's t.
    """
    if not np.isfinite(r) or not np.isfinite(error):
        note = "clean accuracy is too noisy to adjust for; measure it on more images"
        return Adjusted(n, families, note=note)
    if error <= 0 or degrees < 1:
        note = "most models belong to one family" if degrees < 1 else "no family changes the correlation"
        return Adjusted(n, families, r=r, note=note)
    z, margin = float(_fisher(r)), _quantile(degrees) * error
    return Adjusted(
        n,
        families,
        effective_models=min(float(n), 1 / error**2 + 3),
        r=r,
        low=float(np.tanh(z - margin)),
        high=float(np.tanh(z + margin)),
        p=2 * float(special.stdtr(degrees, -abs(z) / error)),
    )


@lru_cache(maxsize=1024)
def _quantile(degrees: float) -> float:
    """Return the 97.5 % quantile of Student's t."""
    return float(special.stdtrit(degrees, 0.975))


def normal_scores(values: Floats) -> Floats:
    """Return van der Waerden's normal scores: normal quantiles of rank / (n + 1), average ranks for ties.

    Args:
        values: Shape (models,) or (models, scores); each column is ranked by itself.
    """
    scores: Floats = special.ndtri(stats.rankdata(values, axis=0) / (len(values) + 1))
    return scores


def _refusal(x: Floats, part: Measured, families: int) -> str:
    n = len(x)
    if n < MIN_MODELS:
        return f"{n} models have both values; at least {MIN_MODELS} are needed"
    if families < MIN_FAMILIES:
        return f"the {n} models belong to {families} families; at least {MIN_FAMILIES} are needed"
    for name, values in (("robust accuracy", part.robust), ("clean accuracy", part.clean)):
        if values is not None and np.ptp(values) <= 1e-12:
            return f"the {name} is the same for all {n} models"
    return ""


def _partial_out(x: Floats, part: Measured) -> tuple[Floats, Measured]:
    """Regress the score and the accuracies on the covariates; models that these determine are left out.

    A model of leverage h keeps the share 1 - h of its error variance.
    """
    if part.within_families:
        labels, index, counts = np.unique(part.families, return_inverse=True, return_counts=True)
        mean_of = (part.families == labels[:, None]) / counts[:, None]
        kept = 1 - 1 / counts[index]

        def project(values: Floats) -> Floats:
            found: Floats = (mean_of @ values)[index]
            return found
    elif part.covariates is not None:
        design = np.column_stack([np.ones(len(x)), part.covariates])
        basis, scale, _ = np.linalg.svd(design, full_matrices=False)
        basis = basis[:, scale > 1e-9 * scale[0]]
        kept = 1 - (basis * basis).sum(axis=1)

        def project(values: Floats) -> Floats:
            found: Floats = basis @ (basis.T @ values)
            return found
    else:
        return x, part
    rows = kept > 1e-9

    def rest(values: Floats) -> Floats:
        return (values - project(values))[rows]

    error = part.error and ImageError(
        *(values[rows] * kept[rows] for values in (part.error.clean, part.error.both, part.error.robust))
    )
    clean = None if part.clean is None else rest(part.clean)
    return rest(x), Measured(rest(part.robust), part.families[rows], clean, error)


def _fisher(r: npt.ArrayLike) -> Floats:
    z: Floats = np.arctanh(np.clip(r, -_LIMIT, _LIMIT))
    return z
