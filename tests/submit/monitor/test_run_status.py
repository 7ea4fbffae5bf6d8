"""Status, failures and submission, from files written by hand: no pool is needed to read what one left."""

import io
import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from alignsec import command
from alignsec.errors import ConfigErrors
from alignsec.run import outcome_file
from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan, PlannedPair
from alignsec.spec.pair import Pair
from submit import code, failures, status
from submit.condor import submission
from submit.monitor.run_status import Watch, last_progress
from tests import event_text as text
from tests import tiny
from tests.submit.condor.test_dag import asks
from tests.submit.condor.test_description import plan, site

PAIRS = [tiny.pair(name=name) for name in ("one", "two", "three", "four", "five", "six")]
ONE, TWO, THREE, FOUR, FIVE, SIX = (pair.id for pair in PAIRS)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run with a pair in each state."""
    run = RunFolder(tmp_path)
    for path in (run.outcomes, run.logs, run.pairs, run.weights):
        path.mkdir()
    write_plan(run, PAIRS)
    outcome_file.write(run.outcome(ONE), tiny.record(PAIRS[0]))
    outcome_file.write(
        run.outcome(TWO), tiny.failure(PAIRS[1], "ModelError: two: weights-0123456789ab.bin does not fit")
    )
    text.write(
        run.events,
        *(text.submitted(1, 0, ONE), text.executing(1, 1), text.terminated(1, 60, 0)),
        *(text.submitted(2, 0, TWO), text.executing(2, 1), text.terminated(2, 60, 65)),
        *(text.submitted(3, 0, THREE), text.executing(3, 61, "slot1_9@gpu")),
        *(text.submitted(4, 0, FOUR), text.held(4, 62, 13, "Transfer input files failure")),
        *(text.submitted(5, 0, FIVE), text.held(5, 3, 12, "no output"), text.aborted(5, 63, "held too long")),
    )
    text.write(RunFolder(tmp_path).dagman_log, text.submitted(99, 0, ""), text.executing(99, 0))
    (run.logs / f"{THREE}.out").write_text(
        "progress: 3/8 images, 10.0 passes/s, at most 40 s left (step 2 of 4)\nnot progress\n"
    )
    return run


def write_plan(run: RunFolder, pairs: list[Pair]) -> None:
    planned = tuple(PlannedPair(pair=pair, inputs=("weights/w", "images/i")) for pair in pairs)
    made: Plan = plan().model_copy(update={"planned": planned})
    made.write(run)


def test_every_pair_is_in_one_state(folder: RunFolder) -> None:
    now = Watch(folder).look()
    assert {pair.id: pair.state for pair in now.pairs} == {
        ONE: "ok",
        TWO: "failed",
        THREE: "running",
        FOUR: "held",
        FIVE: "removed",
        SIX: "waiting",
    }
    assert sum(now.counts.values()) == len(PAIRS)
    assert now.dag == "running as job 99"


def test_what_runs_says_where_and_how_far(folder: RunFolder) -> None:
    running = next(pair for pair in Watch(folder).look().pairs if pair.id == THREE)
    assert (running.host, running.images_done, running.images, running.seconds_left) == ("slot1_9@gpu", 3, 8, 40)


def test_rate_and_time_left_come_from_pairs_that_ended(folder: RunFolder) -> None:
    now = Watch(folder).look()
    assert now.pairs_per_hour == pytest.approx(2 * 3600 / 63, rel=0.01)
    assert now.seconds_left == pytest.approx(3 * 63 / 2, abs=1)


def test_a_changed_outcome_is_seen(folder: RunFolder) -> None:
    watch = Watch(folder)
    assert watch.look().counts["failed"] == 1
    outcome_file.write(folder.outcome(TWO), tiny.record(PAIRS[1]))
    assert watch.look().counts["ok"] == 2


def test_an_earlier_failure_does_not_hide_a_retry_that_runs(folder: RunFolder) -> None:
    with folder.events.open("a") as file:
        file.write(text.submitted(6, 70, TWO) + text.executing(6, 71))
    assert next(pair for pair in Watch(folder).look().pairs if pair.id == TWO).state == "running"


def test_a_run_nobody_submitted_waits(folder: RunFolder) -> None:
    (folder.dagman_log).unlink()
    folder.events.unlink()
    now = Watch(folder).look()
    assert now.dag == "not submitted"
    assert now.counts["waiting"] == 4


def test_the_view_tells_reasons_and_json_is_json(folder: RunFolder) -> None:
    console = Console(width=160, file=io.StringIO())
    with console.capture() as captured:
        console.print(status.view(Watch(folder).look()))
    shown = captured.get()
    for words in (
        "1 ok, 1 failed, 1 running, 1 held, 1 removed, 1 waiting",
        "slot1_9@gpu",
        "Transfer input files",
    ):
        assert words in shown
    assert json.loads(json.dumps(Watch(folder).look().as_json()))["counts"]["held"] == 1


def test_progress_is_the_last_that_was_said(tmp_path: Path) -> None:
    assert last_progress(tmp_path / "none") is None
    (tmp_path / "out").write_text("x" * 10_000 + "\nprogress: 5/8 images, 1.0 passes/s, at most 2 s left (a)\n")
    said = last_progress(tmp_path / "out")
    assert said is not None
    assert said.done == 5


def test_failures_are_those_that_failed_or_are_in_trouble(folder: RunFolder) -> None:
    bad = failures.failed(Plan.read(folder), folder)
    assert sorted(pair.id for pair in bad) == sorted([TWO, FOUR, FIVE])


def test_one_cause_of_many_pairs_is_one_group(folder: RunFolder) -> None:
    other = tiny.failure(PAIRS[5], "ModelError: six: weights-ba9876543210.bin does not fit")
    outcome_file.write(folder.outcome(SIX), other)
    groups = failures.by_cause(failures.failed(Plan.read(folder), folder))
    assert [len(group) for group in groups.values()] == [2, 1, 1]


def test_the_command_to_reproduce_a_pair_runs_its_job(folder: RunFolder) -> None:
    """Files linked into an empty folder, the run's code, the job: it fails for want of weights, and says so."""
    folder.pair(TWO).write_text(PAIRS[1].model_dump_json())
    folder.code.write_bytes(code.archive())
    command = failures.reproduce(folder, Plan.read(folder).planned[1])
    assert shlex.quote(str(folder.pair(TWO))) in command
    done = subprocess.run(
        ["/bin/bash", "-c", command + "; echo code $?; ls"], capture_output=True, text=True, check=True
    )
    assert "code 75" in done.stdout, done.stdout + done.stderr
    assert "outcome.json" in done.stdout


