"""Checkpoints: what HTCondor keeps of a job that is evicted, so that it is not started from nothing."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from alignsec import atomic, digest
from alignsec.evaluation.evaluation import Evaluation
from alignsec.schema import StrictModel
from jobs.provenance import Clock

OFFERS_EVERY_SECONDS = 5.0
_MAGIC = b"alignsec checkpoint 1 sha256 "


class CheckpointSaved(Exception):
    """The checkpoint is written; the job is to exit with alignsec.run.exit_code.CHECKPOINT."""


class _Content(StrictModel):
    id: str
    seconds: float
    evaluation: Evaluation
    """Without its state, which follows as it is."""


class _Unreadable(Exception):
    """No checkpoint of ours, or cut short, or changed."""


def _dump(content: _Content) -> bytes:
    """A line with the SHA-256 of all after it, a line of JSON, and the engine's state."""
    text = content.model_dump_json(exclude={"evaluation": {"state"}}).encode()
    body = text + b"\n" + (content.evaluation.state_bytes or b"")
    return _MAGIC + digest.sha256_of_bytes(body).encode() + b"\n" + body


def _parse(data: bytes) -> _Content:
    head, _, body = data.partition(b"\n")
    if head != _MAGIC + digest.sha256_of_bytes(body).encode():
        raise _Unreadable
    text, _, state = body.partition(b"\n")
    content = _Content.model_validate_json(text)
    evaluation = content.evaluation.model_copy(update={"state": state or None})
    return content.model_copy(update={"evaluation": evaluation})


@dataclass
class Checkpoint:
    """The checkpoint file of one job."""

    path: Path
    clock: Clock
    every: float | None
    """Seconds after which the job stops with a checkpoint; None runs to the end."""
    seconds_before: float = 0.0
    """Spent before this start, in runs that ended in a checkpoint."""
    offers: int = 0
    """Made in this start."""

    def read(self, pair_id: str) -> Evaluation | None:
        """What an earlier start had found; None, to begin anew, if it is absent, not whole or another pair's."""
        try:
            content = _parse(self.path.read_bytes())
        except (OSError, ValidationError, _Unreadable):
            return None
        if content.id != pair_id:
            return None
        self.seconds_before = content.seconds
        return content.evaluation

    def offer(self, pair_id: str, evaluation: Evaluation) -> None:
        """Stop here if it is time: write the file, aside and renamed, and raise Stopped.

        A crash meanwhile leaves the earlier checkpoint as it was.
        The first offer of a start, what it began with, is never taken: a job that loads for longer than `every`
        would start for ever.
        """
        self.offers += 1
        nothing_new = self.offers == 1 or evaluation.complete
        if self.every is None or self.clock.seconds < self.every or nothing_new:
            return
        content = _Content(id=pair_id, seconds=self.seconds, evaluation=evaluation)
        atomic.write(self.path, _dump(content))
        raise CheckpointSaved

    @property
    def offers_every(self) -> float:
        """Seconds between offers that are often enough to stop in time, and to tell progress."""
        return OFFERS_EVERY_SECONDS if self.every is None else min(OFFERS_EVERY_SECONDS, self.every)

    @property
    def seconds(self) -> float:
        """Seconds in all starts so far."""
        return round(self.seconds_before + self.clock.seconds, 3)
