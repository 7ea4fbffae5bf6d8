"""Status, failures and submission, with files as a pool leaves them; no pool runs."""

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
from alignsec.run.event_log import EventLog
from alignsec.run.folder import RunFolder
from alignsec.run.pair_shard import write_shards
from alignsec.run.plan import Plan, PlannedPair
from alignsec.run.status import PairStatus
from alignsec.spec.pair import Pair
from submit import code, failures, status
from submit.condor import submission
from submit.monitor.run_status import RunMonitor, last_progress
from tests import event_text as text
from tests import tiny
from tests.submit.plans import estimated_requests, plan, site

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
    now = RunMonitor(folder).read()
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


def test_a_running_pair_has_host_and_progress(folder: RunFolder) -> None:
    running = next(pair for pair in RunMonitor(folder).read().pairs if pair.id == THREE)
    assert (running.host, running.images_done, running.images, running.seconds_left) == ("slot1_9@gpu", 3, 8, 40)


def test_rate_and_time_left_come_from_ended_pairs(folder: RunFolder) -> None:
    now = RunMonitor(folder).read()
    assert now.pairs_per_hour == pytest.approx(2 * 3600 / 63, rel=0.01)
    assert now.seconds_left == pytest.approx(3 * 63 / 2, abs=1)


def test_a_changed_outcome_is_read_again(folder: RunFolder) -> None:
    monitor = RunMonitor(folder)
    assert monitor.read().counts["failed"] == 1
    outcome_file.write(folder.outcome(TWO), tiny.record(PAIRS[1]))
    assert monitor.read().counts["ok"] == 2


def test_a_running_retry_takes_precedence_over_a_failure(folder: RunFolder) -> None:
    with folder.events.open("a") as file:
        file.write(text.submitted(6, 70, TWO) + text.executing(6, 71))
    assert next(pair for pair in RunMonitor(folder).read().pairs if pair.id == TWO).state == "running"


def test_a_run_that_was_not_submitted_waits(folder: RunFolder) -> None:
    folder.dagman_log.unlink()
    folder.events.unlink()
    now = RunMonitor(folder).read()
    assert now.dag == "not submitted"
    assert now.counts["waiting"] == 4


def test_the_view_shows_reasons_and_the_dictionary_is_json(folder: RunFolder) -> None:
    console = Console(width=160, file=io.StringIO())
    with console.capture() as captured:
        console.print(status.render(RunMonitor(folder).read()))
    shown = captured.get()
    for text_shown in (
        "1 ok, 1 failed, 1 running, 1 held, 1 removed, 1 waiting",
        "slot1_9@gpu",
        "Transfer input files",
    ):
        assert text_shown in shown
    assert json.loads(json.dumps(RunMonitor(folder).read().as_dict()))["counts"]["held"] == 1


def test_progress_is_the_last_line_of_progress(tmp_path: Path) -> None:
    assert last_progress(tmp_path / "none") is None
    (tmp_path / "out").write_text("x" * 10_000 + "\nprogress: 5/8 images, 1.0 passes/s, at most 2 s left (a)\n")
    progress = last_progress(tmp_path / "out")
    assert progress is not None
    assert progress.done == 5


def test_failures_include_held_and_removed_jobs(folder: RunFolder) -> None:
    found = failures.find_failures(Plan.read(folder), folder, EventLog(folder.events))
    assert sorted(pair.id for pair in found) == sorted([TWO, FOUR, FIVE])


def test_failures_with_the_same_cause_form_one_group(folder: RunFolder) -> None:
    other = tiny.failure(PAIRS[5], "ModelError: six: weights-ba9876543210.bin does not fit")
    outcome_file.write(folder.outcome(SIX), other)
    groups = failures.group_by_cause(failures.find_failures(Plan.read(folder), folder, EventLog(folder.events)))
    assert [len(group) for group in groups.values()] == [2, 1, 1]


@pytest.mark.parametrize("earlier_version", [False, True])
def test_the_command_to_reproduce_a_pair_runs_its_job(folder: RunFolder, earlier_version: bool) -> None:
    """The job runs with the run's code in an empty folder, and fails because the weights are missing.

    Runs of earlier versions have one file for each pair.
    """
    if earlier_version:
        folder.pair_file(TWO).write_text(PAIRS[1].model_dump_json())
    else:
        write_shards(PAIRS, folder)
    folder.code.write_bytes(code.build_archive())
    shell_command = failures.reproduction_command(folder, 1, Plan.read(folder).planned[1])
    file = folder.pair_file(TWO if earlier_version else "shard-00000")
    assert shlex.quote(str(file)) in shell_command
    done = subprocess.run(
        ["/bin/bash", "-c", shell_command + "; echo code $?; ls"], capture_output=True, text=True, check=True
    )
    assert "code 75" in done.stdout, done.stdout + done.stderr
    assert "outcome.json" in done.stdout


