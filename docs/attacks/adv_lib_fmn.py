"""FMN of adversarial-library (adv-lib): asked for the smallest perturbation, judged at every budget."""

from adv_lib.attacks import fmn as minimum_norm


def fmn(classifier, images, labels, norm, steps=100):
    """Return the closest adversarial images that FMN finds."""
    order = {"Linf": float("inf"), "L2": 2, "L1": 1}[norm]
    return minimum_norm(classifier, images, labels, norm=order, steps=steps)
