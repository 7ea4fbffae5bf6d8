"""The DAG of a run, as text."""

import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan, PlannedPair
from alignsec.spec.pair import Pair
from submit.condor import dag
from submit.site import Site
from tests import tiny
from tests.submit.plans import estimated_requests, plan, site


def dag_of(pairs: list[Pair], **keys: object) -> list[str]:
    """Return the DAG's lines for some pairs."""
    planned = tuple(PlannedPair(pair=pair, inputs=("weights/w.safetensors", "images/i.tar")) for pair in pairs)
    made: Plan = plan().model_copy(update={"planned": planned})
    finished = keys.pop("finished", ())
    given: Site = site(**{key: str(value) for key, value in keys.items()})
    assert isinstance(finished, tuple)
    return list(dag.dag_lines(made, given, {pair.id: estimated_requests(pair) for pair in pairs}, finished))


def test_every_pair_is_a_node_with_retries() -> None:
    pair = tiny.pair()
    lines = dag_of([pair], RETRIES=4)
    assert f"JOB {pair.id} pair.sub" in lines
    assert f"RETRY {pair.id} 4 UNLESS-EXIT 65" in lines
    memory = estimated_requests(pair).memory_mb
    requested = f'memory="{memory}" larger_memory="{2 * memory}" disk="512" larger_disk="1024" gpu_memory="0"'
    assert f'VARS {pair.id} shard="shard-00000" files="weights/w.safetensors" {requested}' in lines


def test_finished_pairs_are_marked_done() -> None:
    one, two = tiny.pair(name="one"), tiny.pair(name="two")
    lines = dag_of([one, two], finished=(one.id,))
    assert f"JOB {one.id} pair.sub DONE" in lines
    assert f"JOB {two.id} pair.sub" in lines


def test_the_dag_has_a_final_node_a_status_file_and_a_limit() -> None:
    lines = dag_of([tiny.pair()], MAX_JOBS=7)
    assert "FINAL aggregate final.sub" in lines
    assert "SCRIPT PRE aggregate final-pre.sh" in lines
    assert "MAXJOBS pairs 7" in lines
    assert any(line.startswith("NODE_STATUS_FILE study.status") for line in lines)
    assert "JOBSTATE_LOG study.jobstate" in lines


@pytest.mark.parametrize(
    ("cheaper", "costlier"),
    [
        (tiny.attack(steps=3), tiny.attack(steps=4)),
        (tiny.attack(eps=["1/255"]), tiny.attack(eps=["1/255", "2/255"])),
        (tiny.attack(method="square", steps=100), tiny.attack(method="autoattack", steps=100)),
    ],
)
def test_the_costlier_attack_starts_first(cheaper: object, costlier: object) -> None:
    pairs = [tiny.pair(attack=cheaper), tiny.pair(attack=costlier)]
    priority = {line.split()[1]: int(line.split()[2]) for line in dag_of(pairs) if "PRIORITY" in line}
    assert priority[pairs[0].id] < priority[pairs[1].id]


def test_names_of_models_are_not_in_the_dag() -> None:
    """The DAG holds ids of letters, digits and hyphens instead."""
    hostile = tiny.pair(name='a b"; SCRIPT PRE x rm -rf $(HOME) +.\\')
    words = " ".join(dag_of([hostile]))
    assert "rm" not in words.replace(hostile.id, "")
    assert "$(HOME)" not in words


def test_the_pre_script_packs_every_outcome_and_the_log(tmp_path: Path) -> None:
    """Kept examples too; a pair without any has an empty file."""
    outcomes = tmp_path / "outcomes"
    outcomes.mkdir()
    for number in range(3):
        (outcomes / f"{number}.json").write_text(str(number))
    for name in (".partial", "0.examples", ".1.examples"):
        (outcomes / name).write_text("x")
    (outcomes / "2.examples").touch()
    RunFolder(tmp_path).events.write_text("log")
    (tmp_path / "pre.sh").write_text(dag.final_pre_script())
    subprocess.run(["/bin/sh", "pre.sh"], cwd=tmp_path, env={}, check=True)
    with tarfile.open(tmp_path / "outcomes.tar") as archive:
        names = sorted(name for name in archive.getnames() if name != ".")
        assert names == ["outcomes/0.examples", *(f"outcomes/{n}.json" for n in range(3))]
    assert (tmp_path / "events.log").read_text() == "log"


