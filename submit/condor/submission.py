"""Submission: a run folder's DAG written down, the one before it put aside, and handed to DAGMan."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
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

Run = Callable[..., "CompletedProcess[str]"]
"""Runs a command of HTCondor: Pool.run."""


@dataclass(frozen=True)
class Submitted:
    """A DAG in the queue."""

    cluster: int
    """DAGMan's own job."""


def live(folder: RunFolder, run: Run | None) -> int | None:
    """The cluster of the DAGMan job that still runs this folder, or None.

    DAGMan's own event log says whether it ended. A log that does not may be of a pool that is gone, so the queue
    is asked, once; where there is no queue to ask, the log is believed.
    """
    log = folder.dagman_log
    cluster = event_log.unfinished_cluster(log)
    if cluster is None or run is None:
        return cluster
    asked = run(["condor_q", "-allusers", str(cluster), "-af", "ClusterId", "Iwd"], check=False)
    gone = asked.returncode == 0 and f"{cluster} {folder.root}" not in asked.stdout.splitlines()
    return None if gone else cluster


def done(folder: RunFolder, plan: Plan) -> frozenset[str]:
    """The ids of the pairs that have their record."""
    return frozenset(pair.id for pair in plan if status.pair_status(pair, folder.outcome(pair.id)).state == "ok")


def write(
    folder: RunFolder, plan: Plan, site: Site, asks: Mapping[str, ResourceRequests], done: Collection[str]
) -> Path:
    """Write the DAG and everything it names; pairs that are done are marked DONE. Returns the DAG file.

    What an earlier submission left (its DAG, event logs, rescue files) is moved to submissions/N, not removed.
    Raises OSError.
    """
    _put_aside(folder)
    texts = {
        folder.pair_description: _text(description.pair(plan, site)),
        folder.final_description: _text(description.final(plan, site)),
        folder.job_script: description.job_script(),
        folder.pre_script: dag.pre_script(),
        folder.dagman_config: _text(dag.config()),
        folder.dag: _text(dag.lines(plan, site, asks, done)),
    }
    for path, text in texts.items():
        atomic.write(path, text.encode())
    for script in (folder.job_script, folder.pre_script):
        script.chmod(0o755)
    return folder.dag


def submit(folder: RunFolder, run: Run) -> Submitted:
    """`condor_submit_dag study.dag`, as a person would type it. Raises Mistakes with what HTCondor said."""
    ran = run(["condor_submit_dag", folder.dag.name], cwd=folder.root, check=False)
    found = re.search(r"submitted to cluster (\d+)", ran.stdout)
    if ran.returncode or not found:
        said = " ".join((ran.stderr or ran.stdout).split())
        remedy = f"was not taken by condor_submit_dag: {said}"
        raise ConfigErrors.about(folder.dag, remedy)
    return Submitted(int(found[1]))


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _put_aside(folder: RunFolder) -> None:
    left = [path for path in folder.root.glob("study.*") if path != folder.study]
    if not left:
        return
    folder.submissions.mkdir(exist_ok=True)
    aside = folder.submissions / str(1 + max((int(path.name) for path in folder.submissions.iterdir()), default=0))
    aside.mkdir()
    for path in left:
        path.replace(aside / path.name)
