"""The requirements of a retry: the script reads an event log, and HTCondor's own parsers read its output."""

import subprocess
from pathlib import Path

import classad2
import htcondor2
import pytest

from alignsec.run.folder import RunFolder
from submit.condor import description, retry
from tests import event_text as text
from tests.submit.plans import plan, site

PAIR, OTHER = "one--apgd-ce-linf--0123456789", "one--apgd-ce-linf--012345678"


def run_script(folder: Path, pair: str = PAIR) -> str:
    """Run the script as DAGMan does, in the run folder."""
    (folder / "retry.sh").write_text(retry.retry_script(), encoding="utf-8")
    command = ["/bin/sh", "retry.sh", pair, "600"]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, env={}).stdout


def accepts(output: str, machine: str, waited: int = 10, requirements: str = "true") -> bool:
    """Evaluate the requirements that the script printed for a machine, `waited` seconds after submission."""
    name, _, expression = output.strip().partition(" = ")
    assert name == "requirements"
    expression = expression.replace("$(pool_requirements)", requirements).replace("time()", str(waited))
    job = classad2.ClassAd({"QDate": 0, "Requirements": classad2.ExprTree(expression)})
    return classad2.ClassAd({"Machine": machine, "Memory": 100}).matches(job)


@pytest.mark.parametrize("submitted", [text.submitted, text.submitted_to_25])
@pytest.mark.parametrize("end", [text.terminated(7, 9, 75), text.terminated(7, 9, 1), text.killed(7, 9, 9)])
def test_a_retry_avoids_the_machine_that_failed_and_no_other(tmp_path: Path, submitted, end: str) -> None:
    executing = text.executing(7, 1, "slot1_2@glidein_7@bad.node")
    text.write(RunFolder(tmp_path).events, submitted(7, 0, PAIR), executing, end)
    found = run_script(tmp_path)
    assert not accepts(found, "bad.node")
    assert not accepts(found, "BAD.node")
    assert accepts(found, "good.node")
    assert accepts(found, "bad.nod")


def test_after_some_time_any_machine_is_accepted(tmp_path: Path) -> None:
    text.write(
        RunFolder(tmp_path).events, text.submitted(7, 0, PAIR), text.executing(7, 1), text.terminated(7, 9, 75)
    )
    found = run_script(tmp_path)
    assert not accepts(found, "node", waited=600)
    assert accepts(found, "node", waited=601)


def test_the_sites_requirements_stay(tmp_path: Path) -> None:
    text.write(
        RunFolder(tmp_path).events, text.submitted(7, 0, PAIR), text.executing(7, 1), text.terminated(7, 9, 75)
    )
    found = run_script(tmp_path)
    assert accepts(found, "good", requirements="TARGET.Memory > 200 || TARGET.Memory > 50")
    assert not accepts(found, "good", requirements="TARGET.Memory > 200 || TARGET.Memory > 300")
    assert not accepts(found, "node", requirements="true || true")


def test_every_machine_that_failed_is_avoided(tmp_path: Path) -> None:
    text.write(
        RunFolder(tmp_path).events,
        *(text.submitted(7, 0, PAIR), text.executing(7, 1, "slot1@a"), text.terminated(7, 9, 75)),
        *(text.submitted(8, 10, PAIR), text.executing(8, 11, "slot1@b"), text.evicted(8, 12)),
        *(text.executing(8, 13, "slot1@c"), text.terminated(8, 14, 75)),
    )
    found = run_script(tmp_path)
    assert [accepts(found, machine) for machine in "abcd"] == [False, True, False, True]


@pytest.mark.parametrize(
    "events",
    [
        (),
        (text.submitted(7, 0, OTHER), text.executing(7, 1), text.terminated(7, 9, 75)),
        (text.submitted(7, 0, PAIR), text.executing(7, 1), text.terminated(7, 9, 0)),
        (text.submitted(7, 0, PAIR), text.executing(7, 1), text.terminated(7, 9, 65)),
        (text.submitted(7, 0, PAIR), text.executing(7, 1), text.evicted(7, 9)),
        (text.submitted(7, 0, PAIR), text.executing(7, 1, 'slot1@x") || (true'), text.terminated(7, 9, 75)),
        ("\0" * 4096, "005 (7.000", text.terminated(7, 9, 75)),
    ],
    ids=["empty", "other pair", "ok", "permanent", "evicted", "hostile name", "damaged"],
)
def test_without_a_machine_that_failed_nothing_is_printed(tmp_path: Path, events: tuple[str, ...]) -> None:
    text.write(RunFolder(tmp_path).events, *events)
    assert run_script(tmp_path) == ""


def test_without_a_log_the_retry_may_run_anywhere(tmp_path: Path) -> None:
    assert run_script(tmp_path) == ""


@pytest.mark.parametrize(("keys", "avoids"), [({"SITE": "generic"}, True), ({}, False)])
def test_only_pools_of_several_machines_avoid_some(keys: dict[str, str], avoids: bool) -> None:
    keys = {**keys, "CONTAINER_IMAGE": "docker://x", "REQUIREMENTS": "(Memory > 5) || (Disk > 5)"}
    lines = list(description.pair_description(plan(), site(**keys)))
    assert ("if $(RETRY:0)" in lines) == avoids
    assert ("pool_requirements = (Memory > 5) || (Disk > 5)" in lines) == avoids
    read = htcondor2.Submit("\n".join(lines).removesuffix("queue"))
    assert read["requirements"] == "(Memory > 5) || (Disk > 5)", "the first job of a node avoids no machine"


def test_without_retries_nothing_is_included() -> None:
    assert not list(retry.retry_lines(site(RETRY_ELSEWHERE_SECONDS="600", RETRIES="0")))
