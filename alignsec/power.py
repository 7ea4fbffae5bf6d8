"""Power: how many models and images show a correlation of a given size, before a study is run.

The formula is that of a test of a correlation in Fisher's z. The correlation with measured accuracies is smaller
than that with true ones, because images are a sample (attenuation). The typical values below are those of the
simulated studies of docs/validation.md; they make the result an estimate.

Reference: Fisher 1921, Metron 1, 3-32; Spearman 1904, Am. J. Psychol. 15, 72-101 (attenuation).
"""

import math
from statistics import NormalDist

LEVEL = 0.025
"""Level of the test: the half of 5 % that the report's claims about averages and categories have."""
POWER = 0.8
SPREAD = 0.12
"""Typical standard deviation of true robust accuracy over models."""
ACCURACY = 0.45
"""Typical robust accuracy; near 0 or 1 the models differ less and more images are needed."""
MIN_IMAGES = 50
"""Smallest number of images of the simulated studies; with fewer, clean accuracy is too noisy to adjust for."""
SHARED = 0.4
"""Typical correlation of two models' verdicts over images; the shared part cancels in comparisons of models."""
DESIGN_EFFECT = 2.3
"""Models per independent model, for families as unequal as the leaderboard's with correlation 0.3 within them."""


def estimate_reliability(images: int) -> float:
    """Return the expected share of the variance of measured robust accuracy that is not sampling error.

    Args:
        images: Number of images, at least 1.
    """
    sampling = (1 - SHARED) * ACCURACY * (1 - ACCURACY) / images
    return SPREAD**2 / (SPREAD**2 + sampling)


def count_models(correlation: float, images: int) -> int:
    """Return the number of models of which a study needs to show a correlation.

    Args:
        correlation: True correlation given clean accuracy, between 0 and 1.
        images: Number of images.
    """
    measured = correlation * math.sqrt(estimate_reliability(images))
    independent = (_quantiles() / math.atanh(measured)) ** 2 + 3
    return math.ceil(DESIGN_EFFECT * independent)


def count_images(correlation: float, models: int) -> int | None:
    """Return the number of images with which a study shows a correlation; None if it has too few models for it.

    Args:
        correlation: True correlation given clean accuracy, between 0 and 1.
        models: Number of models.
    """
    independent = models / DESIGN_EFFECT
    if independent <= 3:
        return None
    reliability = (math.tanh(_quantiles() / math.sqrt(independent - 3)) / correlation) ** 2
    if reliability >= 1:
        return None
    sampling = (1 - SHARED) * ACCURACY * (1 - ACCURACY)
    return max(MIN_IMAGES, math.ceil(sampling * reliability / (SPREAD**2 * (1 - reliability))))


def find_smallest_correlation(models: int, images: int) -> float | None:
    """Return the smallest correlation that a study can show; None if it has too few models to show any.

    Args:
        models: Number of models.
        images: Number of images.
    """
    independent = models / DESIGN_EFFECT
    if independent <= 4:
        return None
    found = math.tanh(_quantiles() / math.sqrt(independent - 3)) / math.sqrt(estimate_reliability(images))
    return found if found < 1 else None


def describe_power(models: int, images: int) -> str:
    """Return a sentence about what a study can show.

    Args:
        models: Number of models.
        images: Number of images.
    """
    needed = " and ".join(f"{r} needs about {count_models(r, images)} models" for r in (0.2, 0.3))
    smallest = find_smallest_correlation(models, images)
    shows = "no correlation" if smallest is None else f"a correlation of {smallest:.2f} or more"
    return (
        f"power: with {models} models and {images} images, a study like the leaderboard's shows {shows} of scores "
        f"and robust accuracy given clean accuracy ({POWER:.0%} power); with these images, {needed}; with these "
        f"models, {_describe_images(models)}"
    )


def _describe_images(models: int) -> str:
    needed = {r: count_images(r, models) for r in (0.2, 0.3)}
    if needed[0.2] == needed[0.3]:
        images = needed[0.2]
        return f"0.2 and 0.3 {_format_need('need', images)}"
    return " and ".join(f"{r} {_format_need('needs', images)}" for r, images in needed.items())


def _format_need(verb: str, images: int | None) -> str:
    return "cannot be shown with any number of images" if images is None else f"{verb} about {images} images"


def _quantiles() -> float:
    """Return the sum of the normal quantiles of level and power."""
    normal = NormalDist()
    return normal.inv_cdf(1 - LEVEL / 2) + normal.inv_cdf(POWER)
