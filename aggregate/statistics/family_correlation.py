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
from scipy import stats

from aggregate.statistics.arrays import Floats
from aggregate.statistics.image_error import ImageError

MIN_MODELS = 8
MIN_FAMILIES = 5
"""Families below which neither an interval nor a p value is given."""
MIN_RELIABILITY = 0.2
"""Smallest reliability of clean accuracy that can be adjusted for; below, its measured values are mostly noise."""
RESAMPLES = 4999
SEED = 20250217
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
    families = int(measured.families.max()) + 1
    nothing = np.zeros(families)
    known = np.isfinite(score) & np.isfinite(measured.robust)
    if measured.clean is not None:
        known &= np.isfinite(measured.clean)
    x, part = score[known], measured.take(known)
    present = len(np.unique(part.families))
    if note := _refusal(x, part, present):
        return Adjusted(len(x), present, note=note), nothing
    normal, part = _partial_out(normal_scores(x), part)
    sizes = np.bincount(part.families, minlength=families).astype(np.float64)
    n, present = len(normal), int((sizes > 0).sum())
    if n < MIN_MODELS or present < MIN_FAMILIES:
        return Adjusted(n, present, note="too few models differ beyond the covariates"), nothing
    terms = _terms(normal, part)
    by_family = np.array([np.bincount(part.families, weights=term, minlength=families) for term in terms])
    total = by_family.sum(axis=1)
    r = float(_correlation(total))
    without = _correlation(total[:, None] - by_family[:, sizes > 0])
    if not np.isfinite(r) or not np.isfinite(without).all():
        note = "clean accuracy is too noisy to adjust for; measure it on more images"
        return Adjusted(n, present, note=note), nothing
    sums = np.zeros(families)
    np.add.at(sums, part.families, _contributions(terms, total))
    error = float(np.sqrt((_fisher(without) - _fisher(r)) ** 2 @ (1 - sizes[sizes > 0] / n)))
    degrees = n**2 / float((sizes**2).sum()) - 1
    if error <= 0 or degrees < 1:
        note = "most models belong to one family" if degrees < 1 else "no family changes the correlation"
        return Adjusted(n, present, r=r, note=note), nothing
    z, margin = float(_fisher(r)), float(stats.t.ppf(0.975, degrees)) * error
    return Adjusted(
        n,
        present,
        effective_models=min(float(n), 1 / error**2 + 3),
        r=r,
        low=float(np.tanh(z - margin)),
        high=float(np.tanh(z + margin)),
        p=2 * float(stats.t.sf(abs(z) / error, degrees)),
    ), sums


def familywise_p(sums: Floats) -> Floats:
    """Return the p value of each score, adjusted for the number of scores tested together.

    Args:
        sums: Family sums of `correlate`, shape (families, scores); a column of zeros is not tested.

    Returns:
        Shape (scores,); NaN for a column of zeros. If no score is related, any value is below 0.05 in about 5 % of
        studies.
    """
    p = np.full(sums.shape[1], np.nan)
    tested = (sums != 0).any(axis=0)
    if not tested.any():
        return p
    part = sums[:, tested]
    weights = draw_weights(len(part))
    observed = np.abs(part.sum(axis=0)) / np.sqrt((part**2).sum(axis=0))
    drawn = np.abs(weights @ part) / np.sqrt(np.maximum(weights**2 @ part**2, 1e-300))
    largest = drawn.max(axis=1)
    p[tested] = [(1 + int((largest >= value - 1e-12).sum())) / (RESAMPLES + 1) for value in observed]
    return p


@lru_cache(maxsize=4)
def draw_weights(families: int) -> Floats:
    """Return random weights of families for a score wild bootstrap, shape (RESAMPLES, families); always the same.

    Two signs would give too few different sums if there are few families, hence six points.

    Reference:
        Webb 2023, Canadian Journal of Economics 56, 839-858.
    """
    rng = np.random.default_rng(SEED)
    size = np.sqrt(rng.choice([0.5, 1.0, 1.5], size=(RESAMPLES, families)))
    weights: Floats = size * rng.choice([-1.0, 1.0], size=(RESAMPLES, families))
    return weights


def normal_scores(values: Floats) -> Floats:
    """Return van der Waerden's normal scores: normal quantiles of rank / (n + 1), average ranks for ties."""
    scores: Floats = stats.norm.ppf(stats.rankdata(values) / (len(values) + 1))
    return scores


