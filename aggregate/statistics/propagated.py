"""Propagation: how far correlations and slopes may be off because robust accuracies were counted on few images.

Each model's images are redrawn: of m images with shares robust, broken and wrong when clean as they were counted,
m are drawn anew (multinomial; its margins are the binomials behind the exact intervals), a thousand times. Once
the models stay as they are, which shows the images' part alone; once they are drawn anew too. Redrawing adds the
noise a second time, which pulls r towards 0, so it is the redraws' spread about their own median that is laid
around the counted value, for r in Fisher's z. The pull that the counted r itself has suffered is not taken back:
`sampling.largest_r` tells it. Counted noise is in the spread over models too, so the intervals of both together
are, if anything, too wide.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from aggregate.scores import Scores
from aggregate.statistics import bootstrap, correlation, partial
from aggregate.statistics.correlation import Question

REDRAWS = 1000
SEED = 20250218

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Propagated:
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


COLUMNS = [field.name for kind in (Question, Propagated) for field in fields(kind)]
NUMBERS = [field.name for field in fields(Propagated) if field.name not in {"n", "images", "note"}]


def propagated(table: pd.DataFrame, scores: Scores | None) -> pd.DataFrame:
    """One row per attack, budget and average or category; none where the scores have neither."""
    rows = list(_answers(table, scores)) if scores else []
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(NUMBERS, "float64") | {"images": "Int64"})


def _answers(table: pd.DataFrame, scores: Scores) -> Iterator[dict[str, object]]:
    columns = scores.of("average", "category", "recomputed")
    for question, both in correlation.questions(table, scores, columns):
        yield {**asdict(question), **asdict(of(both))}


def of(both: pd.DataFrame) -> Propagated:
    """The intervals of joined rows: columns alignment, robust_accuracy, clean_accuracy, images."""
    alignment, robust, clean = correlation.values(both)
    n = len(alignment)
    if why := correlation.refusal(alignment, robust):
        return Propagated(n, note=why)
    if both["images"].isna().any():
        return Propagated(n, note="on how many images accuracies were counted is not known")
    images = both["images"].to_numpy(dtype=np.int64)
    rng = np.random.default_rng([SEED, n])
    broken = clean - robust
    # Under a corruption images may be mended, so that robust ones are no part of the clean ones.
    nested = bool(np.isfinite(clean).all() and (broken >= -1e-9).all())
    drawn = rng.binomial(images, robust.clip(0, 1), size=(REDRAWS, n))
    y = drawn / images
    found = _pair(alignment, robust, np.broadcast_to(alignment, y.shape), y, "images")
    notes = []
    if n < bootstrap.FEWEST:
        notes.append(f"an interval over models needs at least {bootstrap.FEWEST}")
    else:
        models = rng.integers(n, size=y.shape)
        found |= _pair(alignment, robust, alignment[models], np.take_along_axis(y, models, axis=1), "both")
    held = partial.given(alignment, robust, clean)
    given = held.r
    if given is None:
        notes.append(held.note)
    elif not nested:
        notes.append("images are right only when corrupted, so clean accuracy cannot be redrawn with them")
    else:
        of_rest = np.divide(broken, 1 - robust, out=np.zeros(n), where=robust < 1).clip(0, 1)
        z = (drawn + rng.binomial(images - drawn, of_rest)) / images
        ends = _around(given, _partial(np.broadcast_to(alignment, y.shape), y, z), fisher=True)
        found |= {"partial_r": given, "partial_images_low": ends.low, "partial_images_high": ends.high}
    return Propagated(n, int(np.median(images)), **found, note="; ".join(notes))


def _pair(x: Floats, y: Floats, xs: Floats, ys: Floats, name: str) -> dict[str, float | None]:
    """Spearman's r and the slope of what was counted, and their ends by these redraws."""
    r = float(_r(_ranks(x[None]), _ranks(y[None]))[0])
    slope = float(_slope(x[None], y[None])[0])
    of_r = _around(r, _r(_ranks(xs), _ranks(ys)), fisher=True)
    of_slope = _around(slope, _slope(xs, ys))
    return {
        "spearman_r": r, f"spearman_{name}_low": of_r.low, f"spearman_{name}_high": of_r.high,
        "slope": slope, f"slope_{name}_low": of_slope.low, f"slope_{name}_high": of_slope.high,
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


def _ranks(values: Floats) -> Floats:
    ranks: Floats = stats.rankdata(values, axis=1)
    return ranks


def _moments(x: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    return (x * x).sum(axis=1), (x * y).sum(axis=1), (y * y).sum(axis=1)


def _r(x: Floats, y: Floats) -> Floats:
    """Pearson's r row by row; NaN where one of the two is constant."""
    xx, xy, yy = _moments(x, y)
    both = xx * yy
    return _over(xy, np.sqrt(both), both > 0)


def _slope(x: Floats, y: Floats) -> Floats:
    xx, xy, _ = _moments(x, y)
    return _over(xy, xx, xx > 0)


def _partial(x: Floats, y: Floats, z: Floats) -> Floats:
    x, y, z = _ranks(x), _ranks(y), _ranks(z)
    xy, xz, yz = _r(x, y), _r(x, z), _r(y, z)
    left = (1 - xz**2) * (1 - yz**2)
    return _over(xy - xz * yz, np.sqrt(left.clip(0)), left > 1e-12)


def _over(above: Floats, below: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    found: Floats = np.divide(above, below, out=np.full(len(above), np.nan), where=known)
    return found
