"""Evaluation: the results of a pair while its job runs. A job's checkpoint contains one as JSON."""

from collections.abc import Callable

from pydantic import ConfigDict, PrivateAttr, field_serializer

from alignsec.schema import StrictModel
from alignsec.spec.verdicts import BudgetVerdicts, Passes


class AdversarialImage(StrictModel):
    """An adversarial image that the judge has confirmed."""

    budget: int
    """Index into the attack's budgets."""
    image: int
    """Index into the task's images."""
    component: str
    target: int
    """Rank of the target class: 0 is the most likely class other than the label. 0 for untargeted components."""
    step: int
    """Step of the search that found it; the random start is step 0."""
    distance: float
    """Distance from the clean image in the attack's norm, measured in float64."""


class Evaluation(StrictModel):
    """Verdicts so far, progress, and the state needed to resume."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    classes: int
    """Number of classes of the model."""
    clean_top5: str = ""
    """One character for each image: 1 if its label is among the five highest logits of the clean image, else 0."""
    clean_passes: Passes
    budgets: tuple[BudgetVerdicts, ...]
    steps_done: int = 0
    steps: int
    """Number of steps. A step of the engine is one verdict; a step of the reference is one component on one batch
    at one budget."""
    undecided: int
    """Number of verdicts, counted over images and budgets, that a later step can still change."""
    passes_left: int
    """Upper bound on the forward passes that remain: the number if every undecided image stays robust."""
    notes: tuple[str, ...] = ()
    """Notes and warnings for the record."""
    adversarial_images: tuple[AdversarialImage, ...] = ()
    """The adversarial images that the engine found. The reference does not report them."""
    image_bytes: int = 0
    """Bytes that the clean pass measured for one image of a gradient pass; 0 for the reference."""
    max_batch: int = 0
    """Number of images in one batch of the engine: the requested number or what fits in memory."""
    audit_phase: int = 0
    """Phase of an audited attack: 0 screen, 1 its part near the boundary, 2 pilot, 3 rest of the audit."""
    state: bytes | None = None
    """Snapshot of the engine's unfinished searches. It is about as large as the images in the slots, and most
    evaluations are never saved. So it is made only when the evaluation is serialised, which must happen before the
    next evaluation is requested from the engine."""
    _make_state: Callable[[], bytes] | None = PrivateAttr(None)

    @property
    def complete(self) -> bool:
        """True if every image has its final verdict at every budget."""
        return self.steps_done == self.steps

    @field_serializer("state")
    def _serialize_state(self, state: bytes | None) -> bytes | None:
        return self._make_state() if self._make_state else state

    @property
    def state_bytes(self) -> bytes | None:
        """The value of `state`, made now if it was deferred."""
        return self._serialize_state(self.state)

    def with_lazy_state(self, make_state: Callable[[], bytes]) -> "Evaluation":
        """Return a copy whose `state` is made by `make_state` when the copy is serialised."""
        copy = self.model_copy()
        copy._make_state = make_state
        return copy
