"""Attack sequence: attacks run one after another, each on the images that are still robust, in the engine."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from alignsec import engine
from alignsec.api.inputs import Inputs, build_classifier
from alignsec.evaluation.evaluation import AdversarialImage, Evaluation
from alignsec.evaluation.passes.frozen import frozen_parameters
from alignsec.evaluation.task import Task
from alignsec.models.classifier import Classifier
from alignsec.spec.attack import Attack
from alignsec.spec.verdicts import ROBUST, Passes


@dataclass
class Adversaries:
    """The adversarial examples of an evaluation, by budget and image. The first one found is kept."""

    images: dict[tuple[int, int], Tensor] = field(default_factory=dict)

    def keep(self, found: AdversarialImage, pixels: Tensor) -> None:
        """Copy a confirmed adversarial example."""
        self.images.setdefault((found.budget, found.image), pixels.detach().clone())


@dataclass
class SequenceResult:
    """The result of a sequence at one budget. N is the number of images."""

    verdicts: str
    """One letter per image."""
    x_adv: Tensor
    """The adversarial example of each broken image, and the clean image of every other one, N x C x H x W."""
    passes: Passes
    """All model passes, counted in images."""
    notes: tuple[str, ...]


@contextmanager
def preserved_state(network: nn.Module, device: torch.device, seed: int) -> Iterator[None]:
    """Freeze the model and fork torch's random state inside a `with` block; restore both afterwards.

    Inside the block, torch's generators have the given seed, so that a randomised model repeats its draws.
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), torch.inference_mode(False), frozen_parameters(network):
        torch.manual_seed(seed)
        yield


def run_sequence(
    network: nn.Module, inputs: Inputs, attacks: Sequence[Attack], seed: int, replay: bool = False
) -> SequenceResult:
    """Run attacks with one common budget one after another.

    Args:
        network: The model.
        inputs: Images and labels.
        attacks: The attacks, each at one budget.
        seed: Seed of the attacks.
        replay: Draw the random numbers of the reference, in its batches. For parity tests only.

    Raises:
        ModelError: If the model returns no usable logits, or a label is outside its classes.
    """
    with preserved_state(network, inputs.images.device, seed):
        # Inference tensors cannot be differentiated; outside of inference mode, a clone is an ordinary tensor.
        own = Inputs(inputs.images.clone(), inputs.labels.clone())
        classifier = build_classifier(network, own.images)
        return _run(classifier, own, attacks, seed, replay)


def _run(
    classifier: Classifier, inputs: Inputs, attacks: Sequence[Attack], seed: int, replay: bool
) -> SequenceResult:
    if not replay and len(attacks) == 1:
        done, found = _evaluate(classifier, inputs, attacks[0], seed, replay=False)
        x_adv = inputs.images.clone()
        for (_, image), pixels in found.images.items():
            x_adv[image] = pixels
        return SequenceResult(done.budgets[0].verdicts, x_adv, classifier.passes, done.notes)
    clean = Attack(name="clean", method="clean", batch=attacks[0].batch)
    first, _ = _evaluate(classifier, inputs, clean, seed, replay=False)
    result = SequenceResult(first.budgets[0].verdicts, inputs.images.clone(), Passes(), first.notes)
    for attack in attacks:
        _run_next(classifier, inputs, attack, seed, replay, result)
    result.passes = classifier.passes
    return result


def _run_next(
    classifier: Classifier, inputs: Inputs, attack: Attack, seed: int, replay: bool, result: SequenceResult
) -> None:
    """Run one attack on the images that are still robust, and add its verdicts and examples to the result.

    A replay divides these images into batches, as the reference does; each batch draws its own numbers.
    """
    robust = [image for image, letter in enumerate(result.verdicts) if letter == ROBUST]
    size = attack.batch if replay else len(inputs.images)
    letters = list(result.verdicts)
    for start in range(0, len(robust), size):
        chosen = robust[start : start + size]
        part = Inputs(inputs.images[chosen], inputs.labels[chosen])
        done, found = _evaluate(classifier, part, attack, seed, replay)
        for (_, image), pixels in found.images.items():
            letters[chosen[image]] = done.budgets[0].verdicts[image]
            result.x_adv[chosen[image]] = pixels
        result.notes = tuple(dict.fromkeys((*result.notes, *done.notes)))
    result.verdicts = "".join(letters)


def _evaluate(
    classifier: Classifier, inputs: Inputs, attack: Attack, seed: int, replay: bool
) -> tuple[Evaluation, Adversaries]:
    """Run one attack in the engine to the end."""
    found = Adversaries()
    task = Task(classifier, inputs.images, inputs.labels, attack, seed)
    settings = engine.Settings(slots=attack.batch, on_adversarial=found.keep, replay=replay)
    *_, last = engine.evaluate(task, settings=settings)
    return last, found
