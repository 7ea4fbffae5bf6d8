"""Studies on a real pool: what becomes of their pairs, and whether the files tell it truly."""

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
from submit.monitor.run_status import Watch
from submit.pool.pool import Pool
from tests.pool.runs import TinyRun

CLEAN = 'method = "clean"'
APGD = 'method = "apgd-ce"\nnorm = "Linf"\neps = ["2/255", "8/255"]\nsteps = 5\nbatch = 2'


def test_a_study_runs_continues_grows_and_changes(pool: Pool, tmp_path: Path) -> None:
    """One study through its life: whole, submitted again, with an attack more, with a changed attack."""
    tiny = TinyRun(tmp_path, pool, attacks=(CLEAN,))
    tiny.submit()
    (tmp_path / "tiny.toml").write_text("changed after submission, and no longer a study")
    assert tiny.until("ended").counts["ok"] == 1
    assert tiny.exit_code() == 0
    assert (tiny.run.analysis / "report.html").stat().st_size > 1000
    assert not list(tiny.run.root.glob("*.rescue*"))
    first = {path.name: path.read_bytes() for path in tiny.run.outcomes.iterdir()}

    tiny.attacks = (CLEAN, APGD)
    tiny.submit()
    assert tiny.until("ended").counts["ok"] == 2
    log = EventLog(tiny.run.events)
    assert len(log.nodes) == 2, "only the new pair and FINAL are to run"
    assert all((tiny.run.outcomes / name).read_bytes() == data for name, data in first.items())

    tiny.attacks = (CLEAN, APGD.replace("steps = 5", "steps = 4"))
    tiny.submit()
    tiny.until("ended")
    states = [pair.state for pair in status.survey(Plan.read(tiny.run), tiny.run.outcomes)]
    assert sorted(states) == ["ok", "ok", "stale"]
    assert tiny.exit_code() == 0
    assert len(list((tiny.run.submissions).iterdir())) == 2, "earlier submissions are kept"


def test_hopeless_pairs_are_not_retried_and_fail_the_dag(pool: Pool, tmp_path: Path) -> None:
    """One sound model, of a name made to do harm, and one whose checkpoint is none: both are told of truly."""
    hostile = 'go"od; $(HOME) .+ é <script> \\ SCRIPT PRE x'
    tiny = TinyRun(tmp_path, pool, models=(hostile, "bad"))
    (tmp_path / "bad.safetensors").write_bytes(b"this is no checkpoint")
    tiny.submit()
    now = tiny.until("ended")
    assert (now.counts["ok"], now.counts["failed"]) == (1, 1)
    bad = next(pair for pair in now.pairs if pair.state == "failed")
    assert "ModelError" in bad.reason
    assert bad.tries == 1
    assert tiny.exit_code() != 0
    assert list(tiny.run.root.glob("study.dag.rescue*"))
    report = (tiny.run.analysis / "report.html").read_text()
    assert "ModelError" in report
    assert "go&#34;od; $(HOME) .+ é &lt;script&gt;" in report

    tiny.weights("bad", seed=1)
    tiny.submit()
    assert tiny.until("ended").counts["ok"] == 2, "mended weights are a new pair, and only it is run"
    assert tiny.exit_code() == 0


def test_an_evicted_job_resumes_and_gives_the_same_verdicts(pool: Pool, tmp_path: Path) -> None:
    """A checkpoint every second, and the job vacated in between: the verdicts are the uninterrupted ones."""
    long = APGD.replace("steps = 5", "steps = 1000").replace("8/255", "1")
    evicted = TinyRun(tmp_path / "evicted", pool, attacks=(long,))
    evicted.submit(CHECKPOINT_SECONDS=1)
    [pair] = Plan.read(evicted.run)
    evicted.until_said(pair.id, "progress: ")
    pool.run(["condor_vacate_job", "-fast", EventLog(evicted.run.events).nodes[pair.id].job], check=True)
    whole = TinyRun(tmp_path / "whole", pool, attacks=(long,))
    whole.submit()
    assert evicted.until("ended").counts["ok"] == 1
    assert EventLog(evicted.run.events).nodes[pair.id].evictions >= 1
    assert whole.until("ended").counts["ok"] == 1
    one, other = evicted.records()[pair.id], whole.records()[pair.id]
    assert [(b.verdicts, b.passes) for b in one.budgets] == [(b.verdicts, b.passes) for b in other.budgets]
    assert "c" in "".join(b.verdicts for b in one.budgets), "the attack is to break something"


def test_a_live_run_is_refused_and_condor_rm_still_gives_a_report(pool: Pool, tmp_path: Path) -> None:
    """While DAGMan works the folder is not written to; removing it runs FINAL and leaves a true status."""
    tiny = TinyRun(tmp_path, pool)
    cluster = tiny.submit(PYTHON=tiny.fake_python("sleep 600"))
    tiny.until("running")
    assert submission.live(tiny.run, pool.run) == cluster
    assert submission.live(tiny.run, None) == cluster
    pool.run(["condor_rm", str(cluster)], check=True)
    now = tiny.until("ended")
    assert submission.live(tiny.run, pool.run) is None
    assert (now.counts["ok"], now.counts["removed"]) == (0, 1)
    assert tiny.exit_code() != 0
    assert (
        "0 of 1" in (tiny.run.analysis / "report.html").read_text() or (tiny.run.analysis / "pairs.csv").exists()
    )


