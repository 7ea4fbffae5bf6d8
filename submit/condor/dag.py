"""The DAG of a run, as the text that condor_submit_dag reads.

The DAG has one node for each pair, and a FINAL node that runs when all other nodes have ended, whether they
succeeded or not. Nothing in this module touches a pool.

Reference: HTCondor manual, "DAGMan Workflows".
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from alignsec.run import exit_code
from alignsec.run.folder import EXAMPLES_SUFFIX, RunFolder
from alignsec.run.pair_shard import shard_name
from alignsec.run.plan import Plan
from submit.requests.requests import ResourceRequests
from submit.site import Site

RUN = RunFolder(Path())
"""Paths relative to the run folder, in which DAGMan runs."""
FINAL_NODE = "aggregate"
NODES_PER_SECOND = 500
"""Nodes for each second between two updates of the status file, which DAGMan rewrites as a whole. Every second is
cheap for 500 nodes, but not for 100,000."""


def dag_lines(
    plan: Plan,
    site: Site,
    requested: Mapping[str, ResourceRequests],
    finished: Collection[str],
    only: str | None = None,
) -> Iterator[str]:
    """Yield the lines of the DAG file.

    Args:
        plan: The run's plan.
        site: The site's settings.
        requested: The resource requests of each pair's job, by pair id.
        finished: Ids of pairs that already have results. Their nodes are marked DONE and do not run.
        only: Id of the one pair to run, without the analysis; by default, all pairs.
    """
    yield f"CONFIG {RUN.dagman_config}"
    yield f"NODE_STATUS_FILE {RUN.node_status} {max(2, len(plan.planned) // NODES_PER_SECOND)}"
    yield f"JOBSTATE_LOG {RUN.jobstate_log}"
    priorities = _priorities(plan, requested)
    for index, planned in enumerate(plan.planned):
        node = planned.pair.id
        if only not in (None, node):
            continue
        yield f"JOB {node} {RUN.pair_description}{' DONE' if node in finished else ''}"
        node_vars = {"shard": shard_name(index), **requested[node].node_vars}
        yield f"VARS {node} " + " ".join(f'{name}="{value}"' for name, value in node_vars.items())
        yield f"PRIORITY {node} {priorities[node]}"
        yield f"RETRY {node} {site.retries} UNLESS-EXIT {exit_code.PERMANENT_FAILURE}"
        yield f"CATEGORY {node} pairs"
    yield f"MAXJOBS pairs {site.max_jobs}"
    if only is not None:
        return
    # The FINAL node's exit code is the DAG's: the analysis exits non-zero if a pair is not ok.
    yield f"FINAL {FINAL_NODE} {RUN.final_description}"
    yield f"SCRIPT PRE {FINAL_NODE} {RUN.pre_script}"


def dagman_config() -> Iterator[str]:
    """Yield the lines of DAGMan's configuration for this DAG."""
    yield "# Held jobs have their own policy, in the submit descriptions; DAGMan must not remove them earlier."
    yield "DAGMAN_MAX_JOB_HOLDS = 0"
    yield "# Each failure writes a rescue DAG."
    yield "DAGMAN_MAX_RESCUE_NUM = 100"


def final_pre_script() -> str:
    """Return the script that prepares the FINAL node's input.

    The script packs all outcomes and kept examples into one archive, so that 100,000 outcomes are one transfer.
    It removes the archive of an earlier submission first: if a later step fails, FINAL must not analyse old
    outcomes. Only readable regular files are packed; the analysis reports every other pair as missing.
    """
    archive, events, outcomes = RUN.outcomes_archive, RUN.events_copy, RUN.outcomes
    return f"""#!/bin/sh
# Runs on the access point, in the run folder, before the FINAL node. It packs files and computes nothing.
# One command per line: `set -e` ignores a failure before `&&`.
set -eu
PATH=${{PATH:-/usr/local/bin:/usr/bin:/bin}}
export PATH
rm -f {archive} .{archive} {events} .{events}
find {outcomes} -maxdepth 1 -type f -name '[!.]*.json' ! -readable -exec echo 'cannot be read: {{}}' ';' >&2
find {outcomes} -maxdepth 1 -type f -name '[!.]*.json' -readable -print0 > .outcomes.list
find {outcomes} -maxdepth 1 -type f -name '[!.]*{EXAMPLES_SUFFIX}' -size +0 -readable -print0 >> .outcomes.list
tar --null --no-recursion --ignore-failed-read -cf .{archive} -T .outcomes.list
rm -f .outcomes.list
mv .{archive} {archive}
# DAGMan writes no log if every pair already had its result.
touch {RUN.events}
cp {RUN.events} .{events}
mv .{events} {events}
"""


def _priorities(plan: Plan, requested: Mapping[str, ResourceRequests]) -> dict[str, int]:
    """Return each node's priority: its rank by expected time, so that the longest jobs start first."""
    ranked = sorted(plan, key=lambda pair: (requested[pair.id].seconds, pair.id))
    return {pair.id: rank for rank, pair in enumerate(ranked)}
