"""The FINAL node of a run, which analyses the outcomes: its state in words, and whether the run has ended."""

from pathlib import Path

from alignsec.run.node_history import NodeHistory
from submit.monitor.dagman_output import Problem

SECONDS_AFTER_FINAL = 15
"""DAGMan's time to notice the end of the FINAL node. If it restarted while FINAL was queued, held or running, it
may never notice (HTCondor 23.9.6 and 25.14.1)."""
_MTIME_SLACK = 2
"""Seconds by which a file may seem older than it is: times of a shared file system are rounded."""


def is_over(history: NodeHistory | None) -> bool:
    """Return whether FINAL's job has left the queue; FINAL is never retried."""
    return history is not None and history.state in ("ended", "removed")


def describe_final(history: NodeHistory | None, problem: Problem | None, *, dag_ended: bool, report: bool) -> str:
    """Return the state of the FINAL node in a few words; empty before it starts.

    Args:
        history: The events of FINAL's job.
        problem: Why DAGMan could not submit it.
        dag_ended: Whether the DAG has ended.
        report: Whether this submission has a report.
    """
    if history is None:
        if problem:
            return problem.reason
        return "DAGMan ended before it submitted the analysis; see study.dag.dagman.out" if dag_ended else ""
    if history.state != "ended":
        return history.summary
    code = history.exit_code or 0
    if code < 0:
        return f"its job was killed by signal {-code}"
    if not report:
        return f"its job ended with exit code {code} but left no report"
    return "done" if code == 0 else f"done, with exit code {code}: not every pair is ok, or part of it failed"


def is_of_submission(path: Path, submitted: int) -> bool:
    """Return whether a file was written after a submission.

    Args:
        path: The file, which may not exist.
        submitted: Time of the submission, in seconds since 1970, UTC; 0 if there was none.
    """
    try:
        return path.lstat().st_mtime >= submitted - _MTIME_SLACK
    except OSError:
        return False
