"""Passes of the model: as the search wants them or exactly, in lots that fit the memory, results checked."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

from alignsec.evaluation.passes import memory, precision
from alignsec.evaluation.passes.compiled import CompiledNetwork, Network, Result, Work
from alignsec.models.classifier import Classifier
from alignsec.models.errors import ModelError, is_out_of_memory
from alignsec.models.pixels import Images
from alignsec.spec.attack import SearchPrecision

T = TypeVar("T")
Losses = Callable[[slice, Tensor], Tensor]
"""Of the points at some positions from their logits: what the gradient is asked of, one number a point."""


@dataclass
class PassResult:
    """What a pass showed of its points."""

    logits: Tensor
    """N x classes, float32."""
    losses: Tensor | None = None
    """N; None after a pass without gradient; so gradients."""
    gradients: Tensor | None = None
    """Of the losses at the points, N x C x H x W."""


@dataclass
class ModelRunner:
    """The way through the model."""

    classifier: Classifier
    search: SearchPrecision
    max_batch: int
    """Images at once; halved when memory runs out."""
    compiled: CompiledNetwork | None = None
    """What the search's fuller lots go through."""

    @property
    def rounding(self) -> float:
        """How far the search's logits may lie from those that verdicts are given by: see precision."""
        return precision.relative_rounding(self.search, self.compiled is not None)

    @property
    def is_exact(self) -> bool:
        """Whether the search's own logits are those that verdicts are given by."""
        return not self.rounding

    @property
    def memory_pools(self) -> int:
        """Pools of memory for a pass: a CUDA graph keeps its own, beside that of passes which are not compiled."""
        return 2 if self.compiled and torch.cuda.is_available() else 1

    def take_compared(self) -> int:
        """Images of the last pass, the first ones, that went through the network as it is as well."""
        if self.compiled is None:
            return 0
        images, self.compiled.compared = self.compiled.compared, 0
        return images

    def probe(self, images: Tensor) -> tuple[Tensor, int]:
        """Logits in float32 of the first images, of as many as fit, and the memory that one takes, in bytes."""
        found = None
        while found is None:
            some = images[: self.max_batch]
            found = self._try_batch(partial(self._probe, some), len(some))
        return found

    @torch.no_grad()
    def classify(self, images: Images) -> Tensor:
        """Logits in float32, by which verdicts are given."""
        (logits,) = self._run_in_batches(len(images), lambda lot: (compute_logits(self.classifier, images[lot]),))
        return logits

    @torch.no_grad()
    def forward(self, images: Tensor) -> PassResult:
        """Logits for the search."""
        return PassResult(
            *self._run_in_batches(
                len(images), self._with_compiled(lambda lot: partial(self._forward, images[lot]))
            )
        )

    def forward_backward(self, images: Tensor, losses: Losses) -> PassResult:
        """Logits for the search, and the losses and their gradients."""
        with torch.enable_grad():
            works = self._with_compiled(
                lambda lot: partial(self._forward_backward, images[lot], partial(losses, lot))
            )
            return PassResult(*self._run_in_batches(len(images), works))

    def _with_compiled(self, work_on: Callable[[slice], Work]) -> Callable[[slice], Result]:
        """The work on a lot, by the compiled network where the lot is one for it."""

        def work(lot: slice) -> Result:
            images = lot.stop - lot.start
            if self.compiled and self.compiled.accepts(images, self.max_batch):
                return self.compiled.run(work_on(lot), images, self.max_batch)
            return work_on(lot)(None)

        return work

    def _run_in_batches(self, count: int, work: Callable[[slice], tuple[Tensor, ...]]) -> list[Tensor]:
        """The work on `count` images; where memory runs out, the same images again, half as many at once.

        A lot that fails has changed nothing. Raises the error where there is no room for one image.
        """
        done, at = [], 0
        while at < count:
            lot = slice(at, min(at + self.max_batch, count))
            if (result := self._try_batch(partial(work, lot), lot.stop - lot.start)) is not None:
                done.append(result)
                at = lot.stop
        return [concatenate(list(parts)) for parts in zip(*done, strict=True)]

    def _try_batch(self, work: Callable[[], T], images: int) -> T | None:
        """The work on so many images; None, with fewer at once from now on, where memory ran out."""
        try:
            return work()
        except (RuntimeError, MemoryError) as error:
            if images == 1 or not is_out_of_memory(error):
                raise
        # Out here, where the error and all that its frames held are gone.
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

    def _forward(self, images: Tensor, network: Network | None) -> Result:
        with precision.tf32_flags(self.search), precision.autocast(self.search, images.device):
            return (compute_logits(self.classifier, images, network).float(),)

    def _forward_backward(
        self, images: Tensor, losses: Callable[[Tensor], Tensor], network: Network | None
    ) -> Result:
        with precision.tf32_flags(self.search):
            images = images.detach().requires_grad_()
            with precision.autocast(self.search, images.device):
                logits = compute_logits(self.classifier, images, network)
            logits = logits.float()
            each = losses(logits)
            gradients = _gradients_of(each, images)
        return logits.detach(), each.detach(), gradients


def concatenate(lots: list[Tensor]) -> Tensor:
    """The lots one after another; one alone is not copied."""
    return lots[0] if len(lots) == 1 else torch.cat(lots)


def compute_logits(classifier: Classifier, images: Tensor, network: Network | None = None) -> Tensor:
    """Logits of a batch, N x classes, perhaps not finite. Raises ModelError for anything else.

    network: a compiled form of the classifier's own, which is taken where it is None.
    """
    logits: Tensor = classifier(images, network)
    if logits.ndim != 2 or len(logits) != len(images) or logits.shape[1] < 2 or not logits.is_floating_point():
        shape = " x ".join(map(str, logits.shape))
        raise ModelError(f"{len(images)} images gave {shape} {logits.dtype}; logits are images x classes")
    return logits


def non_finite_error(bad: int, of: int, passage: ModelRunner | None = None) -> ModelError:
    """The error for logits that are no numbers, of the search's passage or in float32."""
    said = f"the logits of {bad} of {of} images are not finite"
    if passage is None or passage.is_exact:
        return ModelError(f"{said}; are the weights sound?")
    if passage.compiled:
        return ModelError(f"{said} in {passage.search} through torch.compile; search without")
    return ModelError(f"{said} in {passage.search}; search in fp32")


def _gradients_of(losses: Tensor, images: Tensor) -> Tensor:
    """Gradient of the sum of the losses for each image."""
    total = losses.sum()
    if not total.requires_grad:
        raise ModelError("the logits carry no gradient back to the image; is the model differentiable?")
    (gradients,) = torch.autograd.grad(total, images, allow_unused=True)
    if gradients is None:
        raise ModelError("the logits do not depend on the image; is the model differentiable?")
    return gradients
