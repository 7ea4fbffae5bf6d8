"""Studies on a real pool: the states of their pairs, and the status that the run's files report."""

import os
from pathlib import Path

import pytest

from alignsec import digest
from alignsec.errors import ConfigErrors
from alignsec.run import status
from alignsec.run.event_log import EventLog
from alignsec.run.plan import Plan
from submit import failures
from submit.condor import submission
from submit.monitor.run_status import RunMonitor
from submit.pool.pool import Pool
from tests.pool.runs import TinyRun

CLEAN = 'method = "clean"'
APGD = 'method = "apgd-ce"\nnorm = "Linf"\neps = ["2/255", "8/255"]\nsteps = 5\nbatch = 2'


def test_a_study_runs_and_continues_after_changes(pool: Pool, tmp_path: Path) -> None:
    """A study runs, is extended by an attack, and then has a changed attack."""
    tiny = TinyRun(tmp_path, pool, attacks=(CLEAN,))
    tiny.submit()
    (tmp_path / "tiny.toml").write_text("changed after submission, and no longer a study")
    assert tiny.wait_for("ended").counts["ok"] == 1
    assert tiny.exit_code() == 0
    assert (tiny.run.analysis / "report.html").stat().st_size > 1000
    assert not list(tiny.run.root.glob("*.rescue*"))
    first = {path.name: path.read_bytes() for path in tiny.run.outcomes.iterdir()}

    tiny.attacks = (CLEAN, APGD)
    tiny.submit()
    assert tiny.wait_for("ended").counts["ok"] == 2
    log = EventLog(tiny.run.events)
    assert len(log.nodes) == 2, "only the new pair and FINAL must run"
    assert all((tiny.run.outcomes / name).read_bytes() == data for name, data in first.items())

    tiny.attacks = (CLEAN, APGD.replace("steps = 5", "steps = 4"))
    tiny.submit()
    tiny.wait_for("ended")
    states = [pair.state for pair in status.read_statuses(Plan.read(tiny.run), tiny.run.outcomes)]
    assert sorted(states) == ["ok", "ok", "stale"]
    assert tiny.exit_code() == 0
    assert len(list((tiny.run.submissions).iterdir())) == 2, "earlier submissions are kept"


def test_hopeless_pairs_are_not_retried_and_fail_the_dag(pool: Pool, tmp_path: Path) -> None:
    """One valid model with a hostile name and one invalid weights file are both reported correctly."""
    hostile = 'go"od; $(HOME) .+ é <script> \\ SCRIPT PRE x'
    tiny = TinyRun(tmp_path, pool, models=(hostile, "bad"))
    (tmp_path / "bad.safetensors").write_bytes(b"this is not a weights file")
    tiny.submit()
    now = tiny.wait_for("ended")
    assert (now.counts["ok"], now.counts["failed"]) == (1, 1)
    bad = next(pair for pair in now.pairs if pair.state == "failed")
    assert "ModelError" in bad.reason
    assert bad.tries == 1
    assert tiny.exit_code() != 0
    assert list(tiny.run.root.glob("study.dag.rescue*"))
    report = (tiny.run.analysis / "report.html").read_text()
    assert "ModelError" in report
    assert "go&#34;od; $(HOME) .+ é &lt;script&gt;" in report

    tiny.write_weights("bad", seed=1)
    tiny.submit()
    assert tiny.wait_for("ended").counts["ok"] == 2, "corrected weights give a new pair, and only this pair runs"
    assert tiny.exit_code() == 0


def test_an_evicted_job_resumes_and_gives_the_same_verdicts(pool: Pool, tmp_path: Path) -> None:
    """A job that checkpoints every second is vacated. Its verdicts equal those of an uninterrupted job."""
    long = APGD.replace("steps = 5", "steps = 1000").replace("8/255", "1")
    evicted = TinyRun(tmp_path / "evicted", pool, attacks=(long,))
    evicted.submit(CHECKPOINT_SECONDS=1)
    [pair] = Plan.read(evicted.run)
    evicted.wait_for_output(pair.id, "progress: ")
    pool.run(["condor_vacate_job", "-fast", EventLog(evicted.run.events).nodes[pair.id].job], check=True)
    whole = TinyRun(tmp_path / "whole", pool, attacks=(long,))
    whole.submit()
    assert evicted.wait_for("ended").counts["ok"] == 1
    assert EventLog(evicted.run.events).nodes[pair.id].evictions >= 1
    assert whole.wait_for("ended").counts["ok"] == 1
    one, other = evicted.read_records()[pair.id], whole.read_records()[pair.id]
    assert [(b.verdicts, b.passes) for b in one.budgets] == [(b.verdicts, b.passes) for b in other.budgets]
    assert "c" in "".join(b.verdicts for b in one.budgets), "the attack must break some images"


def test_a_live_run_is_not_overwritten_and_condor_rm_gives_a_report(pool: Pool, tmp_path: Path) -> None:
    """The run folder is not written while DAGMan runs. Removing DAGMan runs FINAL and gives a correct status."""
    tiny = TinyRun(tmp_path, pool)
    cluster = tiny.submit(PYTHON=tiny.fake_python("sleep 600"))
    tiny.wait_for("running")
    assert submission.find_running_dag(tiny.run, pool.run) == cluster
    assert submission.find_running_dag(tiny.run, None) == cluster
    pool.run(["condor_rm", str(cluster)], check=True)
    now = tiny.wait_for("ended")
    assert submission.find_running_dag(tiny.run, pool.run) is None
    assert (now.counts["ok"], now.counts["removed"]) == (0, 1)
    assert tiny.exit_code() != 0
    assert (
        "0 of 1" in (tiny.run.analysis / "report.html").read_text() or (tiny.run.analysis / "pairs.csv").exists()
    )


