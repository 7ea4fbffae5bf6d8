"""Submission of a run: write its DAG, put the files of the previous submission aside, and start DAGMan."""

import os
import re
import shlex
import socket
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from subprocess import CompletedProcess

from alignsec import atomic
from alignsec.errors import ConfigErrors
from alignsec.run import event_log
from alignsec.run.event_log import EventLog
from alignsec.run.folder import FINAL, RunFolder
from alignsec.run.plan import Plan
from submit.condor import dag, description, retry
from submit.outcome_states import OutcomeStates
from submit.requests.requests import ResourceRequests
from submit.site import Site

CondorCommand = Callable[..., "CompletedProcess[str]"]
"""Runs a command of HTCondor, as `Pool.run` does."""
_LOCK_BYTES = 65536
REMOVAL_WAITS = (10, 5, 10)
"""Seconds to wait for DAGMan to leave the queue: by itself, and after each condor_rm."""


def find_running_dag(folder: RunFolder, run: CondorCommand | None) -> int | None:
    """Return the cluster of the DAGMan job that is still working in a run folder, or None.

    DAGMan's event log shows whether it has ended. If the log shows no end, its pool may no longer exist. In that
    case the queue is queried once, and DAGMan's lock file is read: the job may be in the queue of another pool or
    access point that shares this folder. Without an answer from a queue, the log counts.

    Args:
        folder: The run folder.
        run: Runs a command of HTCondor; None without a pool.
    """
    cluster = event_log.find_running_cluster(folder.dagman_log)
    if cluster is None:
        return None
    if has_final_ended(folder):
        _remove_lingering(cluster, folder, run)
        return None
    if run is None:
        return cluster
    if _is_in_queue(cluster, folder, run) or _is_lock_held(folder):
        return cluster
    return None


def _is_in_queue(cluster: int, folder: RunFolder, run: CondorCommand) -> bool:
    """Return whether a queue holds the DAGMan job; True without an answer from a queue.

    The job is found by its event log: after `condor_submit_dag -usedagdir`, its folder is another one.
    """
    words = ["condor_q", "-allusers", str(cluster), "-af", "ClusterId", "Iwd", "UserLog"]
    query = run(words, check=False)
    if query.returncode:
        return True
    return any(_is_dagman_of(folder, cluster, line) for line in query.stdout.splitlines())


def _is_dagman_of(folder: RunFolder, cluster: int, line: str) -> bool:
    """Return whether a line of condor_q, "CLUSTER IWD USERLOG", is of a run's DAGMan. Paths may have spaces."""
    number, _, places = line.partition(" ")
    if number != str(cluster):
        return False
    if f"{places} ".startswith(f"{folder.root} "):
        return True
    words, log = places.split(" "), folder.dagman_log.resolve()
    cuts = range(1, len(words))
    return any((Path(" ".join(words[:cut])) / " ".join(words[cut:])).resolve() == log for cut in cuts)


def _is_lock_held(folder: RunFolder) -> bool:
    """Return whether DAGMan's lock file may belong to a DAGMan that works: one of another pool or access point.

    DAGMan removes the file when it ends. If its pool was deleted on this machine, its process no longer exists.
    """
    try:
        lock = folder.dagman_lock.read_bytes()[:_LOCK_BYTES]
        log = folder.dagman_log.read_bytes()[:_LOCK_BYTES]
    except OSError:
        return folder.dagman_lock.exists()
    hosts = {name.decode() for name in re.findall(rb"[?&]alias=([\w.-]+)", log)}
    if hosts.isdisjoint({socket.gethostname(), socket.getfqdn()}):
        return True
    numbers = [int(number) for number in re.findall(rb"\b[1-9]\d{0,9}\b", lock)[:2]]
    return any(b"condor_dagman" in _read_command(number) for number in numbers)


def _read_command(number: int) -> bytes:
    """Return the command line of a process; empty if it does not exist."""
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return b""


def has_final_ended(folder: RunFolder) -> bool:
    """Return whether the FINAL node's job has left the queue, which is the end of the DAG.

    DAGMan does not end if it restarted while FINAL was queued, held or running (HTCondor 23.9.6 and 25.14.1).
    """
    history = EventLog(folder.events).nodes.get(dag.FINAL_NODE)
    return history is not None and history.state in ("ended", "removed")


def _remove_lingering(cluster: int, folder: RunFolder, run: CondorCommand | None) -> None:
    """Remove a DAGMan job that did not notice the end of FINAL; it would go on writing its status file.

    Raises:
        ConfigErrors: It stays in the queue.
    """
    if run is None:
        return
    for number, seconds in enumerate(REMOVAL_WAITS):
        if not _is_in_queue(cluster, folder, run):
            return
        # First, DAGMan has time to end by itself.
        if number:
            run(["condor_rm", str(cluster)], check=False)
        time.sleep(seconds)
    if _is_in_queue(cluster, folder, run):
        remedy = f"DAGMan job {cluster} has done its work but does not end; to remove it, run: condor_rm {cluster}"
        raise ConfigErrors.about(folder.root, remedy)