def test_the_command_prints_causes_and_how_to_reproduce_them(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["failures", str(folder.root)])
    assert failures.main() == command.INCOMPLETE
    output = capsys.readouterr().out
    for index, pair in enumerate(Plan.read(folder).planned):
        shown = failures.reproduction_command(folder, index, pair) in output
        assert shown == (pair.pair.id in (TWO, FOUR, FIVE))
    assert "3 of 6 pairs failed" in output


@pytest.mark.parametrize("main", [failures.main, status.main], ids=["failures", "status"])
def test_the_commands_refuse_a_folder_that_is_not_a_run(
    main: Callable[[], int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["command", str(tmp_path)])
    assert main() == command.INPUT_ERROR
    assert "has no plan.json" in capsys.readouterr().err


def test_a_folder_that_is_not_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match=r"has no plan\.json"):
        RunMonitor(RunFolder(tmp_path))


def write(folder: RunFolder, plan: Plan) -> None:
    """Write the DAG as `python -m submit` does."""
    requested = {pair.id: estimated_requests(pair) for pair in plan}
    submission.write_dag(folder, plan, site(), requested, submission.find_finished_pairs(folder, plan))


def test_a_second_dag_moves_the_first_aside(folder: RunFolder) -> None:
    folder.study.write_text("name = 'x'")
    (folder.weights / "weights.safetensors").write_bytes(b"w" * 100)
    made = Plan.read(folder).model_copy(
        update={
            "planned": tuple(PlannedPair(pair=pair, inputs=("weights/weights.safetensors",)) for pair in PAIRS)
        }
    )
    write(folder, made)
    assert f"JOB {ONE} pair.sub DONE" in (folder.dag).read_text()
    assert (folder.submissions / "1" / "study.dag.nodes.log").exists()
    assert not folder.events.exists()
    assert folder.study.exists()
    (folder.root / "study.dag.rescue001").write_text("rescue")
    write(folder, made)
    assert (folder.submissions / "2" / "study.dag.rescue001").read_text() == "rescue"


def test_a_log_of_a_deleted_pool_does_not_block_submission(folder: RunFolder) -> None:
    """The queue is queried once: it has no such job, or one of another folder with the same number."""

    def queue(answer: str, code: int = 0) -> submission.CondorCommand:
        return lambda *_, **__: subprocess.CompletedProcess([], code, answer, "")

    assert submission.find_running_dag(folder, None) == 99
    assert submission.find_running_dag(folder, queue(f"99 {folder.root}\n")) == 99
    assert submission.find_running_dag(folder, queue("99 /another/run\n")) is None
    assert submission.find_running_dag(folder, queue("")) is None
    assert submission.find_running_dag(folder, queue("", code=1)) == 99, (
        "without an answer from the queue, the log counts"
    )


def test_a_machine_that_fails_repeatedly_is_named(folder: RunFolder) -> None:
    """Also if the retry elsewhere succeeded. A permanent failure is not the machine's fault."""
    jobs = [(number, f"slot1_{number}@bad.node", 75) for number in (1, 2)]
    jobs += [(3, "slot1@good.node", 0), (4, "slot1@once.node", 75), (5, "slot1@bad.node", 65)]
    events = []
    for number, slot, exit_with in jobs:
        events += [text.submitted(number, 0, ONE), text.executing(number, 1, slot)]
        events += [text.terminated(number, 2, exit_with)]
    text.write(folder.events, *events)
    assert failures.find_failing_machines(EventLog(folder.events)) == {"bad.node": 2}


@pytest.mark.parametrize("name", ["a", "e", "the reason", "a.b*"])
def test_only_whole_names_are_replaced_in_a_cause(name: str) -> None:
    pair = tiny.pair(name=name)
    reason = f"reason: the weights of {name} in {pair.id}.json do not fit"
    (cause,) = failures.group_by_cause([PairStatus(pair.id, "failed", pair, reason=reason)])
    assert cause == "reason: the weights of MODEL in PAIR.json do not fit"
