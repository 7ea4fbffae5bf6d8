"""Real holds on a pool that enforces its requests: a job that exceeds memory or disk runs again with more."""

import re
from pathlib import Path

from alignsec.run.event_log import EventLog
from submit.condor import submission
from tests.pool.pool_steps import MakePool
from tests.pool.runs import TinyRun

ENFORCED = "use POLICY : HOLD_IF_MEMORY_EXCEEDED\nuse POLICY : HOLD_IF_DISK_EXCEEDED\n"
SMALL_MB = 100


def test_a_job_that_exceeds_memory_and_disk_is_released_with_more(make_pool: MakePool, tmp_path: Path) -> None:
    """The first try exceeds its disk, the second its memory, and the third is the real job."""
    pool = make_pool("strict", extra=ENFORCED)
    tiny = TinyRun(tmp_path / "study", pool)
    marks = tmp_path / "marks"
    marks.mkdir()
    marks.chmod(0o777)
    real = tiny.site().job_python
    allocate = "import time; kept = bytearray(b'x') * 300_000_000; time.sleep(600)"
    python = tiny.fake_python(
        f"""\
if ! test -e {marks}/disk; then : > {marks}/disk; head -c 300000000 /dev/zero > big; sync; exec sleep 600; fi
if ! test -e {marks}/memory; then : > {marks}/memory; exec {real} -c "{allocate}"; fi
exec {real} "$@"
"""
    )
    tiny.write(tiny.site(PYTHON=python))
    text = tiny.run.dag.read_text(encoding="utf-8")
    tiny.run.dag.write_text(re.sub(r'\b(memory|disk)="\d+"', rf'\1="{SMALL_MB}"', text), encoding="utf-8")
    submission.submit_dag(tiny.run, pool.run)
    now = tiny.wait_for("ended")
    assert now.counts["ok"] == 1
    holds = next(node.holds for name, node in EventLog(tiny.run.events).nodes.items() if name.startswith("one--"))
    assert ["disk" in hold.reason.lower() for hold in holds] == [True, False]
    assert "memory" in holds[1].reason.lower()
