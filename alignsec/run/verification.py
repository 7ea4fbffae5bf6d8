"""The result of `make verify`: what was confirmed, refuted, and could not be confirmed. Stored as verify.json."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from alignsec import bounded, limits
from alignsec.schema import Sha256, StrictModel
from alignsec.spec.verdicts import Count


class Finding(StrictModel):
    """A claim that does not hold, or that could not be checked."""

    subject: str
    """The pair, or the file."""
    reason: str
    """One sentence."""


class Verification(StrictModel):
    """The result of one verification of a run, or of a folder of examples."""

    schema_version: Literal[1] = 1
    finished: str
    """UTC, ISO 8601."""
    device: str
    versions: dict[str, str]
    """Versions of the libraries that computed the logits."""
    outcomes: dict[str, Sha256] = {}
    """SHA-256 of each outcome file, by the id of its pair."""
    clean_verdicts: Count = 0
    """Clean verdicts that were confirmed, counted over pairs and images."""
    examples: Count = 0
    """Adversarial examples that were confirmed."""
    inputs: Count = 0
    """Different images, clean and adversarial, that were classified."""
    passes: Count = 0
    """Forward passes, counted in images."""
    most_passes: Count = 0
    """Largest number of forward passes of one image."""
    refuted: list[Finding] = []
    unconfirmed: list[Finding] = []
    claims: list[dict[str, str | int]] = Field(default=[])
    """One entry for each file of a folder of examples; empty for a run."""

    @property
    def is_confirmed(self) -> bool:
        """True if every claim holds and could be checked."""
        return not self.refuted and not self.unconfirmed

    def is_current(self, outcomes: Mapping[str, str]) -> bool:
        """Return whether these are the outcomes that were verified.

        Args:
            outcomes: SHA-256 of each outcome file, by the id of its pair.
        """
        return dict(outcomes) == self.outcomes


def read_verification(path: Path) -> Verification | None:
    """Return the result in a file; None if there is none that can be read."""
    try:
        return Verification.model_validate_json(bounded.read_regular(path, limits.CACHE_BYTES))
    except (OSError, ValidationError, bounded.NotAFileError, bounded.TooLargeError):
        return None
