"""Model runner: runs a classifier in batches that fit in memory, in float32 or in the precision of a search."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

from alignsec.evaluation.passes import memory, precision
from alignsec.evaluation.passes.compiled import CompiledNetwork, Network, Pass, PassOutput
from alignsec.models.classifier import Classifier
from alignsec.models.errors import ModelError, is_out_of_memory
from alignsec.models.pixels import Images
from alignsec.spec.attack import SearchPrecision

T = TypeVar("T")
Losses = Callable[[slice, Tensor], Tensor]
"""Computes one loss for each image of a batch from the batch's position among all images and its logits."""


@dataclass
class PassResult:
    """The results of one pass over all images given."""

    logits: Tensor
    """N x classes, float32."""
    losses: Tensor | None = None
    """N; None after a forward pass."""
    gradients: Tensor | None = None
    """Gradients of the losses with respect to the images, N x C x H x W; None after a forward pass."""


@dataclass
class ModelRunner:
    """Runs a classifier in batches, and halves the batch size when memory runs out."""

    classifier: Classifier
    search: SearchPrecision
    """Precision of `forward` and `forward_backward`."""
    max_batch: int
    """Largest number of images in one batch."""
    compiled: CompiledNetwork | None = None
    """Compiled form of the network, used for search batches that are nearly full; None to run eagerly."""

    @property
    def rounding(self) -> float:
        """Largest relative difference between logits of the search and float32 logits; see precision.py."""
        return precision.relative_rounding(self.search, self.compiled is not None)

    @property
    def is_exact(self) -> bool:
        """True if the search computes the same logits as `classify`."""
        return not self.rounding

    @property
    def memory_pools(self) -> int:
        """Number of memory pools that a pass needs: CUDA graphs use a separate one."""
        return 2 if self.compiled and torch.cuda.is_available() else 1

    def take_compared(self) -> int:
        """Return how many images of the last pass the eager network classified too, and reset the count.

        These are the first images of the pass.
        """
        if self.compiled is None:
            return 0
        images, self.compiled.compared = self.compiled.compared, 0
        return images

    def probe(self, images: Tensor) -> tuple[Tensor, int]:
        """Classify the first images, as many as fit, and measure the memory of one image.

        Returns:
            The float32 logits of these images, and the bytes for one image.
        """
        result = None
        while result is None:
            batch = images[: self.max_batch]
            result = self._try_batch(partial(self._probe, batch), len(batch))
        return result

    @torch.no_grad()
    def classify(self, images: Images) -> Tensor:
        """Return the float32 logits that decide verdicts, N x classes."""
        (logits,) = self._run_in_batches(
            len(images), lambda batch: (compute_logits(self.classifier, images[batch]),)
        )
        return logits

    @torch.no_grad()
    def forward(self, images: Tensor) -> PassResult:
        """Return the logits of the images in the precision of the search."""
        run = self._use_compiled(lambda batch: partial(self._forward, images[batch]))
        return PassResult(*self._run_in_batches(len(images), run))

    def forward_backward(self, images: Tensor, losses: Losses) -> PassResult:
        """Return logits, losses and gradients of the images in the precision of the search."""
        with torch.enable_grad():
            run = self._use_compiled(
                lambda batch: partial(self._forward_backward, images[batch], partial(losses, batch))
            )
            return PassResult(*self._run_in_batches(len(images), run))

    def _use_compiled(self, make_pass: Callable[[slice], Pass]) -> Callable[[slice], PassOutput]:
        """Return a function that runs a batch through the compiled network if the batch is full enough."""

        def run(batch: slice) -> PassOutput:
            images = batch.stop - batch.start
            if self.compiled and self.compiled.accepts(images, self.max_batch):
                return self.compiled.run(make_pass(batch), images, self.max_batch)
            return make_pass(batch)(None)

        return run

    def _run_in_batches(self, count: int, run: Callable[[slice], tuple[Tensor, ...]]) -> list[Tensor]:
        """Run `count` images in batches; when memory runs out, repeat the batch with half as many images.

        A batch that fails has no effect. If one image does not fit, the error is raised.
        """
        done, start = [], 0
        while start < count:
            batch = slice(start, min(start + self.max_batch, count))
            if (result := self._try_batch(partial(run, batch), batch.stop - batch.start)) is not None:
                done.append(result)
                start = batch.stop
        return [concatenate(list(parts)) for parts in zip(*done, strict=True)]

    def _try_batch(self, run: Callable[[], T], images: int) -> T | None:
        """Run one batch; if memory runs out, halve `max_batch` and return None."""
        try:
            return run()
        except (RuntimeError, MemoryError) as error:
            if images == 1 or not is_out_of_memory(error):
                raise
        # Outside the except block, so that the error and the tensors in its frames are already freed.
        self.max_batch = images // 2
        if self.compiled:
            self.compiled.release()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return None

    def _probe(self, images: Tensor) -> tuple[Tensor, int]:
        with torch.enable_grad(), memory.measure_memory(self.classifier, images.device) as gauge:
            logits = compute_logits(self.classifier, images.detach().requires_grad_())
        return logits.detach(), gauge.bytes // len(images)

    def _forward(self, images: Tensor, network: Network | None) -> PassOutput:
        with precision.tf32_flags(self.search), precision.autocast(self.search, images.device):
            return (compute_logits(self.classifier, images, network).float(),)

    def _forward_backward(
        self, images: Tensor, losses: Callable[[Tensor], Tensor], network: Network | None
    ) -> PassOutput:
        with precision.tf32_flags(self.search):
            images = images.detach().requires_grad_()
            with precision.autocast(self.search, images.device):
                logits = compute_logits(self.classifier, images, network)
            logits = logits.float()
            values = losses(logits)
            gradients = _compute_gradients(values, images)
        return logits.detach(), values.detach(), gradients


