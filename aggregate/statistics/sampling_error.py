"""Propagation: how far correlations and slopes may be off because robust accuracies were counted on few images.

Each model's images are redrawn: of m images with shares robust, broken and wrong when clean as they were counted,
m are drawn anew (multinomial; its margins are the binomials behind the exact intervals), a thousand times. Once
the models stay as they are, which shows the images' part alone; once they are drawn anew too. Redrawing adds the
noise a second time, which pulls r towards 0, so it is the redraws' spread about their own median that is laid
around the counted value, for r in Fisher's z. The pull that the counted r itself has suffered is not taken back:
`sampling.largest_r` tells it. Counted noise is in the spread over models too, so the intervals of both together
are, if anything, too wide.
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
    """95 % intervals under redrawn images. A number that cannot be given is None, and `note` says why."""

    n: int
    images: int | None = None
    """The median over models."""
    spearman_r: float | None = None
    spearman_images_low: float | None = None
    """Images redrawn, models as they are; so are the others that say images."""
    spearman_images_high: float | None = None
    spearman_both_low: float | None = None
    """Models redrawn too; so are the others that say both."""
    spearman_both_high: float | None = None
    slope: float | None = None
    """Robust accuracy (a share) per unit of score."""
    slope_images_low: float | None = None
    slope_images_high: float | None = None
    slope_both_low: float | None = None
    slope_both_high: float | None = None
    partial_r: float | None = None
    """Spearman's, given clean accuracy, which is redrawn with the same images."""
    partial_images_low: float | None = None
    partial_images_high: float | None = None
    note: str = ""


COLUMNS = [field.name for kind in (ScoreBudget, SamplingIntervals) for field in fields(kind)]
NEEDED = ["model", "attack", "norm", "eps", "eps_value", "images", "robust_accuracy", "clean_accuracy"]
"""Columns of the table; all scores' rows are kept at once."""
NUMBERS = [field.name for field in fields(SamplingIntervals) if field.name not in {"n", "images", "note"}]


def compute_sampling_intervals(table: pd.DataFrame, scores: Scores | None) -> pd.DataFrame:
    """One row per attack, budget and average or category; none where the scores have neither."""
    rows = list(_answers(table, scores)) if scores else []
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(NUMBERS, "float64") | {"images": "Int64"})


def _answers(table: pd.DataFrame, scores: Scores) -> Iterator[dict[str, object]]:
    columns = scores.of("average", "category", "recomputed")
    asked = list(correlation.iter_score_budgets(table[NEEDED], scores, columns))
    budgets = {budget: at for at, budget in enumerate(dict.fromkeys(map(_budget, (one for one, _ in asked))))}
    # Budget by budget, as its scores share their redraws, of which no more than a few fit into memory.
    redraw = lru_cache(maxsize=2)(resampling.resample_images)
    found = {
        one: estimate_intervals(both, redraw)
        for one, both in sorted(asked, key=lambda asked: budgets[_budget(asked[0])])
    }
    for question, _ in asked:
        yield {**asdict(question), **asdict(found[question])}


def _budget(question: ScoreBudget) -> tuple[str, str, str, float]:
    return question.attack, question.norm, question.eps, question.eps_value


def estimate_intervals(
    both: pd.DataFrame, redraw: Callable[[bytes, bytes, bytes], ImageResamples] = resampling.resample_images
) -> SamplingIntervals:
    """The intervals of joined rows: columns alignment, robust_accuracy, clean_accuracy, images.

    redraw: `redraws.of`, or a cache before it.
    """
    alignment, robust, clean = correlation.extract_arrays(both)
    n = len(alignment)
    if why := correlation.check_computable(alignment, robust):
        return SamplingIntervals(n, note=why)
    if both["images"].isna().any():
        return SamplingIntervals(n, note="on how many images accuracies were counted is not known")
    images = both["images"].to_numpy(dtype=np.int64)
    drawn = redraw(robust.tobytes(), clean.tobytes(), images.tobytes())
    x, y = (resampling.centre_ranks(values[None]) for values in (alignment, robust))
    r, slope = float(_r(x, y)[0]), float(_slope(alignment[None], robust[None])[0])
    every = np.broadcast_to(alignment, drawn.robust.shape)
    found: dict[str, float | None] = {"spearman_r": r, "slope": slope}
    found |= _ends("images", r, slope, _r(x, drawn.ranks), _slope(every, drawn.robust))
    notes = []
    if drawn.both is None:
        notes.append(f"an interval over models needs at least {bootstrap.MIN_MODELS}")
    else:
        again = drawn.both
        rs = _r(resampling.rank_drawn(alignment, again.models), again.ranks)
        found |= _ends("both", r, slope, rs, _slope(alignment[again.models], again.robust))
    held = partial.compute_partial(alignment, robust, clean)
    given = held.r
    if given is None:
        notes.append(held.note)
    elif drawn.clean_ranks is None:
        notes.append("images are right only when corrupted, so clean accuracy cannot be redrawn with them")
    else:
        ends = _around(given, _partial(x, drawn.ranks, drawn.clean_ranks), fisher=True)
        found |= {"partial_r": given, "partial_images_low": ends.low, "partial_images_high": ends.high}
    return SamplingIntervals(n, int(np.median(images)), **found, note="; ".join(notes))


def _ends(name: str, r: float, slope: float, rs: Floats, slopes: Floats) -> dict[str, float | None]:
    """The ends that these redraws lay around Spearman's r and the slope of what was counted."""
    of_r, of_slope = _around(r, rs, fisher=True), _around(slope, slopes)
    return {
        f"spearman_{name}_low": of_r.low, f"spearman_{name}_high": of_r.high,
        f"slope_{name}_low": of_slope.low, f"slope_{name}_high": of_slope.high,
    }  # fmt: skip


def _around(observed: float, redrawn: Floats, *, fisher: bool = False) -> bootstrap.Interval:
    """95 % of the redraws, moved so that their median is the counted value; none where a tenth have no number."""
    known = redrawn[np.isfinite(redrawn)]
    if len(known) < 0.9 * len(redrawn):
        return bootstrap.Interval()
    if not fisher:
        low, middle, high = np.quantile(known, [0.025, 0.5, 0.975])
        return bootstrap.Interval(float(observed + low - middle), float(observed + high - middle))
    z, redrawn_z = (np.arctanh(np.clip(r, -0.999999, 0.999999)) for r in (observed, known))
    low, middle, high = np.quantile(redrawn_z, [0.025, 0.5, 0.975])
    return bootstrap.Interval(float(np.tanh(z + low - middle)), float(np.tanh(z + high - middle)))


def _product(x: Floats, y: Floats) -> Floats:
    found: Floats = np.einsum("rn,rn->r", x, y)
    return found


def _r(x: Floats, y: Floats) -> Floats:
    """Spearman's r row by row, of centred ranks; x may be one row for all. NaN where either is constant."""
    both = _product(x, x) * _product(y, y)
    return _over(_product(np.broadcast_to(x, y.shape), y), np.sqrt(both), both > 0)


def _slope(x: Floats, y: Floats) -> Floats:
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    xx = (x * x).sum(axis=1)
    return _over((x * y).sum(axis=1), xx, xx > 0)


def _partial(x: Floats, y: Floats, z: Floats) -> Floats:
    xy, xz, yz = _r(x, y), _r(x, z), _r(y, z)
    left = (1 - xz**2) * (1 - yz**2)
    return _over(xy - xz * yz, np.sqrt(left.clip(0)), left > 1e-12)


def _over(above: Floats, below: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    found: Floats = np.divide(above, below, out=np.full(len(above), np.nan), where=known)
    return found
