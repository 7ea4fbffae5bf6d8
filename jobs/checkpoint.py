"""Checkpoints: the saved state from which a job resumes after HTCondor has evicted it."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import not_
from pathlib import Path

from pydantic import Field, ValidationError

from alignsec import atomic, digest
from alignsec.evaluation.evaluation import Evaluation
from alignsec.schema import StrictModel
from jobs.provenance import Clock

YIELD_SECONDS = 5.0
"""Largest number of seconds between two evaluations of a job."""
_MAGIC = b"alignsec checkpoint 1 sha256 "


class CheckpointSaved(Exception):
    """The checkpoint is written; the job must exit with alignsec.run.exit_code.CHECKPOINT."""


class _Content(StrictModel):
    id: str
    seconds: float
    evaluation: Evaluation
    """The evaluation without its state, which is stored after the JSON text as bytes."""
    examples_bytes: int = Field(default=0, exclude_if=not_)
    """Number of bytes between the JSON text and the state: the kept adversarial examples."""


class _InvalidCheckpoint(Exception):
    """The file is not a checkpoint, is truncated or was changed."""


def _dump(content: _Content, examples: bytes) -> bytes:
    """Return a line with the SHA-256 of the rest, a line of JSON, the examples, and the engine's state."""
    text = content.model_dump_json(exclude={"evaluation": {"state"}}).encode()
    body = text + b"\n" + examples + (content.evaluation.state_bytes or b"")
    return _MAGIC + digest.sha256_of_bytes(body).encode() + b"\n" + body


def _parse(data: bytes) -> tuple[_Content, bytes]:
    """Return the content and the kept examples."""
    head, _, body = data.partition(b"\n")
    if head != _MAGIC + digest.sha256_of_bytes(body).encode():
        raise _InvalidCheckpoint
    text, _, rest = body.partition(b"\n")
    content = _Content.model_validate_json(text)
    examples, state = rest[: content.examples_bytes], rest[content.examples_bytes :]
    evaluation = content.evaluation.model_copy(update={"state": state or None})
    return content.model_copy(update={"evaluation": evaluation}), examples


@dataclass
class Checkpoint:
    """The checkpoint file of one job."""

    path: Path
    clock: Clock
    every: float | None
    """Seconds after which the job stops with a checkpoint; None to run to the end."""
    seconds_before: float = 0.0
    """Seconds of earlier runs of the job that ended with a checkpoint."""
    evaluations: int = 0
    """Number of evaluations seen in this run."""
    examples: bytes = b""
    """Kept adversarial examples of the checkpoint that `read` found."""

    def read(self, pair_id: str) -> Evaluation | None:
        """Return the evaluation in the checkpoint file.

        Args:
            pair_id: The id of the job's pair.

        Returns:
            The evaluation to resume from. None if the file is missing, invalid or of another pair.
        """
        try:
            content, examples = _parse(self.path.read_bytes())
        except (OSError, ValidationError, _InvalidCheckpoint):
            return None
        if content.id != pair_id:
            return None
        self.seconds_before, self.examples = content.seconds, examples
        return content.evaluation

    def save_if_due(
        self, pair_id: str, evaluation: Evaluation, save_examples: Callable[[], bytes] = lambda: b""
    ) -> None:
        """Write the file and stop the job if it has run for `every` seconds.

        The file is written under a temporary name and then renamed, so a crash leaves the earlier file unchanged.
        The first evaluation of a run is never saved, because it contains nothing new. Otherwise a job whose files
        take longer than `every` to load would restart endlessly.

        Args:
            pair_id: The id of the job's pair.
            evaluation: The evaluation.
            save_examples: Returns the adversarial examples kept so far.

        Raises:
            CheckpointSaved: If the file was written.
            OSError: If the file cannot be written.
        """
        self.evaluations += 1
        nothing_new = self.evaluations == 1 or evaluation.complete
        if self.every is None or self.clock.seconds < self.every or nothing_new:
            return
        examples = save_examples()
        content = _Content(id=pair_id, seconds=self.seconds, evaluation=evaluation, examples_bytes=len(examples))
        atomic.write_atomic(self.path, _dump(content, examples))
        raise CheckpointSaved

    @property
    def seconds_between_yields(self) -> float:
        """Seconds between two evaluations, short enough to stop in time and to report progress."""
        return YIELD_SECONDS if self.every is None else min(YIELD_SECONDS, self.every)

    @property
    def seconds(self) -> float:
        """Seconds in all runs of the job so far."""
        return round(self.seconds_before + self.clock.seconds, 3)
