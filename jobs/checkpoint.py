"""Checkpoints: what HTCondor keeps of a job that is evicted, so that it is not started from nothing."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from alignsec import atomic
from alignsec.evaluation import Evaluation
from jobs.provenance import Clock


class Stopped(Exception):
    """The checkpoint is written; the job is to exit with alignsec.exit_code.CHECKPOINT."""


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    seconds: float
    evaluation: Evaluation


@dataclass
class Checkpoint:
    """The checkpoint file of one job."""

    path: Path
    clock: Clock
    every: float | None
    """Seconds after which the job stops with a checkpoint; None runs to the end."""
    seconds_before: float = 0.0
    """Spent before this start, in runs that ended in a checkpoint."""
    steps_before: int = 0
    """Done before this start."""

    def read(self, pair_id: str) -> Evaluation | None:
        """What an earlier start had found; None where there is none, or it is another pair's or unreadable."""
        try:
            content = _Content.model_validate_json(self.path.read_bytes())
        except (OSError, ValidationError):
            return None
        if content.id != pair_id:
            return None
        self.seconds_before, self.steps_before = content.seconds, content.evaluation.steps_done
        return content.evaluation

    def offer(self, pair_id: str, evaluation: Evaluation) -> None:
        """Stop here if it is time: write the file, aside and renamed, and raise Stopped.

        Never before this start has done a step: a job that loads for longer than `every` would start for ever.
        """
        none_done = evaluation.steps_done == self.steps_before
        if self.every is None or self.clock.seconds < self.every or none_done or evaluation.complete:
            return
        content = _Content(id=pair_id, seconds=self.seconds, evaluation=evaluation)
        atomic.write(self.path, content.model_dump_json().encode())
        raise Stopped

    @property
    def seconds(self) -> float:
        """Seconds in all starts so far."""
        return round(self.seconds_before + self.clock.seconds, 3)
