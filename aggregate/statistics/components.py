"""Summaries of many benchmarks: standardised scores, principal components and means of metric types."""

from collections.abc import Sequence

import numpy as np

from aggregate.scores.metric_types import find_metric_type
from aggregate.statistics.arrays import Floats


def standardise(values: Floats) -> Floats:
    """Return scores with mean 0 and standard deviation 1 over the networks that have them.

    Args:
        values: Shape (networks, benchmarks), NaN where a network has no score.
    """
    scale = np.nanstd(values, axis=0)
    found: Floats = (values - np.nanmean(values, axis=0)) / np.where(scale > 0, scale, 1.0)
    return found


def mean_of_known(values: Floats) -> Floats:
    """Return the mean over the known values of each network, NaN if it has none, shape (networks,)."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    mean: Floats = np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)
    return mean


def metric_type_means(names: Sequence[str], standard: Floats) -> dict[str, Floats]:
    """Return the mean standardised score of each network on the benchmarks of each metric type.

    Args:
        names: Names of the benchmarks.
        standard: Standardised scores, shape (networks, benchmarks).
    """
    types = np.array([find_metric_type(name) for name in names])
    return {str(kind): mean_of_known(standard[:, types == kind]) for kind in dict.fromkeys(types)}


def find_components(standard: Floats) -> tuple[Floats, Floats]:
    """Return principal components of standardised scores; a missing score counts as the mean.

    The sign of a component is such that the sum of its weights is positive.

    Args:
        standard: Shape (networks, benchmarks).

    Returns:
        The components of each network, shape (networks, components), NaN for a network without scores; and the
        share of the variance that each component explains, shape (components,).
    """
    filled = np.nan_to_num(standard)
    _, scale, axes = np.linalg.svd(filled, full_matrices=False)
    signs = np.where(axes.sum(axis=1) >= 0, 1.0, -1.0)
    components = (filled @ axes.T) * signs
    components[~np.isfinite(standard).any(axis=1)] = np.nan
    total = float((scale**2).sum())
    return components, scale**2 / (total if total > 0 else 1.0)
