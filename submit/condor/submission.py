"""Submission: a run folder's DAG written down, the one before it put aside, and handed to DAGMan."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

from alignsec import atomic
from alignsec.errors import ConfigErrors
from alignsec.run import event_log, status
from alignsec.run.folder import Plan, RunFolder
from submit.condor import dag, description
from submit.requests.requests import ResourceRequests
from submit.site import Site

DAGMAN_LOG = f"{dag.DAG}.dagman.log"
PAST = "submissions"

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
    log = folder.root / DAGMAN_LOG
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
        description.PAIR: _text(description.pair(plan, site)),
        description.FINAL: _text(description.final(plan, site)),
        description.JOB: description.job_script(),
        dag.PRE: dag.pre_script(),
        dag.CONFIG: _text(dag.config()),
        dag.DAG: _text(dag.lines(plan, site, asks, done)),
    }
    for name, text in texts.items():
        atomic.write(folder.root / name, text.encode())
    for script in (description.JOB, dag.PRE):
        (folder.root / script).chmod(0o755)
    return folder.root / dag.DAG


def submit(folder: RunFolder, run: Run) -> Submitted:
    """`condor_submit_dag study.dag`, as a person would type it. Raises Mistakes with what HTCondor said."""
    ran = run(["condor_submit_dag", dag.DAG], cwd=folder.root, check=False)
    found = re.search(r"submitted to cluster (\d+)", ran.stdout)
    if ran.returncode or not found:
        said = " ".join((ran.stderr or ran.stdout).split())
        remedy = f"was not taken by condor_submit_dag: {said}"
        raise ConfigErrors.about(folder.root / dag.DAG, remedy)
    return Submitted(int(found[1]))


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _put_aside(folder: RunFolder) -> None:
    left = [path for path in folder.root.glob("study.*") if path != folder.study]
    if not left:
        return
    past = folder.root / PAST
    past.mkdir(exist_ok=True)
    aside = past / str(1 + max((int(path.name) for path in past.iterdir()), default=0))
    aside.mkdir()
    for path in left:
        path.replace(aside / path.name)
