"""Reference: AutoAttack's four components through pyautoattack, the reference implementation (Croce & Hein 2020).

Each function takes the classifier, images N x C x H x W in [0,1], labels N, the attack, eps and a seed, and
returns the adversarial images. An image that was not broken is returned unchanged. The reference seeds torch's
global generator and draws random numbers for the whole batch, so its results depend on the composition of a batch.
"""

from typing import Any

from pyautoattack.autopgd_base import APGDAttack, APGDAttack_targeted
from pyautoattack.fab_pt import FABAttack_PT
from pyautoattack.square import SquareAttack
from torch import Tensor

from alignsec.models.classifier import Classifier
from alignsec.spec.attack import Attack


def _common_arguments(attack: Attack, eps: float, seed: int, images: Tensor) -> dict[str, Any]:
    return {"norm": attack.norm, "eps": eps, "seed": seed, "device": images.device, "verbose": False}


def apgd_ce(
    classifier: Classifier, images: Tensor, labels: Tensor, attack: Attack, eps: float, seed: int
) -> Tensor:
    """Run APGD on the cross-entropy loss."""
    common = _common_arguments(attack, eps, seed, images)
    parameters = {"n_iter": attack.steps, "n_restarts": attack.parameter_value("restarts", "apgd-ce")}
    component = APGDAttack(classifier, loss="ce", use_largereps=attack.norm == "L1", **parameters, **common)
    return _clamp(component.perturb(images, labels))


def apgd_t(
    classifier: Classifier, images: Tensor, labels: Tensor, attack: Attack, eps: float, seed: int
) -> Tensor:
    """Run APGD on the targeted DLR loss, for one target class after another."""
    common = _common_arguments(attack, eps, seed, images)
    parameters = {"n_iter": attack.steps, "n_restarts": attack.parameter_value("restarts", "apgd-t")}
    parameters |= {"n_target_classes": attack.parameter_value("targets", "apgd-t")}
    component = APGDAttack_targeted(classifier, use_largereps=attack.norm == "L1", **parameters, **common)
    return _clamp(component.perturb(images, labels))


def apgd_dlr(
    classifier: Classifier, images: Tensor, labels: Tensor, attack: Attack, eps: float, seed: int
) -> Tensor:
    """Run APGD on the DLR loss."""
    return _run_apgd(classifier, images, labels, attack, eps, seed, "apgd-dlr")


def apgd_ce_eot(
    classifier: Classifier, images: Tensor, labels: Tensor, attack: Attack, eps: float, seed: int
) -> Tensor:
    """Run APGD on the cross-entropy loss with expectation over transformation."""
    return _run_apgd(classifier, images, labels, attack, eps, seed, "apgd-ce-eot")


def apgd_dlr_eot(
    classifier: Classifier, images: Tensor, labels: Tensor, attack: Attack, eps: float, seed: int
) -> Tensor:
    """Run APGD on the DLR loss with expectation over transformation."""
    return _run_apgd(classifier, images, labels, attack, eps, seed, "apgd-dlr-eot")


def _run_apgd(
    classifier: Classifier,
    images: Tensor,
    labels: Tensor,
    attack: Attack,
    eps: float,
    seed: int,
    component: str,
) -> Tensor:
    """Run untargeted APGD with the loss and the parameters of a component."""
    common = _common_arguments(attack, eps, seed, images)
    given = attack.parameters(component)
    parameters = {"n_iter": given["steps"], "n_restarts": given["restarts"], "eot_iter": given.get("eot", 1)}
    loss = "dlr" if "dlr" in component else "ce"
    apgd = APGDAttack(classifier, loss=loss, use_largereps=attack.norm == "L1", **parameters, **common)
    return _clamp(apgd.perturb(images, labels))


def fab(classifier: Classifier, images: Tensor, labels: Tensor, attack: Attack, eps: float, seed: int) -> Tensor:
    """Run untargeted FAB, which considers the boundaries of all classes."""
    common = _common_arguments(attack, eps, seed, images)
    parameters = {"n_iter": attack.steps, "n_restarts": attack.parameter_value("restarts", "fab")}
    component = FABAttack_PT(classifier, targeted=False, **parameters, **common)
    adversarial: Tensor = component.perturb(images, labels)
    return adversarial


def fab_t(classifier: Classifier, images: Tensor, labels: Tensor, attack: Attack, eps: float, seed: int) -> Tensor:
    """Run targeted FAB, for one target class after another."""
    common = _common_arguments(attack, eps, seed, images)
    parameters = {"n_iter": attack.steps, "n_target_classes": attack.parameter_value("targets", "fab-t")}
    component = FABAttack_PT(classifier, targeted=True, **parameters, **common)
    adversarial: Tensor = component.perturb(images, labels)
    return adversarial


def square(
    classifier: Classifier, images: Tensor, labels: Tensor, attack: Attack, eps: float, seed: int
) -> Tensor:
    """Run Square with AutoAttack's settings: p = 0.8 and the schedule of 10,000 queries, not rescaled."""
    common = _common_arguments(attack, eps, seed, images)
    component = SquareAttack(classifier, n_queries=attack.queries, p_init=0.8, resc_schedule=False, **common)
    return _clamp(component.perturb(images, labels))


def _clamp(images: Tensor) -> Tensor:
    """Clamp images to [0,1], which L1 attacks of the reference leave by rounding; the judge would reject them."""
    return images.clamp(0, 1)
