"""The DAG: the text condor_submit_dag reads, from data. Nothing here touches a pool.

One node a pair, and a FINAL node that runs whatever became of them. Manual: "DAGMan workflows".
"""

from collections.abc import Collection, Iterator

from alignsec import exit_code
from alignsec.attack import Attack
from alignsec.pair import Pair
from alignsec.run_folder import Plan
from submit import description
from submit.site import Site

DAG = "study.dag"
STATUS, JOBSTATE, NODES_LOG = "study.status", "study.jobstate", f"{DAG}.nodes.log"
CONFIG = "dagman.config"
FINAL = "aggregate"
PRE = "final-pre.sh"
NODES_A_SECOND = 500
"""DAGMan rewrites the whole status file: for 500 nodes every second is light, for 100,000 it is not."""


def lines(plan: Plan, site: Site, sizes: dict[str, int], done: Collection[str]) -> Iterator[str]:
    """The DAG file's lines.

    sizes: bytes of each weights file, by its name. done: ids of pairs that have their record; their nodes are
    marked DONE and not run.
    """
    yield f"CONFIG {CONFIG}"
    yield f"NODE_STATUS_FILE {STATUS} {max(2, len(plan.planned) // NODES_A_SECOND)}"
    yield f"JOBSTATE_LOG {JOBSTATE}"
    priorities = _priorities(plan, sizes)
    for planned in plan.planned:
        node = planned.pair.id
        yield f"JOB {node} {description.PAIR}{' DONE' if node in done else ''}"
        files = ", ".join(path for path in planned.inputs if not path.startswith("images/"))
        yield f'VARS {node} files="{files}"'
        yield f"PRIORITY {node} {priorities[node]}"
        yield f"RETRY {node} {site.retries} UNLESS-EXIT {exit_code.HOPELESS}"
        yield f"CATEGORY {node} pairs"
    yield f"MAXJOBS pairs {site.max_jobs}"
    # The FINAL node's exit code is the DAG's: the analysis exits non-zero when a pair is not ok.
    yield f"FINAL {FINAL} {description.FINAL}"
    yield f"SCRIPT PRE {FINAL} {PRE}"


def config() -> Iterator[str]:
    """DAGMan's own settings for this DAG."""
    yield "# A job that is held is handled by its own policy; DAGMan is not to give up before that."
    yield "DAGMAN_MAX_JOB_HOLDS = 0"
    yield "# A rescue DAG for each of many failures."
    yield "DAGMAN_MAX_RESCUE_NUM = 100"


def pre_script() -> str:
    """Gathers what the FINAL node takes: outcomes as one archive, so that 100,000 of them are one transfer."""
    return f"""#!/bin/sh
# Runs on the access point, in the run folder, before the FINAL node: packs, computes nothing.
set -e
PATH=${{PATH:-/usr/local/bin:/usr/bin:/bin}}
export PATH
tar -cf .{description.OUTCOMES} --exclude='./.*' -C outcomes . && mv .{description.OUTCOMES} {description.OUTCOMES}
# There is no log where every pair had its record already.
touch {NODES_LOG}
cp {NODES_LOG} .{description.EVENTS} && mv .{description.EVENTS} {description.EVENTS}
"""


def _priorities(plan: Plan, sizes: dict[str, int]) -> dict[str, int]:
    """A node's rank by estimated cost, the cheapest 0: the longest jobs should not be the last to start."""
    ranked = sorted(plan, key=lambda pair: (estimated_cost(pair, _bytes(pair, sizes)), pair.id))
    return {pair.id: rank for rank, pair in enumerate(ranked)}


def _bytes(pair: Pair, sizes: dict[str, int]) -> int:
    return sizes[pair.model.weights.name] if pair.model.weights else 0


def estimated_cost(pair: Pair, weights_bytes: int) -> float:
    """Relative cost of a pair, in no unit: parameters x pixels x passes of an image that stays robust."""
    _, height, width = pair.model.preprocessing.input_size
    return weights_bytes / 4 * height * width * (1 + _passes(pair.attack))


def _passes(attack: Attack) -> float:
    """Forward passes, a backward one counted as two, over all budgets and components."""
    each = {
        "apgd-ce": 3 * attack.steps * attack.number("restarts", "apgd-ce"),
        "apgd-t": 3 * attack.steps * attack.number("restarts", "apgd-t") * attack.number("targets", "apgd-t"),
        "fab-t": 4 * attack.steps * attack.number("targets", "fab-t"),
        "square": attack.queries,
    }
    return len(attack.budgets) * sum(each[component] for component in attack.components)
