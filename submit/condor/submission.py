"""Submission of a run: write its DAG, put the files of the previous submission aside, and start DAGMan."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from subprocess import CompletedProcess

from alignsec import atomic
from alignsec.errors import ConfigErrors
from alignsec.run import event_log, status
from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan
from submit.condor import dag, description
from submit.requests.requests import ResourceRequests
from submit.site import Site

CondorCommand = Callable[..., "CompletedProcess[str]"]
"""Runs a command of HTCondor, as `Pool.run` does."""


def find_running_dag(folder: RunFolder, run: CondorCommand | None) -> int | None:
    """Return the cluster of the DAGMan job that is still working in a run folder, or None.

    DAGMan's event log shows whether it has ended. If the log shows no end, its pool may no longer exist. In that
    case the queue is queried once; without an answer from a queue, the log counts.

    Args:
        folder: The run folder.
        run: Runs a command of HTCondor; None without a pool.
    """
    log = folder.dagman_log
    cluster = event_log.find_running_cluster(log)
    if cluster is None or run is None:
        return cluster
    query = run(["condor_q", "-allusers", str(cluster), "-af", "ClusterId", "Iwd"], check=False)
    ended = query.returncode == 0 and f"{cluster} {folder.root}" not in query.stdout.splitlines()
    return None if ended else cluster


def find_finished_pairs(folder: RunFolder, plan: Plan) -> frozenset[str]:
    """Return the ids of the pairs that already have results."""
    return frozenset(
        pair.id for pair in plan if status.read_pair_status(pair, folder.outcome(pair.id)).state == "ok"
    )


def write_dag(
    folder: RunFolder,
    plan: Plan,
    site: Site,
    requested: Mapping[str, ResourceRequests],
    finished: Collection[str],
) -> Path:
    """Write the DAG and all files that it names.

    Files of the previous submission (DAG, event logs, rescue DAGs) are moved to submissions/N.

    Args:
        folder: The run folder.
        plan: The run's plan.
        site: The site's settings.
        requested: The resource requests of each pair's job, by pair id.
        finished: Ids of pairs that already have results; their nodes are marked DONE.

    Returns:
        The DAG file.

    Raises:
        OSError: A file cannot be written.
    """
    _put_previous_aside(folder)
    texts = {
        folder.pair_description: _text(description.pair_description(plan, site)),
        folder.final_description: _text(description.final_description(plan, site)),
        folder.job_script: description.job_script(),
        folder.pre_script: dag.final_pre_script(),
        folder.dagman_config: _text(dag.dagman_config()),
        folder.dag: _text(dag.dag_lines(plan, site, requested, finished)),
    }
    for path, text in texts.items():
        atomic.write_atomic(path, text.encode())
    for script in (folder.job_script, folder.pre_script):
        script.chmod(0o755)
    return folder.dag


def submit_dag(folder: RunFolder, run: CondorCommand) -> int:
    """Submit a run's DAG with condor_submit_dag.

    Returns:
        The cluster of the DAGMan job.

    Raises:
        ConfigErrors: condor_submit_dag failed; the message quotes its output.
    """
    submitted = run(["condor_submit_dag", folder.dag.name], cwd=folder.root, check=False)
    found = re.search(r"submitted to cluster (\d+)", submitted.stdout)
    if submitted.returncode or not found:
        output = " ".join((submitted.stderr or submitted.stdout).split())
        raise ConfigErrors.about(folder.dag, f"condor_submit_dag failed: {output}")
    return int(found[1])


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _put_previous_aside(folder: RunFolder) -> None:
    previous = [path for path in folder.root.glob("study.*") if path != folder.study]
    if not previous:
        return
    folder.submissions.mkdir(exist_ok=True)
    numbers = (int(path.name) for path in folder.submissions.iterdir())
    target = folder.submissions / str(1 + max(numbers, default=0))
    target.mkdir()
    for path in previous:
        path.replace(target / path.name)
