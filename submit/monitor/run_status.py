"""Status of a run, read from its files: event log, outcomes and streamed output. The queue is never queried."""

import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from alignsec import bounded
from alignsec.run import event_log, status
from alignsec.run.event_log import EventLog, LastJob
from alignsec.run.folder import RunFolder
from alignsec.run.node_history import NodeHistory
from alignsec.run.plan import Plan
from alignsec.run.progress import Progress
from alignsec.spec.pair import Pair
from submit.condor.dag import FINAL_NODE
from submit.monitor import final_node
from submit.monitor.dagman_output import DagmanOutput, Problem
from submit.outcome_states import OutcomeStates

STATES = ("ok", "failed", "running", "held", "idle", "removed", "waiting")
"""ok and failed come from outcome files; waiting means not yet in the queue; the others come from HTCondor's event
log. A job that ended without an outcome counts as failed."""
TAIL_BYTES = 4096
SECONDS_UNTIL_STUCK = 60
"""DAGMan submits the next job within seconds after the end of one."""


@dataclass(frozen=True)
class PairSnapshot:
    """One pair at the time of the snapshot."""

    id: str
    state: str
    """One of STATES."""
    since: int = 0
    """When the state began, in seconds since 1970, UTC; 0 if unknown."""
    host: str = ""
    """Where the job runs; empty if it does not."""
    job: str = ""
    """HTCondor's id of the job."""
    images_done: int = 0
    images: int = 0
    """Images times budgets."""
    seconds_left: int | None = None
    """Upper bound that the job last printed; None if it printed none."""
    tries: int = 0
    """Jobs of the pair so far."""
    evictions: int = 0
    reason: str = ""
    """Why the pair failed or its job is held or was removed."""


@dataclass(frozen=True)
class RunStatus:
    """A run at the time of the snapshot."""

    name: str
    dag: str
    """One of "not submitted", "running as job N" and "ended"."""
    now: int
    """Time of the snapshot, in seconds since 1970, UTC."""
    started: int
    """Time of the first event, in seconds since 1970, UTC; 0 before it."""
    pairs: list[PairSnapshot]
    counts: dict[str, int] = field(default_factory=dict)
    """Number of pairs in each of STATES."""
    pairs_per_hour: float = 0.0
    seconds_left: int | None = None
    """Estimate from the rate so far; None before the first pair has ended, and when no pair is left."""
    final: str = ""
    """State of the FINAL node, which runs the analysis; empty before it starts."""
    report: bool = False
    """Whether the report exists and is of this submission, not of an earlier one."""
    stuck: bool = False
    """Whether DAGMan waits for a job that has ended: it missed the end, because its event log is damaged."""
    notes: tuple[str, ...] = ()
    """What the user should know or do, one sentence each."""

    def as_dict(self) -> dict[str, Any]:
        """Return the status as plain dictionaries, lists, numbers and strings."""
        return asdict(self)

    @property
    def ended(self) -> bool:
        """True if the DAG has ended."""
        return self.dag == "ended"


