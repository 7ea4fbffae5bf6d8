"""The networks of one budget: accuracies, families, scores and coverage, with each network once.

A network that is listed under several names counts once. Sampling error comes from verdicts per image where the
study has them, and clean accuracy is the published one where there is one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from aggregate.scores.hierarchy import CATEGORIES
from aggregate.scores.scores import Scores
from aggregate.statistics.arrays import Bits, Floats
from aggregate.statistics.clean_accuracy import CleanAccuracy, choose_clean_accuracy
from aggregate.statistics.family_correlation import Measured
from aggregate.statistics.image_error import ImageError, bound_image_error, estimate_image_error
from aggregate.statistics.networks import Networks

Budget = tuple[str, str, str, float]
"""Attack, norm, eps as text and value of eps."""
BUDGET = ["attack", "norm", "eps", "eps_value"]
MEAN_BUDGET = "mean over budgets"
"""The eps of the mean of robust accuracy over an attack's budgets."""
COMMON = 0.5
"""Share of networks that must have a benchmark; one that few models have would decide by who was tested."""


@dataclass(frozen=True)
class BudgetNetworks:
    """The networks that have an outcome at one budget.

    Attributes:
        names: Names under which each network is listed.
        labels: Family of each network, shape (networks,).
        measured: Accuracies, adjusted for clean accuracy.
        clean: Clean accuracies and their source.
        sampling: Origin of the sampling error: "verdicts", "counts" (an upper bound) or "unknown" (not corrected).
    """

    names: Sequence[Sequence[str]]
    labels: npt.NDArray[np.str_]
    measured: Measured
    clean: CleanAccuracy
    sampling: str

    def score(self, scores: Scores, column: str) -> Floats:
        """Return the score of each network: the mean over its names that have one, else NaN."""
        return self.score_columns(scores, [column])[:, 0]

    def score_columns(self, scores: Scores, columns: Sequence[str]) -> Floats:
        """Return several scores of each network, shape (networks, columns)."""
        missing = float("nan")
        found = np.empty((len(self.names), len(columns)))
        for at, group in enumerate(self.names):
            rows = [scores.rows[name] for name in group if name in scores.rows]
            values = np.array([[row.get(column, missing) for column in columns] for row in rows])
            if len(rows) == 1:
                found[at] = values[0]
            else:
                count = np.isfinite(values).sum(axis=0) if rows else np.zeros(len(columns))
                total = np.nansum(values, axis=0) if rows else np.zeros(len(columns))
                found[at] = np.divide(total, count, out=np.full(len(columns), missing), where=count > 0)
        return found

    def benchmarks(self, scores: Scores, categories: Iterable[str] = CATEGORIES[:2]) -> Floats:
        """Return the scores on benchmarks of these categories, shape (networks, benchmarks).

        Benchmarks that fewer than `COMMON` of the networks have are left out.
        """
        return self.named_benchmarks(scores, categories)[1]

    def named_benchmarks(self, scores: Scores, categories: Iterable[str]) -> tuple[list[str], Floats]:
        """Return the names and the scores of `benchmarks`."""
        wanted = set(categories)
        columns = [column.name for column in scores.benchmarks if column.category in wanted]
        values = self.score_columns(scores, columns)
        if not len(values):
            return columns, values
        common = np.isfinite(values).mean(axis=0) >= COMMON
        return [name for name, kept in zip(columns, common, strict=True) if kept], values[:, common]

    def without_clean(self) -> Measured:
        """Return the accuracies, not adjusted for clean accuracy."""
        return replace(self.measured, clean=None)


def coverage_of(benchmarks: Floats) -> Floats:
    """Return the share of benchmarks that each network has a score for, shape (networks,).

    Args:
        benchmarks: Shape (networks, benchmarks), NaN where a network has no score.
    """
    if not benchmarks.shape[1]:
        return np.zeros(len(benchmarks))
    share: Floats = np.isfinite(benchmarks).mean(axis=1)
    return share