def concatenate(batches: list[Tensor]) -> Tensor:
    """Concatenate tensors along the first dimension; a single tensor is returned without a copy."""
    return batches[0] if len(batches) == 1 else torch.cat(batches)


def compute_logits(classifier: Classifier, images: Tensor, network: Network | None = None) -> Tensor:
    """Return the logits of one batch, N x classes. They may contain values that are not finite.

    Args:
        classifier: The classifier.
        images: One batch, N x C x H x W.
        network: A compiled form of the classifier's network; None to use the network itself.

    Raises:
        ModelError: If the model returns anything but floating-point logits, N x 2 or more classes.
    """
    logits: Tensor = classifier(images, network)
    if logits.ndim != 2 or len(logits) != len(images) or logits.shape[1] < 2 or not logits.is_floating_point():
        shape = " x ".join(map(str, logits.shape))
        raise ModelError(
            f"the network returned {shape} {logits.dtype} for {len(images)} images; "
            "expected floating-point logits, images x classes"
        )
    return logits


def non_finite_error(bad: int, total: int, runner: ModelRunner | None = None) -> ModelError:
    """Return the error for logits that are not finite.

    Args:
        bad: Number of images with such logits.
        total: Number of images of the pass.
        runner: The runner whose search computed the logits; None for float32 logits.
    """
    text = f"the logits of {bad} of {total} images are not finite"
    if runner is None or runner.is_exact:
        return ModelError(f"{text}; check the weights")
    if runner.compiled:
        return ModelError(f"{text} in {runner.search} through torch.compile; set compile = false")
    return ModelError(f'{text} in {runner.search}; set search = "fp32"')


def _compute_gradients(losses: Tensor, images: Tensor) -> Tensor:
    """Return the gradient of each image's loss with respect to the image."""
    total = losses.sum()
    if not total.requires_grad:
        raise ModelError("the logits have no gradient with respect to the image; the model must be differentiable")
    (gradients,) = torch.autograd.grad(total, images, allow_unused=True)
    if gradients is None:
        raise ModelError("the logits do not depend on the image; the model must be differentiable")
    return gradients
