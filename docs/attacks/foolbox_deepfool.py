"""DeepFool of foolbox: asked for the smallest perturbation, judged at every budget."""

import foolbox


def deepfool(classifier, images, labels, norm, steps=50):
    """Return the images across the nearest linearised boundary."""
    model = foolbox.PyTorchModel(classifier, bounds=(0, 1), device=images.device)
    kinds = {"L2": foolbox.attacks.L2DeepFoolAttack, "Linf": foolbox.attacks.LinfDeepFoolAttack}
    return kinds[norm](steps=steps, overshoot=0.02)(model, images, labels, epsilons=None)[1]
