"""The gate: no attack is spent on a model whose clean accuracy is not the published one.

A wrong std, class order or checkpoint still gives numbers; they only are another model's.
"""

import math

from alignsec.evaluation.evaluation import Evaluation
from alignsec.spec.pair import PairModel, Published
from alignsec.spec.verdicts import MENDED, WRONG

CONFIDENCE = 0.999
"""Of the exact binomial interval: one sound model in a thousand is refused by chance, at most."""
NOT_CHECKED = "clean accuracy was not checked: none is published for this model"


class CleanAccuracyError(Exception):
    """The model is not the published one, or is not shown its images as the published one was."""


def check_clean_accuracy(model: PairModel, known: Evaluation) -> tuple[str, ...]:
    """Notes for the record, from what is known once the clean images were classified.

    Raises CleanAccuracyError if the model gives another number of classes than is known of it, or if its clean
    accuracy on these images is not plausibly within the tolerance of the published one.
    """
    if model.classes is not None and model.classes != known.classes:
        raise CleanAccuracyError(
            f"{model.name} gives {known.classes} logits, not the {model.classes} it is known for"
        )
    if model.published is None:
        return (NOT_CHECKED,)
    letters = known.budgets[0].verdicts
    count = len(letters)
    correct = count - letters.count(WRONG) - letters.count(MENDED)
    if not is_plausible(correct, count, model.published):
        raise CleanAccuracyError(_said(model, model.published, correct, count))
    return ()


def is_plausible(correct: int, count: int, published: Published) -> bool:
    """Whether some accuracy within the tolerance of the published one could give so many correct images.

    That is, whether the exact binomial interval of the accuracy seen (Clopper & Pearson 1934), at CONFIDENCE,
    meets the range top1 - tolerance to top1 + tolerance. So 20 images refuse only what is far off, and
    50,000 anything outside the tolerance.
    """
    tail = (1 - CONFIDENCE) / 2
    lowest, highest = published.top1 - published.tolerance, published.top1 + published.tolerance
    return binomial_cdf(correct, count, lowest) > tail and binomial_cdf(count - correct, count, 1 - highest) > tail


def binomial_cdf(successes: int, trials: int, share: float) -> float:
    """The probability of at most so many successes, each trial having the given share: a binomial's lower tail."""
    if share <= 0:
        return 1.0
    if share >= 1:
        return float(successes >= trials)
    log_share, log_rest, log_all = math.log(share), math.log1p(-share), math.lgamma(trials + 1)
    return math.fsum(
        math.exp(
            log_all - math.lgamma(k + 1) - math.lgamma(trials - k + 1) + k * log_share + (trials - k) * log_rest
        )
        for k in range(successes + 1)
    )


def _said(model: PairModel, published: Published, correct: int, count: int) -> str:
    where = f" ({published.where})" if published.where else ""
    cause = "wrong preprocessing or weights"
    if correct / count > published.top1:
        cause += ", or images it was trained on"
    return (
        f"{cause}? {model.name} classifies {correct} of {count} clean images correctly, {correct / count:.1%}; "
        f"published are {published.top1:.1%}{where}, tolerance {published.tolerance:.1%}"
    )
