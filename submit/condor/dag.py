"""The DAG: the text condor_submit_dag reads, from data. Nothing here touches a pool.

One node a pair, and a FINAL node that runs whatever became of them. Manual: "DAGMan workflows".
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from alignsec.run import exit_code
from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan
from submit.requests.requests import ResourceRequests
from submit.site import Site

RUN = RunFolder(Path())
"""The paths relative to the run folder, where DAGMan runs."""
FINAL_NODE = "aggregate"
NODES_A_SECOND = 500
"""DAGMan rewrites the whole status file: for 500 nodes every second is light, for 100,000 it is not."""


def lines(plan: Plan, site: Site, asks: Mapping[str, ResourceRequests], done: Collection[str]) -> Iterator[str]:
    """The DAG file's lines.

    asks: what each pair's job asks for, by the pair's id. done: ids of pairs that have their record; their nodes
    are marked DONE and not run.
    """
    yield f"CONFIG {RUN.dagman_config}"
    yield f"NODE_STATUS_FILE {RUN.node_status} {max(2, len(plan.planned) // NODES_A_SECOND)}"
    yield f"JOBSTATE_LOG {RUN.jobstate_log}"
    priorities = _priorities(plan, asks)
    for planned in plan.planned:
        node = planned.pair.id
        yield f"JOB {node} {RUN.pair_description}{' DONE' if node in done else ''}"
        yield f"VARS {node} " + " ".join(f'{name}="{value}"' for name, value in asks[node].macros.items())
        yield f"PRIORITY {node} {priorities[node]}"
        yield f"RETRY {node} {site.retries} UNLESS-EXIT {exit_code.HOPELESS}"
        yield f"CATEGORY {node} pairs"
    yield f"MAXJOBS pairs {site.max_jobs}"
    # The FINAL node's exit code is the DAG's: the analysis exits non-zero when a pair is not ok.
    yield f"FINAL {FINAL_NODE} {RUN.final_description}"
    yield f"SCRIPT PRE {FINAL_NODE} {RUN.pre_script}"


def config() -> Iterator[str]:
    """DAGMan's own settings for this DAG."""
    yield "# A job that is held is handled by its own policy; DAGMan is not to give up before that."
    yield "DAGMAN_MAX_JOB_HOLDS = 0"
    yield "# A rescue DAG for each of many failures."
    yield "DAGMAN_MAX_RESCUE_NUM = 100"


def pre_script() -> str:
    """Gathers what the FINAL node takes: outcomes as one archive, so that 100,000 of them are one transfer."""
    archive, events = RUN.outcomes_archive, RUN.events_copy
    return f"""#!/bin/sh
# Runs on the access point, in the run folder, before the FINAL node: packs, computes nothing.
set -e
PATH=${{PATH:-/usr/local/bin:/usr/bin:/bin}}
export PATH
tar -cf .{archive} --exclude='./.*' -C {RUN.outcomes} . && mv .{archive} {archive}
# There is no log where every pair had its record already.
touch {RUN.events}
cp {RUN.events} .{events} && mv .{events} {events}
"""


def _priorities(plan: Plan, asks: Mapping[str, ResourceRequests]) -> dict[str, int]:
    """A node's rank by expected time, the shortest 0: the longest jobs should not be the last to start."""
    ranked = sorted(plan, key=lambda pair: (asks[pair.id].seconds, pair.id))
    return {pair.id: rank for rank, pair in enumerate(ranked)}