def test_a_missing_weights_file_ends_in_a_reported_hold(pool: Pool, tmp_path: Path) -> None:
    """A transfer error is retried a limited number of times. Then the job is removed and the reason reported."""
    tiny = TinyRun(tmp_path, pool)
    tiny.write(tiny.site(RETRIES=0, TRANSFER_RETRIES=0, HELD_SECONDS=3))
    (tmp_path / "one.safetensors").unlink()
    submission.submit_dag(tiny.run, pool.run)
    now = tiny.wait_for("ended")
    assert now.counts["removed"] == 1
    assert "weights-" in now.pairs[0].reason
    assert tiny.exit_code() != 0
    [bad] = failures.find_failures(Plan.read(tiny.run), tiny.run, EventLog(tiny.run.events))
    assert "held" in bad.reason
    assert "removed" in bad.reason


def test_jobs_transfer_staged_weights_from_their_url(pool: Pool, tmp_path: Path) -> None:
    """The URL is file:///, as on a machine that mounts the folder. The job verifies the digest as always."""
    tiny = TinyRun(tmp_path, pool)
    staged = (
        tmp_path / "weights" / f"weights-{digest.sha256_of_file(tmp_path / 'one.safetensors')[:12]}.safetensors"
    )
    staged.parent.mkdir()
    (tmp_path / "one.safetensors").rename(staged)
    (tmp_path / "one.safetensors").symlink_to(staged)
    tiny.submit(WEIGHTS=staged.parent, WEIGHTS_URL=f"file://{staged.parent}")
    assert tiny.wait_for("ended").counts["ok"] == 1
    assert f'files="file://{staged}"' in (tiny.run.dag).read_text()


def test_a_hanging_job_is_ended_by_its_execute_duration(pool: Pool, tmp_path: Path) -> None:
    """HTCondor holds and removes a job that never ends, and the DAG finishes."""
    tiny = TinyRun(tmp_path, pool)
    keys = {"RETRIES": 0, "CHECKPOINT_SECONDS": 3, "ALLOWED_EXECUTE_SECONDS": 4, "HELD_SECONDS": 3}
    tiny.submit(PYTHON=tiny.fake_python("sleep 600"), **keys)
    now = tiny.wait_for("ended")
    assert now.counts["removed"] == 1
    assert "neither ended nor left a checkpoint" in now.pairs[0].reason


def test_a_missing_python_is_a_failed_pair_after_retries(pool: Pool, tmp_path: Path) -> None:
    """On a black-hole machine the job still writes its declared output, so HTCondor does not hold it."""
    tiny = TinyRun(tmp_path, pool)
    tiny.submit(PYTHON=tiny.fake_python("exit 127"), RETRIES=1)
    now = tiny.wait_for("ended")
    assert now.counts["failed"] == 1
    assert now.pairs[0].tries == 2
    assert tiny.exit_code() != 0


def test_held_for_memory_once_is_released_with_more(pool: Pool, tmp_path: Path) -> None:
    """The test sets the hold code of memory. The job is then released with a larger memory request."""
    tiny = TinyRun(tmp_path, pool)
    script = "sleep 600"
    cluster = tiny.submit(PYTHON=tiny.fake_python(script), RETRY_REQUEST_MEMORY_MB=3000)
    tiny.wait_for("running")
    pair_id = next(iter(Plan.read(tiny.run))).id
    job = EventLog(tiny.run.events).nodes[pair_id].job
    pool.run(["condor_hold", job], check=True)
    tiny.wait_for("held")
    pool.run(["condor_qedit", job, "HoldReasonCode", "34"], check=True)
    tiny.wait_for("running")
    asked = pool.run(["condor_q", job, "-af", "RequestMemory"], check=True).stdout.split()
    assert asked == ["3000"]
    pool.run(["condor_rm", str(cluster)], check=True)
    tiny.wait_for("ended")


def test_the_status_needs_no_queue(pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status of a finished run is read without any HTCondor."""
    tiny = TinyRun(tmp_path, pool)
    tiny.submit()
    tiny.wait_for("ended")
    monkeypatch.setenv("CONDOR_CONFIG", os.devnull)
    monkeypatch.setenv("PATH", "")
    assert RunMonitor(tiny.run).read().counts["ok"] == 1


def test_submission_by_hand_gives_the_same_run(pool: Pool, tmp_path: Path) -> None:
    """condor_submit_dag with only the DAG file gives the same nodes and the same outcome."""
    tiny = TinyRun(tmp_path, pool)
    tiny.write(tiny.site())
    pool.run(["condor_submit_dag", "-usedagdir", str(tiny.run.dag)], cwd=tiny.run.root, check=True)
    assert tiny.wait_for("ended").counts["ok"] == 1
    with pytest.raises(ConfigErrors, match="condor_submit_dag"):
        submission.submit_dag(tiny.run, pool.run)
