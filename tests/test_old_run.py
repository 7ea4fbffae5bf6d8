"""Run folders of earlier versions: today's code reads the same statuses, counts and verdicts from them."""

import json
from collections import Counter
from dataclasses import asdict
from typing import Any

import pytest

from aggregate.collect import tally
from aggregate.scores import scores
from alignsec import digest
from alignsec.run import outcome_file
from alignsec.run.event_log import EventLog
from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan
from alignsec.run.status import read_statuses
from tests.paths import CHECKOUT

FOLDER = RunFolder(CHECKOUT / "tests/fixtures/run-2026-11")
RUNS = ("run-2026-11", "run-2026-11-condor-25.14")
"""Runs on HTCondor 23.9 and on 25.14; each has the expected answers in answers.json."""
IDS_SHA256 = "2faa673dae397a923fed9520374f69b0916df674c918e47d0329e084461f8033"
"""Digest of the sorted ids, which are also the names of the run's 18 outcome files."""
VERDICTS = {
    "pvt-robust--autoattack-linf--bcdfe89acf": {
        "12/255": "RRRRRcRRWcRRRRRRcRRR",
        "32/255": "RcccccccWcRtcccccccc",
    },
    "pvt-robust--clean--09ddda379a": {"0": "RRRRRRRRWRRRRRRRRRRR"},
    "resnet-plain--autoattack-linf--773fbe422b": {"12/255": "c" * 20, "32/255": "c" * 20},
    "resnet-plain--clean--4191933056": {"0": "R" * 20},
    "vit-plain--autoattack-linf--ab7b891b7a": {"12/255": "cccW" + "c" * 16, "32/255": "cccW" + "c" * 16},
}


def test_the_plan_of_november_2026_is_read():
    """The ids of the pairs are computed from their content, so equal ids show equal content.

    An increase of VERDICTS_VERSION changes every id: then the outcomes are stale, and these tests must say so.
    """
    plan = Plan.read(FOLDER)
    assert (plan.name, plan.seed, plan.image_count, len(plan.planned)) == ("demo", 0, 20, 18)
    assert {pair.id for pair in plan} > VERDICTS.keys()
    assert digest.sha256_of_json(sorted(pair.id for pair in plan)) == IDS_SHA256
    assert plan.study_sha256 == digest.sha256_of_file(FOLDER.study)
    assert plan.scores is not None
    assert plan.scores.sha256 == digest.sha256_of_file(FOLDER.scores)


def test_the_statuses_and_verdicts_of_november_2026_are_the_same():
    statuses = list(
        read_statuses(Plan.read(FOLDER), FOLDER.outcomes, EventLog(FOLDER.root / "study.dag.nodes.log"))
    )
    assert Counter(status.state for status in statuses) == {"ok": 5, "missing": 13}
    records = {status.id: status.record for status in statuses if status.record}
    assert {
        name: {budget.eps.text: budget.verdicts for budget in record.budgets} for name, record in records.items()
    } == VERDICTS
    reasons = {status.id: status.reason for status in statuses if status.state == "missing"}
    assert "exit code 0" in reasons["vit-plain--clean--ed744492a7"]
    assert "left no outcome" in reasons["vit-plain--clean--ed744492a7"]
    assert reasons["resnet-robust--clean--1d1b01bdd6"] == "no outcome file"


def test_an_outcome_of_november_2026_is_written_with_the_same_bytes():
    """A change of the format must increase its version."""
    for name in VERDICTS:
        path = FOLDER.outcome(name)
        assert outcome_file.dump(outcome_file.read(path)) == path.read_bytes()