def test_the_command_tells_causes_and_how_to_see_them(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["failures", str(folder.root)])
    assert failures.main() == command.INCOMPLETE
    said = capsys.readouterr().out
    for pair in Plan.read(folder).planned:
        assert (failures.reproduce(folder, pair) in said) == (pair.pair.id in (TWO, FOUR, FIVE))
    assert "3 of 6 pairs failed" in said


@pytest.mark.parametrize("main", [failures.main, status.main], ids=["failures", "status"])
def test_a_folder_that_is_no_run_ends_a_command(
    main: Callable[[], int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["command", str(tmp_path)])
    assert main() == command.INPUT_ERROR
    assert "has no plan.json" in capsys.readouterr().err


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match=r"has no plan\.json"):
        Watch(RunFolder(tmp_path))


def write(folder: RunFolder, plan: Plan, checkout: Path) -> None:
    """The DAG, as the command writes it."""
    given = {pair.id: asks(pair) for pair in plan}
    submission.write(folder, plan, site(checkout), given, submission.done(folder, plan))


def test_writing_a_dag_again_puts_the_earlier_one_aside(folder: RunFolder, checkout: Path) -> None:
    folder.study.write_text("name = 'x'")
    (folder.weights / "weights.safetensors").write_bytes(b"w" * 100)
    made = Plan.read(folder).model_copy(
        update={
            "planned": tuple(PlannedPair(pair=pair, inputs=("weights/weights.safetensors",)) for pair in PAIRS)
        }
    )
    write(folder, made, checkout)
    assert f"JOB {ONE} pair.sub DONE" in (folder.root / "study.dag").read_text()
    assert (folder.submissions / "1" / "study.dag.nodes.log").exists()
    assert not folder.events.exists()
    assert folder.study.exists()
    (folder.root / "study.dag.rescue001").write_text("rescue")
    write(folder, made, checkout)
    assert (folder.submissions / "2" / "study.dag.rescue001").read_text() == "rescue"


def test_a_log_of_a_pool_that_is_gone_does_not_refuse_for_ever(folder: RunFolder) -> None:
    """The queue is asked once: it has no such job, or another folder's of the same number."""

    def queue(answer: str, code: int = 0) -> submission.Run:
        return lambda *_, **__: subprocess.CompletedProcess([], code, answer, "")

    assert submission.live(folder, None) == 99
    assert submission.live(folder, queue(f"99 {folder.root}\n")) == 99
    assert submission.live(folder, queue("99 /another/run\n")) is None
    assert submission.live(folder, queue("")) is None
    assert submission.live(folder, queue("", code=1)) == 99, "a queue that does not answer proves nothing"
