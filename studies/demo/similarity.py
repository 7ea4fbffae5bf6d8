"""Similarity of two systems' representations of the same images: RSA and centred kernel alignment."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

Features = NDArray[np.floating]
"""(images, features)"""


def pairwise_dissimilarities(features: Features) -> NDArray[np.float64]:
    """Return 1 - Pearson's r between the features of each pair of images, 0 to 2.

    The pairs are in the order (0, 1), (0, 2), ..., (1, 2), ... The result is NaN where an image's features are all
    equal.
    """
    rows = np.asarray(features, dtype=np.float64)
    rows = rows - rows.mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    distances: NDArray[np.float64] = 1 - (rows @ rows.T)[np.triu_indices(len(rows), 1)]
    return distances


def rsa(one: Features, other: Features) -> float:
    """Return the rank correlation of two systems' dissimilarities (representational similarity), -1 to 1.

    The result is NaN if a system has the same features for all images.

    Reference: Kriegeskorte, Mur and Bandettini 2008.
    """
    return float(spearmanr(pairwise_dissimilarities(one), pairwise_dissimilarities(other)).statistic)


def cka(one: Features, other: Features) -> float:
    """Return the centred kernel alignment (CKA) of two systems with linear kernels, at most 1.

    It uses the unbiased estimate of HSIC, which averages 0 for unrelated systems with any number of features. The
    usual biased estimate (Kornblith et al. 2019) does not. Rotating or scaling features does not change CKA.
    It needs at least 4 images, and is NaN if a system has the same features for all images.

    Reference: Song et al. 2012, JMLR 13:1393, equation 5.
    """
    first, second = _kernel(one), _kernel(other)
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(_hsic(first, second) / np.sqrt(_hsic(first, first) * _hsic(second, second)))


def _kernel(features: Features) -> NDArray[np.float64]:
    # Centring does not change HSIC, and avoids rounding errors if means are large.
    centred = np.asarray(features, dtype=np.float64) - np.mean(features, axis=0, dtype=np.float64)
    kernel = centred @ centred.T
    np.fill_diagonal(kernel, 0)
    return kernel


def _hsic(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    n = len(first)
    trace = (first * second).sum()
    means = first.sum() * second.sum() / ((n - 1) * (n - 2))
    cross = 2 * (first.sum(0) @ second.sum(0)) / (n - 2)
    return float((trace + means - cross) / (n * (n - 3)))
