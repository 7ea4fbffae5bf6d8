"""Settings of the engine: none of them changes a verdict, except the one that says so."""

from collections.abc import Callable
from dataclasses import dataclass

from alignsec.spec.engine_limits import SLOTS


@dataclass(frozen=True)
class Settings:
    """How the engine goes about its work."""

    slots: int = SLOTS
    """Most searches under way at once, and images that the model sees at once; fewer where memory is short."""
    memory_bytes: int | None = None
    """What the process may take in all; None where only the machine sets a limit."""
    seconds_between_yields: float = 5.0
    """Seconds after which what is known is yielded, at the next round's end; 0 yields after every round."""
    backend: str | Callable[..., object] = "inductor"
    """Of torch.compile, where the attack asks for that. Others than torch's own default are for tests."""
    replay: bool = False
    """Draw exactly what the reference draws, batch by batch of the attack's `batch` images; for parity only.
    It changes the random numbers, cannot be stopped and taken up, and needs slots for a whole batch."""

    def __post_init__(self) -> None:
        if self.slots < 1:
            raise ValueError(f"slots = {self.slots} leaves no room for a search; give at least 1")
