"""Clean check: refuses to attack a model whose clean accuracy is not the published one.

A wrong standard deviation, class order or weights file still gives results, but these are results of another
model.
"""

import math

from alignsec.evaluation.evaluation import Evaluation
from alignsec.spec.pair import PairModel, Published
from alignsec.spec.verdicts import MENDED, WRONG

CONFIDENCE = 0.999
"""Confidence level of the exact binomial interval: chance refuses at most one correct model in a thousand."""
NOT_CHECKED = "clean accuracy was not checked: none is published for this model"


class CleanAccuracyError(Exception):
    """The model is not the published model, or its images are not preprocessed as published."""


def check_clean_accuracy(model: PairModel, evaluation: Evaluation) -> tuple[str, ...]:
    """Compare a model with what is published about it, after the clean images are classified.

    Returns:
        Notes for the record.

    Raises:
        CleanAccuracyError: If the number of classes is not the published one, or the clean accuracy on these
            images is not plausible; see `is_plausible`.
    """
    if model.classes is not None and model.classes != evaluation.classes:
        raise CleanAccuracyError(
            f"{model.name} returned {evaluation.classes} logits for each image; expected {model.classes}"
        )
    if model.published is None:
        return (NOT_CHECKED,)
    letters = evaluation.budgets[0].verdicts
    count = len(letters)
    correct = count - letters.count(WRONG) - letters.count(MENDED)
    if not is_plausible(correct, count, model.published):
        raise CleanAccuracyError(_error_message(model, model.published, correct, count))
    return ()


def is_plausible(correct: int, count: int, published: Published) -> bool:
    """Return True if an accuracy within the tolerance of the published one can give this number of correct images.

    The test compares the exact binomial interval of the measured accuracy, at the level CONFIDENCE, with the range
    from top1 - tolerance to top1 + tolerance; the two must overlap. With 20 images it refuses only large
    differences; with 50,000 images it refuses nearly every accuracy outside the tolerance.

    Args:
        correct: Number of images classified correctly.
        count: Number of images, at least 1.
        published: The published accuracy and its tolerance, from 0 to 1.

    Reference:
        Clopper & Pearson 1934.
    """
    tail = (1 - CONFIDENCE) / 2
    lowest, highest = published.top1 - published.tolerance, published.top1 + published.tolerance
    return binomial_cdf(correct, count, lowest) > tail and binomial_cdf(count - correct, count, 1 - highest) > tail


def binomial_cdf(successes: int, trials: int, probability: float) -> float:
    """Return the probability of at most `successes` successes in `trials` trials."""
    if probability <= 0:
        return 1.0
    if probability >= 1:
        return float(successes >= trials)
    log_success, log_failure = math.log(probability), math.log1p(-probability)
    log_all = math.lgamma(trials + 1)
    return math.fsum(
        math.exp(
            log_all
            - math.lgamma(k + 1)
            - math.lgamma(trials - k + 1)
            + k * log_success
            + (trials - k) * log_failure
        )
        for k in range(successes + 1)
    )


def _error_message(model: PairModel, published: Published, correct: int, count: int) -> str:
    where = f" ({published.where})" if published.where else ""
    causes = "preprocessing and weights"
    if correct / count > published.top1:
        causes += ", and whether the model was trained on these images"
    return (
        f"{model.name} classifies {correct} of {count} clean images correctly, {correct / count:.1%}; expected "
        f"{published.top1:.1%}{where} with a tolerance of {published.tolerance:.1%}; check the {causes}"
    )