def _refusal(x: Floats, part: Measured, families: int) -> str:
    n = len(x)
    if n < MIN_MODELS:
        return f"{n} models have both values; at least {MIN_MODELS} are needed"
    if families < MIN_FAMILIES:
        return f"the {n} models belong to {families} families; at least {MIN_FAMILIES} are needed"
    for name, values in (("score", x), ("robust accuracy", part.robust), ("clean accuracy", part.clean)):
        if values is not None and np.ptp(values) <= 1e-12:
            return f"the {name} is the same for all {n} models"
    return ""


def _partial_out(x: Floats, part: Measured) -> tuple[Floats, Measured]:
    """Regress the score and the accuracies on the covariates; models that these determine are left out.

    A model of leverage h keeps the share 1 - h of its error variance.
    """
    if part.within_families:
        sizes = np.bincount(part.families)[part.families]
        kept = 1 - 1 / sizes

        def project(values: Floats) -> Floats:
            found: Floats = np.bincount(part.families, weights=values)[part.families] / sizes
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


def _terms(x: Floats, part: Measured) -> Floats:
    """Return what each model adds to the moments, shape (13, models). Without adjustment clean accuracy is 0."""
    zero = np.zeros(len(x))
    error = part.error or ImageError(zero, zero, zero)
    y = part.robust - part.robust.mean()
    if part.clean is None:
        c, ecc, ecy = zero, zero, zero
    else:
        c, ecc, ecy = part.clean - part.clean.mean(), error.clean, error.both
    one = np.ones(len(x))
    return np.stack([one, x, y, c, x * x, y * y, c * c, x * y, x * c, y * c, ecc, ecy, error.robust])


def _correlation(moments: Floats) -> Floats:
    """Return the corrected correlation of sums of `_terms`, shape (13, ...) to (...); NaN if `clean` is noise."""
    n, x, y, c, xx, yy, cc, xy, xc, yc, ecc, ecy, eyy = moments
    xx, yy, cc, xy, xc, yc = (
        xx - x * x / n, yy - y * y / n, cc - c * c / n, xy - x * y / n, xc - x * c / n, yc - y * c / n,
    )  # fmt: skip
    g, d = _slopes(cc, ecc, yc - ecy, xc)
    covariance = xy - g * xc - d * yc + g * d * cc + d * (ecy - g * ecc)
    spread_x = xx - 2 * d * xc + d * d * (cc - ecc)
    spread_y = yy - 2 * g * yc + g * g * cc - (eyy - 2 * g * ecy + g * g * ecc)
    # A spread that is all sampling error has no correlation; the floor keeps r finite.
    product = np.maximum(spread_x, 0.05 * xx) * np.maximum(spread_y, 0.05 * yy)
    r: Floats = np.clip(covariance / np.sqrt(product), -1, 1)
    return r


def _contributions(terms: Floats, total: Floats) -> Floats:
    """Return what each model adds to the covariance that is left, shape (models,)."""
    n, x, y, c, *_ = total
    xs, ys, cs = terms[1] - x / n, terms[2] - y / n, terms[3] - c / n
    ecc, ecy = terms[10], terms[11]
    g, d = _slopes(float((cs * cs).sum()), total[10], float((ys * cs).sum()) - total[11], float((xs * cs).sum()))
    found: Floats = (xs - d * cs) * (ys - g * cs) + d * (ecy - g * ecc)
    return found


def _slopes(cc: npt.ArrayLike, ecc: npt.ArrayLike, yc: npt.ArrayLike, xc: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return the slopes of robust accuracy and score on clean accuracy; NaN if it is too noisy, 0 if constant."""
    cc, ecc, yc, xc = (np.asarray(value, dtype=np.float64) for value in (cc, ecc, yc, xc))
    true = cc - ecc
    usable = np.where(true >= MIN_RELIABILITY * cc, true, np.nan)
    adjusted = cc > 0
    divisor = np.where(adjusted, usable, 1.0)
    return np.where(adjusted, yc / divisor, 0.0), np.where(adjusted, xc / divisor, 0.0)


def _fisher(r: npt.ArrayLike) -> Floats:
    z: Floats = np.arctanh(np.clip(r, -_LIMIT, _LIMIT))
    return z