class RunMonitor:
    """Reads a run's files repeatedly, each time only what is new.

    Args:
        folder: The run folder.

    Raises:
        ConfigErrors: The folder is not a run folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self.plan = Plan.read(folder)
        self._events = EventLog(folder.events, folder.event_histories)
        self._outcomes = OutcomeStates(folder, self.plan.code_sha256)
        self._dagman = DagmanOutput(folder.dagman_output, folder.node_status)
        self._problems: dict[str, Problem] = {}
        self._dagman_job: LastJob | None = None

    def read(self) -> RunStatus:
        """Return the present status.

        Raises:
            OSError: A file cannot be read.
        """
        # DAGMan's end before the events: once it has ended, no event of a job follows.
        self._dagman_job = event_log.find_last_job(self._folder.dagman_log)
        self._events.update()
        self._outcomes.update()
        self._problems = self._dagman.update()
        now = int(time.time())
        dag = self._dag(self._dagman_job, now)
        pairs = [self._pair(pair) for pair in self.plan]
        self._events.save()
        self._outcomes.save()
        counts = Counter(pair.state for pair in pairs)
        started = self._events.first
        left = len(pairs) - counts["ok"] - counts["failed"] - counts["removed"]
        # Pairs that had results before this submission have no tries, and do not count for the rate.
        ended = sum(1 for pair in pairs if pair.state in ("ok", "failed") and pair.tries)
        rate = ended / max(1, (self._events.last or now) - started) if started else 0.0
        report = final_node.is_of_submission(self._folder.report, self._submitted)
        final = final_node.describe_final(
            self._events.nodes.get(FINAL_NODE),
            self._problems.get(FINAL_NODE),
            dag_ended=dag == "ended",
            report=report,
        )
        return RunStatus(
            name=self.plan.name,
            dag=dag,
            now=now,
            started=started,
            pairs=pairs,
            counts={state: counts[state] for state in STATES},
            pairs_per_hour=round(3600 * rate, 1),
            seconds_left=round(left / rate) if rate and left else None,
            final=final if self._dagman_job else "",
            report=report,
            stuck=self._is_stuck(dag, now),
            notes=self._notes(dag, report, now),
        )

    @property
    def _submitted(self) -> int:
        return self._dagman_job.submitted if self._dagman_job else 0

    def _dag(self, job: LastJob | None, now: int) -> str:
        if job is None:
            return "ended" if self._folder.dagman_log.exists() else "not submitted"
        final = self._events.nodes.get(FINAL_NODE)
        # The end of FINAL is the end of the DAG, even if DAGMan never notices it.
        if final is not None and final_node.is_over(final):
            noticed = now - final.since > final_node.SECONDS_AFTER_FINAL
            return "ended" if job.ended or noticed else f"running as job {job.cluster}"
        return "ended" if job.ended else f"running as job {job.cluster}"

    def _is_stuck(self, dag: str, now: int) -> bool:
        """Return whether DAGMan waits although each job in a damaged log has ended.

        After a damaged event, DAGMan skips the next one (HTCondor 23.9.6), which can be the end of a job.
        """
        histories = self._events.nodes.values()
        waits = dag.startswith("running") and bool(self._events.warning) and bool(histories)
        quiet = now - self._events.last > SECONDS_UNTIL_STUCK
        return waits and quiet and all(history.state in ("ended", "removed") for history in histories)

    def _notes(self, dag: str, report: bool, now: int) -> tuple[str, ...]:
        """Return what the user should know or do."""
        notes = [self._events.warning] if self._events.warning else []
        job = self._dagman_job
        if job is not None and self._is_stuck(dag, now):
            notes.append(
                f"DAGMan job {job.cluster} missed the end of a job, because its event log is damaged; "
                f"to continue, run: condor_rm {job.cluster}, and submit the study again; finished pairs are kept"
            )
        if dag == "ended" and job is not None and not job.ended:
            notes.append(
                f"DAGMan job {job.cluster} did not notice that the analysis has ended; to remove it, run: "
                f"condor_rm {job.cluster}"
            )
        if self._folder.report.exists() and not report:
            notes.append(f"{self._folder.report} is of an earlier submission")
        return tuple(notes)

    def _pair(self, pair: Pair) -> PairSnapshot:
        history = self._events.nodes.get(pair.id)
        images = self.plan.image_count * len(pair.attack.budgets)
        in_queue = history is not None and history.state in ("running", "idle", "held")
        state, reason = ("", "") if in_queue else self._outcomes.find(pair.id)
        if history is None and state == "failed":
            path = self._folder.outcome(pair.id)
            state = state if final_node.is_of_submission(path, self._submitted) else "waiting"
        problem = None if in_queue or state in ("ok", "failed") else self._problems.get(pair.id)
        if problem is not None:
            tries = history.jobs if history else 0
            refused = "failed" if problem.final else "waiting"
            return PairSnapshot(pair.id, refused, reason=problem.reason, images=images, tries=tries)
        if state in ("ok", "failed"):
            tries = history.jobs if history else 0
            reason = status.explain_death(reason, history)
            return PairSnapshot(pair.id, state, reason=reason, images_done=images, images=images, tries=tries)
        if history is None:
            return PairSnapshot(pair.id, "waiting", images=images)
        return self._without_outcome(pair, history, images)

    def _without_outcome(self, pair: Pair, history: NodeHistory, images: int) -> PairSnapshot:
        """Return the snapshot of a pair whose job is in the queue or left no outcome."""
        running = history.state == "running"
        progress = last_progress(self._folder.output(pair.id)) if running else None
        state = "failed" if history.state == "ended" else history.state
        return PairSnapshot(
            id=pair.id,
            state=state,
            since=history.since,
            host=history.host if running else "",
            job=history.job,
            images_done=progress.done if progress else 0,
            images=images,
            seconds_left=progress.seconds_left if progress else None,
            tries=history.jobs,
            evictions=history.evictions,
            reason=history.summary if state in ("held", "removed", "failed") else "",
        )


def last_progress(path: Path) -> Progress | None:
    """Return the last progress line near the end of a job's streamed output, or None if there is none."""
    try:
        data = bounded.read_regular(path, 0, tail=TAIL_BYTES)
    except (OSError, bounded.NotAFileError):
        return None
    lines = data.decode(errors="replace").splitlines()
    return next((found for line in reversed(lines) if (found := Progress.read(line))), None)
