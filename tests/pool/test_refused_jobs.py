"""A pool whose schedd refuses the jobs of a run: the user is told why, without a query to the queue."""

from pathlib import Path

import pytest

from submit import failures
from tests.paths import CASES
from tests.pool.pool_steps import MakePool
from tests.pool.runs import TinyRun


def test_jobs_without_a_project_are_failures_with_the_schedds_reason(
    make_pool: MakePool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The access points of the OSPool refuse them. DAGMan tries six times, and the analysis is refused too."""
    rules = (CASES / "26-schedd-refuses-jobs" / "pool-extra").read_text(encoding="utf-8")
    # DAGMan waits twice as long after each try.
    pool = make_pool("strict", extra=f"{rules}DAGMAN_MAX_SUBMIT_ATTEMPTS = 2\n")
    tiny = TinyRun(tmp_path / "study", pool)
    tiny.submit()
    now = tiny.wait_for("ended")
    assert now.counts["failed"] == 1
    assert "You must set +ProjectName to submit jobs here" in now.pairs[0].reason
    monkeypatch.setattr("sys.argv", ["failures", str(tiny.run.root)])
    assert failures.main() == 1
    assert "You must set +ProjectName" in capsys.readouterr().out
    tiny.submit(SITE="generic", PROJECT_NAME="Some_Project")
    assert tiny.wait_for("ended").counts["ok"] == 1
