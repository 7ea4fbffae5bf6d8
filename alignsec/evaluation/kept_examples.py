"""Kept examples: collects the adversarial examples of the first broken images of a pair, at each budget.

The collection does not depend on the order in which images break: it holds the examples of the smallest image
indices so far. Pixels are compressed at once, so that it needs a fraction of the memory of the images.
"""

import bisect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from alignsec import limits
from alignsec.evaluation.evaluation import AdversarialImage
from alignsec.images import clean_pixels
from alignsec.images.packing import Floats, PackedImages
from alignsec.models.classifier import Classifier
from alignsec.models.pixels import Images
from alignsec.run import examples_file
from alignsec.run.examples_file import ExampleEntry, ExamplesFile, ImageEntry
from alignsec.spec.attack import Attack
from alignsec.spec.keep import count_kept

_BATCH = 16
"""Images in one pass that computes confidences."""
_ENTRY_BYTES = 300
"""Bound on the text of one entry of the file, without its name, and of the rest of the header."""
Key = TypeVar("Key", int, tuple[int, int])


@dataclass
class KeptExamples:
    """The examples so far. Call `add` with every confirmed adversarial example."""

    pair_id: str
    attack: Attack
    pixels: Images
    """Clean images."""
    most_bytes: int = limits.EXAMPLES_BYTES
    """Largest size of the file. Examples of later images that do not fit are left out."""
    left_out: int = 0
    """Number of images that `finish` left out."""
    _found: dict[tuple[int, int], tuple[ExampleEntry, PackedImages]] = field(default_factory=dict)
    """Entry and pixels by budget and image."""
    _kept: list[list[int]] = field(default_factory=list)
    """Kept images by budget, in ascending order."""

    def __post_init__(self) -> None:
        """Start with no examples."""
        self._kept = [[] for _ in self.attack.budgets]

    def add(self, found: AdversarialImage, point: Tensor) -> None:
        """Keep an example if its image is among the first ones, and drop the last one if there are too many.

        Args:
            found: The example's facts.
            point: Its pixels as they were judged, float32, C x H x W.
        """
        images = self._kept[found.budget]
        most = count_kept(self.attack, len(images) + 1)
        if len(images) >= most and (not images or images[-1] < found.image):
            return
        if (found.budget, found.image) not in self._found:  # it is, if a resumed search started from scratch
            bisect.insort(images, found.image)
        for dropped in images[most:]:
            del self._found[found.budget, dropped]
        del images[most:]
        entry = ExampleEntry(
            budget=found.budget, image=found.image, component=found.component, distance=found.distance,
            predicted=0, confidence=0, kinds=0, others=0,
        )  # fmt: skip
        self._put(entry, self._pack(found.budget, found.image, point))

    def _put(self, entry: ExampleEntry, packed: PackedImages) -> None:
        sizes = {"kinds": len(packed.kinds), "others": len(packed.others)}
        self._found[entry.budget, entry.image] = entry.model_copy(update=sizes), packed

    def _pack(self, budget: int, image: int, point: Tensor) -> PackedImages:
        assert self.attack.norm is not None  # noqa: S101 - the clean attack and corruptions keep no examples
        eps = float(self.attack.budgets[budget])
        return examples_file.pack_example(_to_array(point), self._clean(image), self.attack.norm, eps)

    def _clean(self, image: int) -> Floats:
        return _to_array(self.pixels[[image]][0])

    def save(self) -> bytes:
        """Return the examples for a checkpoint; empty if there are none."""
        return self._dump([], [self._found[key] for key in sorted(self._found)]) if self._found else b""

    def restore(self, data: bytes) -> None:
        """Add the examples that `save` returned."""
        if not data:
            return
        saved = ExamplesFile.parse(data)
        for entry, packed in zip(saved.examples, saved.read_packed(), strict=True):
            bisect.insort(self._kept[entry.budget], entry.image)
            self._put(entry, packed)

    def finish(self, classifier: Classifier, labels: Tensor, names: Sequence[str]) -> bytes:
        """Return the content of the examples file; empty if there are no examples.

        Args:
            classifier: The classifier, which predicts the class and confidence of each image once more.
            labels: Labels of the clean images.
            names: Names of the clean images.
        """
        if not self._found:
            return b""
        chosen = self._fit_limit({image: self._pack_clean(image) for _, image in self._found})
        found = {key: self._found[key] for key in sorted(self._found) if key[1] in chosen}
        clean = _classify(classifier, ((image, self._clean(image)) for image in chosen))
        attacked = _classify(classifier, ((key, self._unpack(*one)) for key, one in found.items()))
        images = [
            (
                ImageEntry(
                    image=image,
                    name=names[image],
                    label=int(labels[image]),
                    confidence=_bound(float(clean[image][int(labels[image])])),
                    size=len(data),
                ),
                data,
            )
            for image, data in sorted(chosen.items())
        ]
        examples = [
            (entry.model_copy(update=_describe_prediction(attacked[key])), packed)
            for key, (entry, packed) in found.items()
        ]
        return self._dump(images, examples)

    def _fit_limit(self, images: dict[int, bytes]) -> dict[int, bytes]:
        """Return the first images, by index, whose clean pixels and examples fit into one file."""
        sizes = {image: len(data) for image, data in images.items()}
        for (_, image), (entry, _) in self._found.items():
            sizes[image] += entry.kinds + entry.others + _ENTRY_BYTES
        total, chosen = _ENTRY_BYTES, dict[int, bytes]()
        for image in sorted(images):
            total += sizes[image] + _ENTRY_BYTES
            if total > self.most_bytes:
                self.left_out = len(images) - len(chosen)
                break
            chosen[image] = images[image]
        return chosen

    def _pack_clean(self, image: int) -> bytes:
        return clean_pixels.pack_clean((self._clean(image) * 255).round().astype(np.uint8))

    def _unpack(self, entry: ExampleEntry, packed: PackedImages) -> Floats:
        assert self.attack.norm is not None  # noqa: S101 - the clean attack and corruptions keep no examples
        eps = float(self.attack.budgets[entry.budget])
        return examples_file.unpack_example(packed, self._clean(entry.image), self.attack.norm, eps)

    def _dump(
        self, images: list[tuple[ImageEntry, bytes]], examples: list[tuple[ExampleEntry, PackedImages]]
    ) -> bytes:
        assert self.attack.norm is not None  # noqa: S101 - the clean attack and corruptions keep no examples
        channels, height, width = self.pixels.shape[1:]
        shape = (channels, height, width)
        return examples_file.dump(self.pair_id, shape, self.attack.norm, self.attack.budgets, images, examples)


@torch.no_grad()
def _classify(classifier: Classifier, images: Iterable[tuple[Key, Floats]]) -> dict[Key, Floats]:
    """Return the softmax of each image, by its key."""
    device, found = classifier.mean.device, {}
    for batch in _split(images):
        pixels = torch.from_numpy(np.stack([image for _, image in batch])).to(device)
        rows = classifier(pixels).softmax(1).cpu().numpy()
        found.update({key: row for (key, _), row in zip(batch, rows, strict=True)})
    return found


def _split(images: Iterable[tuple[Key, Floats]]) -> Iterator[list[tuple[Key, Floats]]]:
    """Yield batches of at most _BATCH images."""
    iterator = iter(images)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


def _describe_prediction(softmax: Floats) -> dict[str, object]:
    predicted = int(softmax.argmax())
    return {"predicted": predicted, "confidence": _bound(float(softmax[predicted]))}


def _bound(softmax: float) -> float:
    """Return a probability rounded to six digits, at most 1: float32 may give a little more."""
    return min(1.0, round(softmax, 6))


def _to_array(image: Tensor) -> Floats:
    found: Floats = image.detach().cpu().contiguous().numpy()
    return found
