"""Task: a classifier, labelled images and an attack."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from alignsec.evaluation.custom_attack import CustomAttack
from alignsec.evaluation.evaluation import AdversarialImage
from alignsec.models.classifier import Classifier
from alignsec.models.pixels import Images
from alignsec.spec.attack import Attack
from alignsec.spec.verdicts import BudgetVerdicts

OnAdversarial = Callable[[AdversarialImage, Tensor], None]
"""Called with each confirmed adversarial example and its pixels, C x H x W, exactly as they were judged."""


@dataclass(frozen=True)
class Task:
    """The input of an evaluation."""

    classifier: Classifier
    pixels: Images
    """Clean images, float32 in [0,1], N x C x H x W."""
    labels: Tensor
    """int64, N."""
    attack: Attack
    seed: int
    """Seed of all random numbers of the attack."""
    corrupted: Images | None = None
    """The same images under the attack's corruption; None if the attack is not a corruption."""
    audit_key: str = ""
    """Text that, with the seed and the image, selects the images of an audit: what identifies the model and the
    attack, without the audited share."""
    earlier: tuple[BudgetVerdicts, ...] = ()
    """Verdicts of the same task with a smaller audited share, whose audited images are not searched again."""
    custom: CustomAttack | None = None
    """The user's attack, if the attack is one."""
