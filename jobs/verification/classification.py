"""Classification of images in float32, at most twice each, to confirm or refute what is claimed of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from alignsec.models.classifier import Classifier
from alignsec.models.errors import ModelError
from alignsec.models.pixels import Images

_BATCH = 32
_NEAR = 1e-4
"""Two logits that differ by less than this share of the largest one may change places on another device."""

Judgement = Literal["confirmed", "refuted", "near"]


@dataclass(frozen=True)
class Prediction:
    """The class of one image in one pass."""

    predicted: int
    is_wrong: bool
    """True if it is not the label."""
    is_near: bool
    """True if rounding could make a wrong prediction right, or a right one wrong."""


@dataclass(frozen=True)
class Predictions:
    """The one or two predictions of one image."""

    passes: tuple[Prediction, ...]

    def judge(self, claimed_wrong: bool) -> Judgement:
        """Return whether the claim that an image is classified wrongly, or rightly, holds."""
        if any(one.is_wrong == claimed_wrong for one in self.passes):
            return "confirmed"
        return "near" if any(one.is_near for one in self.passes) else "refuted"


@dataclass
class ClassCheck:
    """Classifies images and counts its passes."""

    classifier: Classifier
    inputs: int = 0
    most_passes: int = 0

    @property
    def passes(self) -> int:
        """Forward passes, counted in images."""
        return self.classifier.passes.forward

    def classify(self, images: Images, labels: Tensor, claims: Sequence[set[bool]]) -> list[Predictions]:
        """Classify images in batches, and alone those whose batch contradicts a claim.

        The second pass is for images so near to a decision boundary that the composition of the batch decides.

        Args:
            images: float32, N x C x H x W, in [0,1].
            labels: int64, N.
            claims: Whether each image is claimed to be wrong; two claims if two outcomes contradict each other.

        Raises:
            ModelError: If logits are not finite or a label is outside the classes.
        """
        found = []
        for start in range(0, len(images), _BATCH):
            batch = slice(start, start + _BATCH)
            for offset, first in enumerate(self._predict(images[batch], labels[batch])):
                at = start + offset
                passes: tuple[Prediction, ...] = (first,)
                if claims[at] - {first.is_wrong}:
                    passes = (first, *self._predict(images[at : at + 1], labels[at : at + 1]))
                self.most_passes = max(self.most_passes, len(passes))
                found.append(Predictions(passes))
        self.inputs += len(images)
        return found

    @torch.no_grad()
    def _predict(self, images: Tensor, labels: Tensor) -> list[Prediction]:
        device = self.classifier.mean.device
        logits = self.classifier(images.to(device)).float().cpu()
        if not logits.isfinite().all():
            raise ModelError("the model returned logits that are not finite")
        if int(labels.max()) >= logits.shape[1]:
            raise ModelError(f"label {int(labels.max())} is outside the model's {logits.shape[1]} classes")
        own = logits.gather(1, labels[:, None]).squeeze(1)
        others = logits.scatter(1, labels[:, None], -torch.inf).amax(1)
        near = (own - others).abs() <= _NEAR * logits.abs().amax(1)
        predicted = logits.argmax(1)
        rows = zip(predicted.tolist(), (predicted != labels).tolist(), near.tolist(), strict=True)
        return [Prediction(*row) for row in rows]
