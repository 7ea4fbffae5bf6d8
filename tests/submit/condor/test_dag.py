"""The DAG as text."""

import subprocess
import tarfile
from pathlib import Path

import pytest

from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan, PlannedPair
from alignsec.spec.pair import Pair
from submit.condor import dag
from submit.requests import estimate
from submit.requests.estimate import Sizes
from submit.requests.measurements import Measurements
from submit.requests.requests import ResourceRequests
from submit.site import Site
from tests import tiny
from tests.submit.condor.test_description import plan, site


def asks(pair: Pair, weights_bytes: int = 4000) -> ResourceRequests:
    """What a pair asks for, by its estimate alone."""
    made = estimate.estimate_resources(pair, Sizes(weights_bytes, 10_000, 1000), 4, Measurements([]), "cpu")
    return ResourceRequests(("weights/w.safetensors",), made.memory_mb, 2 * made.memory_mb, 512, 0, made)


def text_of(checkout: Path, pairs: list[Pair], **keys: object) -> list[str]:
    """The DAG's lines for some pairs."""
    planned = tuple(PlannedPair(pair=pair, inputs=("weights/w.safetensors", "images/i.tar")) for pair in pairs)
    made: Plan = plan().model_copy(update={"planned": planned})
    done = keys.pop("done", ())
    given: Site = site(checkout, **{key: str(value) for key, value in keys.items()})
    assert isinstance(done, tuple)
    return list(dag.lines(made, given, {pair.id: asks(pair) for pair in pairs}, done))


def test_every_pair_is_a_node_with_retries_that_spare_hopeless_ones(checkout: Path) -> None:
    pair = tiny.pair()
    lines = text_of(checkout, [pair], RETRIES=4)
    assert f"JOB {pair.id} pair.sub" in lines
    assert f"RETRY {pair.id} 4 UNLESS-EXIT 65" in lines
    memory = asks(pair).memory_mb
    asked = f'memory="{memory}" larger_memory="{2 * memory}" disk="512" gpu_memory="0"'
    assert f'VARS {pair.id} files="weights/w.safetensors" {asked}' in lines


def test_pairs_with_a_record_are_marked_done(checkout: Path) -> None:
    one, two = tiny.pair(name="one"), tiny.pair(name="two")
    lines = text_of(checkout, [one, two], done=(one.id,))
    assert f"JOB {one.id} pair.sub DONE" in lines
    assert f"JOB {two.id} pair.sub" in lines


def test_there_is_one_final_node_a_status_file_and_a_limit(checkout: Path) -> None:
    lines = text_of(checkout, [tiny.pair()], MAX_JOBS=7)
    assert "FINAL aggregate final.sub" in lines
    assert "SCRIPT PRE aggregate final-pre.sh" in lines
    assert "MAXJOBS pairs 7" in lines
    assert any(line.startswith("NODE_STATUS_FILE study.status") for line in lines)
    assert "JOBSTATE_LOG study.jobstate" in lines


@pytest.mark.parametrize(
    ("cheap", "dear"),
    [
        (tiny.attack(steps=3), tiny.attack(steps=4)),
        (tiny.attack(eps=["1/255"]), tiny.attack(eps=["1/255", "2/255"])),
        (tiny.attack(method="square", steps=100), tiny.attack(method="autoattack", steps=100)),
    ],
)
def test_the_dearer_attack_starts_first(checkout: Path, cheap: object, dear: object) -> None:
    pairs = [tiny.pair(attack=cheap), tiny.pair(attack=dear)]
    priority = {line.split()[1]: int(line.split()[2]) for line in text_of(checkout, pairs) if "PRIORITY" in line}
    assert priority[pairs[0].id] < priority[pairs[1].id]


def test_names_of_models_never_reach_the_dag(checkout: Path) -> None:
    """Only ids made of letters, digits and hyphens do."""
    hostile = tiny.pair(name='a b"; SCRIPT PRE x rm -rf $(HOME) +.\\')
    words = " ".join(text_of(checkout, [hostile]))
    assert "rm" not in words.replace(hostile.id, "")
    assert "$(HOME)" not in words


def test_the_pre_script_packs_every_outcome_and_the_log(tmp_path: Path) -> None:
    outcomes = tmp_path / "outcomes"
    outcomes.mkdir()
    for number in range(3):
        (outcomes / f"{number}.json").write_text(str(number))
    (outcomes / ".half-written").write_text("x")
    (RunFolder(tmp_path).events).write_text("log")
    (tmp_path / "pre.sh").write_text(dag.pre_script())
    subprocess.run(["/bin/sh", "pre.sh"], cwd=tmp_path, env={}, check=True)
    with tarfile.open(tmp_path / "outcomes.tar") as archive:
        assert sorted(name for name in archive.getnames() if name != ".") == [f"./{n}.json" for n in range(3)]
    assert (tmp_path / "events.log").read_text() == "log"


def test_the_pre_script_works_when_no_job_was_ever_submitted(tmp_path: Path) -> None:
    """All pairs had their records already, so DAGMan has written no node log."""
    (tmp_path / "outcomes").mkdir()
    (tmp_path / "pre.sh").write_text(dag.pre_script())
    subprocess.run(["/bin/sh", "pre.sh"], cwd=tmp_path, env={}, check=True)
    assert (tmp_path / "events.log").exists()