def find_finished_pairs(folder: RunFolder, plan: Plan) -> frozenset[str]:
    """Return the ids of the pairs that already have results."""
    states = OutcomeStates(folder, plan.code_sha256)
    finished = frozenset(pair.id for pair in plan if states.find(pair.id)[0] == "ok")
    states.save()
    return finished


def write_dag(
    folder: RunFolder,
    plan: Plan,
    site: Site,
    requested: Mapping[str, ResourceRequests],
    finished: Collection[str],
    only: str | None = None,
) -> Path:
    """Write the DAG and all files that it names.

    Files of the previous submission (DAG, event logs, rescue DAGs) are moved to submissions/N.

    Args:
        folder: The run folder.
        plan: The run's plan.
        site: The site's settings.
        requested: The resource requests of each pair's job, by pair id.
        finished: Ids of pairs that already have results; their nodes are marked DONE.
        only: Id of the one pair to run, without the analysis; by default, all pairs.

    Returns:
        The DAG file.

    Raises:
        OSError: A file cannot be written.
    """
    _put_previous_aside(folder)
    texts = {
        folder.pair_description: _text(description.pair_description(plan, site)),
        folder.final_description: _text(description.final_description(plan, site)),
        folder.job_script: description.job_script(plan.code_sha256),
        folder.pre_script: dag.final_pre_script(),
        folder.retry_script: retry.retry_script(),
        folder.dagman_config: _text(dag.dagman_config()),
        folder.dag: _text(dag.dag_lines(plan, site, requested, finished, only)),
    }
    for path, text in texts.items():
        atomic.write_atomic(path, text.encode())
    for script in (folder.job_script, folder.pre_script):
        script.chmod(0o755)
    return folder.dag


def submit_dag(folder: RunFolder, run: CondorCommand, notification: str = "") -> int:
    """Submit a run's DAG with condor_submit_dag.

    Args:
        folder: The run folder.
        run: Runs a command of HTCondor.
        notification: When HTCondor sends an e-mail about the DAG: complete, error, always or never; empty: the
            pool's default.

    Returns:
        The cluster of the DAGMan job.

    Raises:
        ConfigErrors: condor_submit_dag failed; the message quotes its output.
    """
    options = ["-notification", notification] if notification else []
    submitted = run(["condor_submit_dag", *options, folder.dag.name], cwd=folder.root, check=False)
    found = re.search(r"submitted to cluster (\d+)", submitted.stdout)
    if submitted.returncode or not found:
        output = " ".join((submitted.stderr or submitted.stdout).split())
        raise ConfigErrors.about(folder.dag, f"condor_submit_dag failed: {output}")
    return int(found[1])


def submit_command(folder: RunFolder) -> str:
    """Return the shell command that submits a run that was written but not submitted."""
    return f"cd {shlex.quote(str(folder.root))} && condor_submit_dag {folder.dag.name}"


def put_results_aside(folder: RunFolder, plan: Plan, finished: Collection[str]) -> None:
    """Move the report and the failures of the previous submission to submissions/N.

    So none of them passes for one of the new submission. Outcomes of finished pairs stay.
    """
    unfinished = [pair.id for pair in plan if pair.id not in finished]
    files = (folder.outcome, folder.examples, folder.output, folder.error_output)
    results = [make(pair_id) for pair_id in unfinished for make in files]
    final = [folder.analysis, folder.output(FINAL), folder.error_output(FINAL)]
    previous = [path for path in (*final, *results) if os.path.lexists(path)]
    if not previous:
        return
    target = _last_submission(folder)
    if target is None or any(os.path.lexists(target / path.relative_to(folder.root)) for path in previous):
        target = _new_submission(folder)
    for path in previous:
        moved = target / path.relative_to(folder.root)
        moved.parent.mkdir(parents=True, exist_ok=True)
        path.replace(moved)


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _put_previous_aside(folder: RunFolder) -> None:
    previous = [path for path in folder.root.glob("study.*") if path != folder.study]
    if not previous:
        return
    target = _new_submission(folder)
    for path in previous:
        path.replace(target / path.name)


def _last_submission(folder: RunFolder) -> Path | None:
    """Return the folder submissions/N with the largest N, or None."""
    paths = folder.submissions.iterdir() if folder.submissions.exists() else iter(())
    numbered = [path for path in paths if path.name.isdecimal()]
    return max(numbered, key=lambda path: int(path.name), default=None)


def _new_submission(folder: RunFolder) -> Path:
    """Make the next folder submissions/N."""
    last = _last_submission(folder)
    target = folder.submissions / str(1 + (int(last.name) if last else 0))
    target.mkdir(parents=True)
    return target
