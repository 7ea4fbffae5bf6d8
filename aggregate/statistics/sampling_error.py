"""Sampling error: uncertainty of correlations and slopes that comes from counting accuracies on few images.

The images of each model are resampled a thousand times. Of m images with the counted shares of robust, broken and
wrong ones, m new images are drawn (multinomial; its margins are the binomials of the exact intervals). One set of
intervals keeps the models, and shows the contribution of the images alone. A second set resamples the models too.

Resampling adds the noise a second time, which pulls r towards 0. The interval is therefore the spread of the
resamples around their own median, centred on the counted value; for r this is done in Fisher's z. The attenuation
that the counted r itself contains is not corrected; `sampling.largest_r` reports it. The spread over models
contains the counting noise too, so the intervals of models and images together are too wide, if anything.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from aggregate.scores.scores import Scores
from aggregate.statistics import bootstrap, correlation, partial, resampling
from aggregate.statistics.arrays import Floats
from aggregate.statistics.correlation import ScoreBudget
from aggregate.statistics.resampling import ImageResamples


@dataclass(frozen=True)
class SamplingIntervals:
    """95 % intervals with resampled images. A number that cannot be computed is None, and `note` gives the reason.

    Columns that contain "images" resample images only; columns that contain "both" resample models too.
    """

    n: int
    images: int | None = None
    """Median number of images over models."""
    spearman_r: float | None = None
    spearman_images_low: float | None = None
    spearman_images_high: float | None = None
    spearman_both_low: float | None = None
    spearman_both_high: float | None = None
    slope: float | None = None
    """Robust accuracy (a share) per unit of score."""
    slope_images_low: float | None = None
    slope_images_high: float | None = None
    slope_both_low: float | None = None
    slope_both_high: float | None = None
    partial_r: float | None = None
    """Spearman's partial correlation given clean accuracy, which is counted on the same resampled images."""
    partial_images_low: float | None = None
    partial_images_high: float | None = None
    partial_both_low: float | None = None
    partial_both_high: float | None = None
    note: str = ""


COLUMNS = [field.name for kind in (ScoreBudget, SamplingIntervals) for field in fields(kind)]
NEEDED = ["model", "attack", "norm", "eps", "eps_value", "images", "robust_accuracy", "clean_accuracy"]
"""Columns used from the table. The rows of all scores are in memory together, so the others are dropped."""
NUMBERS = [field.name for field in fields(SamplingIntervals) if field.name not in {"n", "images", "note"}]


def compute_sampling_intervals(table: pd.DataFrame, scores: Scores | None) -> pd.DataFrame:
    """Return one row per attack, budget and average or category; no row if the scores have neither.

    Args:
        table: The columns NEEDED.
        scores: The alignment scores; None gives an empty table.
    """
    rows = list(_compute_rows(table, scores)) if scores else []
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(NUMBERS, "float64") | {"images": "Int64"})


def _compute_rows(table: pd.DataFrame, scores: Scores) -> Iterator[dict[str, object]]:
    columns = scores.select_columns("average", "category", "recomputed")
    needed = [*NEEDED, *table.columns.intersection(["robust_error"])]
    joined = list(correlation.iter_score_budgets(table[needed], scores, columns))
    order = {budget: at for at, budget in enumerate(dict.fromkeys(_budget(key) for key, _ in joined))}
    # Scores at one budget share their resamples, of which only a few fit into memory: compute budget by budget.
    resample = lru_cache(maxsize=2)(resampling.resample_images)
    intervals = {
        key: estimate_intervals(rows, resample)
        for key, rows in sorted(joined, key=lambda pair: order[_budget(pair[0])])
    }
    for key, _ in joined:
        yield {**asdict(key), **asdict(intervals[key])}


def _budget(key: ScoreBudget) -> tuple[str, str, str, float]:
    return key.attack, key.norm, key.eps, key.eps_value


