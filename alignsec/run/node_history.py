"""The history of a DAG node."""

from dataclasses import dataclass
from typing import Literal

JobState = Literal["idle", "running", "held", "ended", "removed"]


@dataclass(frozen=True)
class Hold:
    """One hold of a job."""

    when: int
    """Seconds since 1970, UTC."""
    code: int
    """HoldReasonCode, as listed in HTCondor's manual."""
    reason: str


@dataclass(slots=True)
class NodeHistory:
    """The history of one DAG node: the state of its last job, and counts over all its jobs.

    It changes with each event of the node: a copy for each event would take half of the time of reading.
    """

    node: str
    job: str = ""
    """cluster.process of the last job."""
    state: JobState = "idle"
    since: int = 0
    """Time at which the state began, seconds since 1970, UTC."""
    host: str = ""
    """Slot on which the job runs or last ran."""
    jobs: int = 0
    """Number of submitted jobs: one, and one for each retry."""
    starts: int = 0
    evictions: int = 0
    removed: str = ""
    """Reason for the removal of the last job; empty if it was not removed."""
    exit_code: int | None = None
    """Exit code of the last job; a negative value is a signal number."""
    seconds: int = 0
    """Run time of the last job, from its last start to its end."""
    memory_mb: int = 0
    """Largest memory usage."""
    failed_hosts: tuple[str, ...] = ()
    """Slots on which a job of the node ended by a signal or with the exit code of a temporary failure."""
    holds: tuple[Hold, ...] = ()

    @property
    def summary(self) -> str:
        """The state in one sentence, which says why there is no outcome."""
        held = f"held ({self.holds[-1].reason})" if self.holds else ""
        match self.state:
            case "removed":
                return f"{held}, then removed ({self.removed})" if held else f"removed ({self.removed})"
            case "held":
                return held
            case "running":
                return f"running on {self.host}"
            case "idle":
                return "waiting for a machine"
        code = self.exit_code or 0
        ending = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        where = f" on {self.host}" if self.host else ""
        return f"its job {ending}{where} and left no outcome"