def test_a_weights_file_that_is_gone_ends_in_a_reported_hold(pool: Pool, tmp_path: Path) -> None:
    """A transfer error is tried again a bounded number of times, then removed; the reason is told."""
    tiny = TinyRun(tmp_path, pool)
    tiny.write(tiny.site(RETRIES=0, TRANSFER_RETRIES=0, HELD_SECONDS=3))
    (tmp_path / "one.safetensors").unlink()
    submission.submit(tiny.run, pool.run)
    now = tiny.until("ended")
    assert now.counts["removed"] == 1
    assert "weights-" in now.pairs[0].reason
    assert tiny.exit_code() != 0
    [bad] = failures.failed(Plan.read(tiny.run), tiny.run)
    assert "held" in bad.reason
    assert "removed" in bad.reason


def test_jobs_fetch_staged_weights_by_their_address(pool: Pool, tmp_path: Path) -> None:
    """From the site's folder by file:///, as on a machine that mounts it; the job checks the digest as ever."""
    tiny = TinyRun(tmp_path, pool)
    staged = (
        tmp_path / "weights" / f"weights-{digest.sha256_of_file(tmp_path / 'one.safetensors')[:12]}.safetensors"
    )
    staged.parent.mkdir()
    (tmp_path / "one.safetensors").rename(staged)
    (tmp_path / "one.safetensors").symlink_to(staged)
    tiny.submit(WEIGHTS=staged.parent, WEIGHTS_URL=f"file://{staged.parent}")
    assert tiny.until("ended").counts["ok"] == 1
    assert f'files="file://{staged}"' in (tiny.run.dag).read_text()


def test_a_wedged_job_is_ended_by_its_execute_duration(pool: Pool, tmp_path: Path) -> None:
    """A job that never ends is held by HTCondor, then removed, and the DAG goes on to its end."""
    tiny = TinyRun(tmp_path, pool)
    keys = {"RETRIES": 0, "CHECKPOINT_SECONDS": 3, "ALLOWED_EXECUTE_SECONDS": 4, "HELD_SECONDS": 3}
    tiny.submit(PYTHON=tiny.fake_python("sleep 600"), **keys)
    now = tiny.until("ended")
    assert now.counts["removed"] == 1
    assert "neither ended nor left a checkpoint" in now.pairs[0].reason


def test_a_python_that_is_not_there_is_a_failed_pair_after_retries(pool: Pool, tmp_path: Path) -> None:
    """A black-hole machine: the job still leaves what it declared, so nothing is held for ever."""
    tiny = TinyRun(tmp_path, pool)
    tiny.submit(PYTHON=tiny.fake_python("exit 127"), RETRIES=1)
    now = tiny.until("ended")
    assert now.counts["failed"] == 1
    assert now.pairs[0].tries == 2
    assert tiny.exit_code() != 0


def test_held_for_memory_once_is_released_with_more(pool: Pool, tmp_path: Path) -> None:
    """The hold is made by hand, its code set to that of memory: the job is released and asks for more."""
    tiny = TinyRun(tmp_path, pool)
    script = "sleep 600"
    cluster = tiny.submit(PYTHON=tiny.fake_python(script), RETRY_REQUEST_MEMORY_MB=3000)
    tiny.until("running")
    pair_id = next(iter(Plan.read(tiny.run))).id
    job = EventLog(tiny.run.events).nodes[pair_id].job
    pool.run(["condor_hold", job], check=True)
    tiny.until("held")
    pool.run(["condor_qedit", job, "HoldReasonCode", "34"], check=True)
    tiny.until("running")
    asked = pool.run(["condor_q", job, "-af", "RequestMemory"], check=True).stdout.split()
    assert asked == ["3000"]
    pool.run(["condor_rm", str(cluster)], check=True)
    tiny.until("ended")


def test_status_never_asks_the_queue(pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finished run's status is read with no HTCondor to be found at all."""
    tiny = TinyRun(tmp_path, pool)
    tiny.submit()
    tiny.until("ended")
    monkeypatch.setenv("CONDOR_CONFIG", os.devnull)
    monkeypatch.setenv("PATH", "")
    assert Watch(tiny.run).look().counts["ok"] == 1


def test_by_hand_is_the_same(pool: Pool, tmp_path: Path) -> None:
    """condor_submit_dag in another folder, on the file alone: same nodes, same outcome."""
    tiny = TinyRun(tmp_path, pool)
    tiny.write(tiny.site())
    pool.run(["condor_submit_dag", "-usedagdir", str(tiny.run.dag)], cwd=tiny.run.root, check=True)
    assert tiny.until("ended").counts["ok"] == 1
    with pytest.raises(ConfigErrors, match="condor_submit_dag"):
        submission.submit(tiny.run, pool.run)
