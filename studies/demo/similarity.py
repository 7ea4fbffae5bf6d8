"""How alike two systems represent the same images: representational similarity and kernel alignment."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

Features = NDArray[np.floating]
"""(images, features)"""


def dissimilarities(features: Features) -> NDArray[np.float64]:
    """Return 1 - Pearson's r between the features of each pair of images, 0 to 2: (0, 1), (0, 2), ..., (1, 2), ...

    NaN where an image's features are all equal.
    """
    rows = np.asarray(features, dtype=np.float64)
    rows = rows - rows.mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    distances: NDArray[np.float64] = 1 - (rows @ rows.T)[np.triu_indices(len(rows), 1)]
    return distances


def rsa(one: Features, other: Features) -> float:
    """Return Spearman's rank correlation of two systems' dissimilarities, -1 to 1 (Kriegeskorte et al. 2008).

    NaN where a system tells no two images apart.
    """
    return float(spearmanr(dissimilarities(one), dissimilarities(other)).statistic)


def cka(one: Features, other: Features) -> float:
    """Return the centred kernel alignment of two systems with linear kernels, at most 1.

    From the unbiased estimate of HSIC (Song et al. 2012, JMLR 13:1393, equation 5), which averages 0 for
    unrelated systems however many features they have; the usual biased one (Kornblith et al. 2019) does not.
    Rotating or scaling features changes nothing. Needs 4 images; NaN where a system tells no two apart.
    """
    ours, theirs = _kernel(one), _kernel(other)
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(_hsic(ours, theirs) / np.sqrt(_hsic(ours, ours) * _hsic(theirs, theirs)))


def _kernel(features: Features) -> NDArray[np.float64]:
    # Centring changes no HSIC, and keeps large means from drowning the differences in rounding.
    centred = np.asarray(features, dtype=np.float64) - np.mean(features, axis=0, dtype=np.float64)
    kernel = centred @ centred.T
    np.fill_diagonal(kernel, 0)
    return kernel


def _hsic(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    n = len(ours)
    together = (ours * theirs).sum()
    apart = ours.sum() * theirs.sum() / ((n - 1) * (n - 2))
    crossed = 2 * (ours.sum(0) @ theirs.sum(0)) / (n - 2)
    return float((together + apart - crossed) / (n * (n - 3)))