def test_the_events_of_htcondor_23_9_are_read():
    log = EventLog(FOLDER.root / "study.dag.nodes.log")
    assert (log.first, log.last, log.warning) == (1795572863, 1795573075, "")
    assert {
        node: (one.job, one.state, one.exit_code, one.seconds, one.memory_mb) for node, one in log.nodes.items()
    } == {
        "resnet-plain--autoattack-linf--773fbe422b": ("3.0", "ended", 0, 21, 663),
        "vit-plain--autoattack-linf--ab7b891b7a": ("7.0", "ended", 0, 6, 861),
        "pvt-robust--autoattack-linf--bcdfe89acf": ("10.0", "ended", 0, 45, 889),
        "resnet-plain--clean--4191933056": ("12.0", "ended", 0, 12, 532),
        "vit-plain--clean--ed744492a7": ("16.0", "ended", 0, 6, 870),
        "pvt-robust--clean--09ddda379a": ("19.0", "ended", 0, 7, 187),
        "aggregate": ("20.0", "ended", 0, 18, 364),
    }
    assert {(one.jobs, one.starts, one.evictions, one.holds) for one in log.nodes.values()} == {(1, 1, 0, ())}


def test_the_table_of_november_2026_has_the_same_counts():
    counts = tally.read_tally(Plan.read(FOLDER), FOLDER.outcomes, EventLog(FOLDER.root / "study.dag.nodes.log"))
    assert {
        (row.model, row.attack, row.eps): (row.images, row.clean_correct, row.robust) for row in counts.rows
    } == {
        ("pvt-robust", "clean", "0"): (20, 19, 19),
        ("pvt-robust", "autoattack-linf", "12/255"): (20, 19, 16),
        ("pvt-robust", "autoattack-linf", "32/255"): (20, 19, 2),
        ("resnet-plain", "clean", "0"): (20, 20, 20),
        ("resnet-plain", "autoattack-linf", "12/255"): (20, 20, 0),
        ("resnet-plain", "autoattack-linf", "32/255"): (20, 20, 0),
        ("vit-plain", "autoattack-linf", "12/255"): (20, 19, 0),
        ("vit-plain", "autoattack-linf", "32/255"): (20, 19, 0),
    }
    assert len(counts.not_ok) == 13


def test_the_scores_of_november_2026_are_read():
    alignment = scores.read_run_scores(FOLDER, Plan.read(FOLDER))
    assert alignment is not None
    matching = scores.match_models([pair.model.name for pair in Plan.read(FOLDER)], alignment)
    assert (len(matching.matched), len(matching.without_row)) == (9, 0)


def _answers(folder: RunFolder) -> dict[str, Any]:
    """Return what the code says of a run: the status of each pair, and the history of each node."""
    log = EventLog(folder.root / "study.dag.nodes.log")
    pairs = {
        one.id: {
            "state": one.state,
            "reason": one.reason,
            "verdicts": {
                budget.eps.text: budget.verdicts for budget in (one.record.budgets if one.record else ())
            },
        }
        for one in read_statuses(Plan.read(folder), folder.outcomes, log)
    }
    nodes = {name: asdict(node) for name, node in log.nodes.items()}
    return {"warning": log.warning, "pairs": pairs, "nodes": nodes}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_of_each_htcondor_gives_the_same_answers(name: str):
    folder = RunFolder(CHECKOUT / "tests/fixtures" / name)
    answers = _answers(folder)
    assert json.loads(json.dumps(answers)) == json.loads(
        (folder.root / "answers.json").read_text(encoding="utf-8")
    )
    assert answers["nodes"].keys() <= {pair.id for pair in Plan.read(folder)} | {"aggregate"}


def test_the_run_of_25_14_has_a_failure_a_hold_a_retry_and_an_eviction():
    nodes = list(EventLog(CHECKOUT / "tests/fixtures" / RUNS[1] / "study.dag.nodes.log").nodes.values())
    assert any(node.failed_hosts for node in nodes)
    assert any(node.holds for node in nodes)
    assert any(node.jobs > 1 for node in nodes)
    assert {node.node: node.evictions for node in nodes if node.evictions} == {"evicted--clean--9dcbead314": 1}