def iter_budgets(
    part: pd.DataFrame, networks: Networks, robust: Mapping[tuple[str, str, str], Bits]
) -> Iterator[tuple[Budget, BudgetNetworks]]:
    """Yield the networks of each budget of one attack, then those of the mean over its budgets if it has several.

    The mean over budgets is proportional to the area under the curve of robust accuracy. It has the models that
    have an outcome at every budget.

    Args:
        part: The table's rows of one attack, with known robust accuracy.
        networks: Facts about the models.
        robust: Packed bits of the robust images, by model, attack and eps.
    """
    for budget, rows in part.groupby(BUDGET, sort=False):
        yield budget, read_budget(budget, rows, networks, robust)
    levels = list(part["eps"].unique())
    complete = part[part.groupby("model")["eps"].transform("nunique") == len(levels)]
    if len(levels) > 1 and not complete.empty:
        means = complete.groupby("model", sort=False)["robust_accuracy"].mean()
        rows = complete.drop_duplicates("model")
        rows = rows.assign(robust_accuracy=rows["model"].map(means))
        first = rows.iloc[0]
        value = float(part.drop_duplicates("eps")["eps_value"].mean())
        budget = (first["attack"], first["norm"], MEAN_BUDGET, value)
        yield budget, read_budget(budget, rows, networks, robust, levels)


def read_budget(
    budget: Budget,
    part: pd.DataFrame,
    networks: Networks,
    robust: Mapping[tuple[str, str, str], Bits],
    levels: Sequence[str] = (),
) -> BudgetNetworks:
    """Collect the networks of one budget.

    Args:
        budget: Attack, norm, eps and value of eps.
        part: The table's rows of this budget.
        networks: Facts about the models.
        robust: Packed bits of the robust images, by model, attack and eps.
        levels: The budgets whose mean is the robust accuracy; empty for the budget itself.
    """
    attack, _, eps, _ = budget
    network = part["model"].map(lambda name: networks.network.get(name, name))
    names = [list(group) for _, group in part["model"].groupby(network, sort=False)]
    first = part.set_index("model").loc[[group[0] for group in names]]
    labels = np.array([networks.family.get(group[0], "") or group[0] for group in names], dtype=str)
    families = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    y, counted = (first[name].to_numpy(dtype=np.float64) for name in ("robust_accuracy", "clean_accuracy"))
    images = first["images"].to_numpy(dtype=np.float64)
    bits = [
        (networks.clean.get(group[0]), [robust.get((group[0], attack, level)) for level in levels or [eps]])
        for group in names
    ]
    error, sampling = _estimate_error(counted, y, images, bits)
    published = [next((networks.published[name] for name in group if name in networks.published), None)
                 for group in names]  # fmt: skip
    clean = choose_clean_accuracy(counted, published, y)
    error = error and error.with_exact_clean(clean.exact)
    return BudgetNetworks(names, labels, Measured(y, families, clean.values, error), clean, sampling)


def _estimate_error(
    clean: Floats, robust: Floats, images: Floats, bits: Sequence[tuple[Bits | None, Sequence[Bits | None]]]
) -> tuple[ImageError | None, str]:
    """Return the sampling error of the accuracies and its origin: "verdicts", "counts" or "unknown".

    Args:
        clean: Clean accuracy of each network, shape (n,).
        robust: Robust accuracy of each network, shape (n,).
        images: Number of images of each network, shape (n,); NaN where unknown.
        bits: Packed bits of the correct images of each network, and of the robust images at each budget of which
            robust accuracy is the mean; None where unknown.
    """
    if not (np.isfinite(images).all() and (images > 1).all()):
        return None, "unknown"
    known = [
        (correct, [one for one in levels if one is not None])
        for correct, levels in bits
        if correct is not None and all(one is not None for one in levels)
    ]
    if len(set(images)) > 1 or len(known) < max(2, len(bits)):
        return bound_image_error(np.nan_to_num(clean), robust, images), "counts"
    count = int(images[0])
    correct = np.stack([np.unpackbits(packed, count=count) for packed, _ in known])
    survived = np.stack(
        [np.mean([np.unpackbits(one, count=count) for one in levels], axis=0) for _, levels in known]
    )
    return estimate_image_error(correct.astype(np.float64), survived), "verdicts"
