"""Settings of the engine. None of them changes a verdict, except `replay`."""

from collections.abc import Callable
from dataclasses import dataclass

from alignsec.evaluation.task import OnAdversarial
from alignsec.spec.engine_limits import SLOTS


@dataclass(frozen=True)
class Settings:
    """Settings of one run of the engine."""

    slots: int = SLOTS
    """Searches that run at once, and images in a batch, at most. The engine uses fewer if memory is short."""
    memory_bytes: int | None = None
    """Memory that the process may use. None if only the machine sets a limit."""
    seconds_between_yields: float = 5.0
    """Seconds after which `evaluate` yields an evaluation, at the end of a round; 0 yields after every round."""
    backend: str | Callable[..., object] = "inductor"
    """Backend of torch.compile, if the attack asks for it. Other backends than torch's default are for tests."""
    on_adversarial: OnAdversarial | None = None
    """Called with each confirmed adversarial example and its pixels, C x H x W, exactly as they were judged. The
    tensor must be copied to be kept. A resumed evaluation does not repeat the calls of its earlier part."""
    replay: bool = False
    """Draw the random numbers that the reference draws, in batches of the attack's `batch`. For parity tests only:
    a replay cannot be resumed and needs slots for a whole batch."""

    def __post_init__(self) -> None:
        """Raise ValueError if there are no slots."""
        if self.slots < 1:
            raise ValueError(f"slots must be at least 1, got {self.slots}")
