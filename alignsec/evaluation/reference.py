"""AutoAttack's four components through pyautoattack, the reference's own code (Croce & Hein 2020).

Each is a pure function: (classifier, images N x C x H x W in [0,1], labels N, attack, eps, seed) to adversarial
images. An image that was not broken comes back as it was. The reference seeds torch's global generator and draws
for the whole batch, so its answers depend on which images share a batch.
"""

from typing import Any

from pyautoattack.autopgd_base import APGDAttack, APGDAttack_targeted
from pyautoattack.fab_pt import FABAttack_PT
from pyautoattack.square import SquareAttack
from torch import Tensor

from alignsec.models.classifier import Classifier
from alignsec.spec.attack import Attack


def _common(attack: Attack, eps: float, seed: int, images: Tensor) -> dict[str, Any]:
    return {"norm": attack.norm, "eps": eps, "seed": seed, "device": images.device, "verbose": False}


def apgd_ce(
    classifier: Classifier, images: Tensor, labels: Tensor, attack: Attack, eps: float, seed: int
) -> Tensor:
    """APGD on the cross-entropy loss."""
    common = _common(attack, eps, seed, images)
    asked = {"n_iter": attack.steps, "n_restarts": attack.number("restarts", "apgd-ce")}
    engine = APGDAttack(classifier, loss="ce", use_largereps=attack.norm == "L1", **asked, **common)
    return _in_the_box(engine.perturb(images, labels))


def apgd_t(
    classifier: Classifier, images: Tensor, labels: Tensor, attack: Attack, eps: float, seed: int
) -> Tensor:
    """APGD on the targeted DLR loss, one target class after another."""
    common = _common(attack, eps, seed, images)
    asked = {"n_iter": attack.steps, "n_restarts": attack.number("restarts", "apgd-t")}
    asked |= {"n_target_classes": attack.number("targets", "apgd-t")}
    engine = APGDAttack_targeted(classifier, use_largereps=attack.norm == "L1", **asked, **common)
    return _in_the_box(engine.perturb(images, labels))


def fab_t(classifier: Classifier, images: Tensor, labels: Tensor, attack: Attack, eps: float, seed: int) -> Tensor:
    """FAB, one target class after another."""
    common = _common(attack, eps, seed, images)
    asked = {"n_iter": attack.steps, "n_target_classes": attack.number("targets", "fab-t")}
    engine = FABAttack_PT(classifier, targeted=True, **asked, **common)
    adversarial: Tensor = engine.perturb(images, labels)
    return adversarial


def square(
    classifier: Classifier, images: Tensor, labels: Tensor, attack: Attack, eps: float, seed: int
) -> Tensor:
    """Square, with AutoAttack's settings: p = 0.8 and the schedule of 10,000 queries, not rescaled."""
    common = _common(attack, eps, seed, images)
    engine = SquareAttack(classifier, n_queries=attack.queries, p_init=0.8, resc_schedule=False, **common)
    return _in_the_box(engine.perturb(images, labels))


def _in_the_box(images: Tensor) -> Tensor:
    """In L1 the reference's sums may end a rounding error outside [0,1], where no image is judged to count."""
    return images.clamp(0, 1)