def estimate_intervals(
    joined: pd.DataFrame, resample: Callable[[bytes, bytes, bytes], ImageResamples] = resampling.resample_images
) -> SamplingIntervals:
    """Return the intervals of one score at one budget.

    Args:
        joined: Columns alignment, robust_accuracy, clean_accuracy and images.
        resample: `resampling.resample_images`, or a cached version of it.
    """
    alignment, robust, clean = correlation.extract_arrays(joined)
    n = len(alignment)
    if reason := correlation.check_computable(alignment, robust):
        return SamplingIntervals(n, note=reason)
    if joined["images"].isna().any():
        return SamplingIntervals(n, note="the number of images is unknown")
    images = _effective_images(joined)
    resamples = resample(robust.tobytes(), clean.tobytes(), images.tobytes())
    x, y = (resampling.centre_ranks(values[None]) for values in (alignment, robust))
    r, slope = float(_correlate(x, y)[0]), float(_slope(alignment[None], robust[None])[0])
    repeated = np.broadcast_to(alignment, resamples.robust.shape)
    numbers: dict[str, float | None] = {"spearman_r": r, "slope": slope}
    slopes = _slope(repeated, resamples.robust)
    numbers |= _make_ends("images", r, slope, _correlate(x, resamples.ranks), slopes)
    notes = []
    if resamples.both is None:
        notes.append(f"an interval over models needs at least {bootstrap.MIN_MODELS}")
    else:
        both = resamples.both
        rs = _correlate(resampling.rank_drawn(alignment, both.models), both.ranks)
        numbers |= _make_ends("both", r, slope, rs, _slope(alignment[both.models], both.robust))
    partial_correlation = partial.compute_partial(alignment, robust, clean)
    partial_r = partial_correlation.r
    if partial_r is None:
        notes.append(partial_correlation.note)
    elif resamples.clean_ranks is None:
        notes.append("some images are right only when corrupted, so clean accuracy cannot be resampled with them")
    else:
        partial_rs = _partial_correlation(x, resamples.ranks, resamples.clean_ranks)
        ends = _centre_interval(partial_r, partial_rs, fisher=True)
        numbers |= {"partial_r": partial_r, "partial_images_low": ends.low, "partial_images_high": ends.high}
        if resamples.both is not None and resamples.both.clean_ranks is not None:
            drawn_x = resampling.rank_drawn(alignment, resamples.both.models)
            partial_rs = _partial_correlation(drawn_x, resamples.both.ranks, resamples.both.clean_ranks)
            ends = _centre_interval(partial_r, partial_rs, fisher=True)
            numbers |= {"partial_both_low": ends.low, "partial_both_high": ends.high}
    return SamplingIntervals(n, int(np.median(images)), **numbers, note="; ".join(notes))


def _effective_images(joined: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return for each model the number of images whose binomial variance is that of its robust accuracy.

    Without an audit, it is the number of images. The estimate of an audited attack has a larger variance.
    """
    images: npt.NDArray[np.int64] = joined["images"].to_numpy(dtype=np.int64)
    if "robust_error" not in joined:
        return images
    error = joined["robust_error"].to_numpy(dtype=np.float64)
    robust = joined["robust_accuracy"].to_numpy(dtype=np.float64)
    known = np.isfinite(error) & (error > 0)
    binomial = robust * (1 - robust)
    ratio = np.divide(binomial, error**2, out=images.astype(np.float64), where=known & (binomial > 0))
    effective: npt.NDArray[np.int64] = np.rint(ratio).astype(np.int64).clip(1, images)
    return effective


def _make_ends(name: str, r: float, slope: float, rs: Floats, slopes: Floats) -> dict[str, float | None]:
    """Return the columns with the ends of the intervals around the counted r and slope."""
    r_ends, slope_ends = _centre_interval(r, rs, fisher=True), _centre_interval(slope, slopes)
    return {
        f"spearman_{name}_low": r_ends.low, f"spearman_{name}_high": r_ends.high,
        f"slope_{name}_low": slope_ends.low, f"slope_{name}_high": slope_ends.high,
    }  # fmt: skip


def _centre_interval(observed: float, resampled: Floats, *, fisher: bool = False) -> bootstrap.Interval:
    """Return the central 95 % of the resamples, shifted so that their median is the observed value.

    There is no interval if more than a tenth of the resamples have no number.
    """
    known = resampled[np.isfinite(resampled)]
    if len(known) < 0.9 * len(resampled):
        return bootstrap.Interval()
    if not fisher:
        low, middle, high = np.quantile(known, [0.025, 0.5, 0.975])
        return bootstrap.Interval(float(observed + low - middle), float(observed + high - middle))
    z, resampled_z = (np.arctanh(np.clip(r, -0.999999, 0.999999)) for r in (observed, known))
    low, middle, high = np.quantile(resampled_z, [0.025, 0.5, 0.975])
    return bootstrap.Interval(float(np.tanh(z + low - middle)), float(np.tanh(z + high - middle)))


def _sum_products(x: Floats, y: Floats) -> Floats:
    sums: Floats = np.einsum("rn,rn->r", x, y)
    return sums


def _correlate(x: Floats, y: Floats) -> Floats:
    """Return Spearman's r row by row, from centred ranks; x may have one row for all. NaN where one is
    constant."""
    product = _sum_products(x, x) * _sum_products(y, y)
    return _divide(_sum_products(np.broadcast_to(x, y.shape), y), np.sqrt(product), product > 0)


def _slope(x: Floats, y: Floats) -> Floats:
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    xx = (x * x).sum(axis=1)
    return _divide((x * y).sum(axis=1), xx, xx > 0)


def _partial_correlation(x: Floats, y: Floats, z: Floats) -> Floats:
    xy, xz, yz = _correlate(x, y), _correlate(x, z), _correlate(y, z)
    product = (1 - xz**2) * (1 - yz**2)
    return _divide(xy - xz * yz, np.sqrt(product.clip(0)), product > 1e-12)


def _divide(numerator: Floats, denominator: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    """Return the quotient; NaN where `known` is false."""
    quotient: Floats = np.divide(numerator, denominator, out=np.full(len(numerator), np.nan), where=known)
    return quotient
