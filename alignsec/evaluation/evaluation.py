"""Evaluation: what is known of a pair while it is being answered. JSON-able: a checkpoint is one."""

from collections.abc import Callable

from pydantic import ConfigDict, PrivateAttr, field_serializer

from alignsec.schema import StrictModel
from alignsec.spec.verdicts import BudgetVerdicts, Passes


class AdversarialImage(StrictModel):
    """An adversarial image that counts."""

    budget: int
    """Index into the attack's budgets."""
    image: int
    component: str
    target: int
    """Rank of the class aimed at: 0 is the most likely other class; 0 where nothing is aimed at."""
    step: int
    """Of its search; the random start is step 0."""
    distance: float
    """In the attack's norm, measured in float64."""


class Evaluation(StrictModel):
    """The verdicts so far, how far that is, and what is needed to go on."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    classes: int
    clean_top5: str = ""
    """For each image 1 where its label is among the five highest logits when clean, else 0."""
    clean_passes: Passes
    budgets: tuple[BudgetVerdicts, ...]
    steps_done: int = 0
    steps: int
    """A step of the engine is one verdict; of the reference, one component on one batch at one budget."""
    undecided: int
    """Verdicts, images times budgets, that a later step could still change."""
    passes_left: int
    """Forward passes to the end if every undecided image stays robust: the most it can take."""
    notes: tuple[str, ...] = ()
    adversarial_images: tuple[AdversarialImage, ...] = ()
    """By the engine; the reference does not tell."""
    image_bytes: int = 0
    """Memory that the engine measured for one image in a pass that goes backward too."""
    max_batch: int = 0
    """Images that the engine gives the model at once: as many as are asked for and fit the memory."""
    state: bytes | None = None
    """The engine's searches under way. It is made when the evaluation is dumped or frozen, which has to be before
    the next one is asked for: it is about as large as the images in the slots, and few are ever kept."""
    _make_state: Callable[[], bytes] | None = PrivateAttr(None)

    @property
    def complete(self) -> bool:
        """Whether every image has its verdict at every budget."""
        return self.steps_done == self.steps

    @field_serializer("state")
    def _serialize_state(self, state: bytes | None) -> bytes | None:
        return self._make_state() if self._make_state else state

    @property
    def state_bytes(self) -> bytes | None:
        """The state, made now where it is not yet."""
        return self._serialize_state(self.state)

    def with_lazy_state(self, freeze: Callable[[], bytes]) -> "Evaluation":
        """The same, whose state is made by `freeze` when it is wanted."""
        same = self.model_copy()
        same._make_state = freeze
        return same