def _run_pre_script(
    folder: Path, path: str = "", check: bool = True, **options: Any
) -> subprocess.CompletedProcess[str]:
    (folder / "pre.sh").write_text(dag.final_pre_script())
    env = {"PATH": path} if path else {}
    words = ["/bin/sh", "pre.sh"]
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=check, **options)


def test_the_pre_script_leaves_no_archive_of_an_earlier_submission_if_it_fails(tmp_path: Path) -> None:
    """`tar ... && mv ...` once left the old archive in place and exited 0."""
    (tmp_path / "outcomes").mkdir()
    (tmp_path / "outcomes.tar").write_text("old")
    (tmp_path / "events.log").write_text("old")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "tar").write_text("#!/bin/sh\nexit 2\n")
    (programs / "tar").chmod(0o755)
    ended = _run_pre_script(tmp_path, f"{programs}:/usr/bin:/bin", check=False)
    assert ended.returncode != 0
    assert not (tmp_path / "outcomes.tar").exists()
    assert not (tmp_path / "events.log").exists()


@pytest.mark.parametrize("step", ["find", "cp", "mv", "touch"])
def test_each_step_of_the_pre_script_that_fails_fails_the_script(tmp_path: Path, step: str) -> None:
    (tmp_path / "outcomes").mkdir()
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / step).write_text("#!/bin/sh\nexit 1\n")
    (programs / step).chmod(0o755)
    assert _run_pre_script(tmp_path, f"{programs}:/usr/bin:/bin", check=False).returncode != 0


def test_the_pre_script_leaves_out_what_is_no_regular_file(tmp_path: Path) -> None:
    outcomes = tmp_path / "outcomes"
    outcomes.mkdir()
    (outcomes / "a.json").write_text("{}")
    (outcomes / "b.json").mkdir()
    (outcomes / "c.json").symlink_to("/nonexistent")
    os.mkfifo(outcomes / "d.json")
    (outcomes / "stray.txt").write_text("x")
    assert _run_pre_script(tmp_path, check=False).returncode == 0
    with tarfile.open(tmp_path / "outcomes.tar") as archive:
        assert archive.getnames() == ["outcomes/a.json"]


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to run the script as another user")
def test_an_unreadable_outcome_is_left_out_and_named(tmp_path: Path) -> None:
    """Its pair is then missing in the analysis; a readable old archive would have shown it as ok."""
    outcomes = tmp_path / "outcomes"
    outcomes.mkdir()
    (outcomes / "a.json").write_text("{}")
    (outcomes / "b.json").write_text("{}")
    (outcomes / "b.json").chmod(0o600)
    for parent in (tmp_path, *tmp_path.parents):
        if parent.owner() == "root" and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o711)
    tmp_path.chmod(0o777)
    ended = _run_pre_script(tmp_path, check=False, user=65534, group=65534)
    assert ended.returncode == 0
    assert "b.json" in ended.stderr
    with tarfile.open(tmp_path / "outcomes.tar") as archive:
        assert archive.getnames() == ["outcomes/a.json"]


def test_the_pre_script_works_when_no_job_was_submitted(tmp_path: Path) -> None:
    """All pairs already had results, so DAGMan has written no node log."""
    (tmp_path / "outcomes").mkdir()
    (tmp_path / "pre.sh").write_text(dag.final_pre_script())
    subprocess.run(["/bin/sh", "pre.sh"], cwd=tmp_path, env={}, check=True)
    assert (tmp_path / "events.log").exists()
