"""Retries on a real pool: a retry avoids the machine that failed, and waits for no other machine for ever."""

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from alignsec.run.event_log import EventLog
from alignsec.run.plan import Plan
from submit.pool import daemons
from submit.pool.config import FOLDERS
from submit.pool.pool import Pool
from tests.pool.pool_steps import WAIT_SECONDS, MakePool
from tests.pool.runs import TinyRun

SECOND = "second.machine"
FAIL_ONCE = f"""mark="$folder/failed-$(echo "$*" | tr -c 'a-z0-9\n' -)"
[ -e "$mark" ] || {{ : > "$mark"; exit 75; }}
exec "{sys.executable}" "$@"
"""
"""The first job of each pair fails, as on a broken machine."""


@contextmanager
def second_machine(pool: Pool, folder: Path, name: str) -> Iterator[None]:
    """Add a machine to a pool: a master and a startd under another host name."""
    for sub in FOLDERS:
        (folder / sub).mkdir(parents=True)
    address = re.match(r"<([^?>]+)", (pool.folder / "log/.collector_address").read_text())
    assert address is not None
    config = folder / "condor_config"
    lines = [f"LOCAL_DIR = {folder}", "DAEMON_LIST = MASTER, STARTD", f"NETWORK_HOSTNAME = {name}"]
    lines += [f"COLLECTOR_HOST = {address[1]}", f"FULL_HOSTNAME = {name}"]
    config.write_text(pool.config.read_text() + "\n".join(lines) + "\n")
    try:
        machine = replace(pool, config=config)
        machine.run(["condor_master", "-pidfile", folder / "master.pid"], cwd=folder, check=True)
        deadline = time.monotonic() + WAIT_SECONDS
        while name not in pool.run(["condor_status", "-af", "Machine"]).stdout.split():
            assert time.monotonic() < deadline, (folder / "log/MasterLog").read_text()
            time.sleep(0.2)
        yield
    finally:
        daemons.stop(config)


def test_a_retry_runs_on_another_machine(make_pool: MakePool, tmp_path: Path) -> None:
    """The first job of each pair fails on one of two machines; the second runs on the other one."""
    pool = make_pool("pool")
    attacks = ('method = "clean"', 'method = "square"\nnorm = "Linf"\neps = ["2/255"]\nqueries = 5')
    tiny = TinyRun(tmp_path / "run", pool, attacks=attacks)
    with second_machine(pool, tmp_path / "second", SECOND):
        tiny.submit(
            PYTHON=tiny.fake_python(f"folder={tiny.folder}\n{FAIL_ONCE}"), RETRIES=1, RETRY_ELSEWHERE_SECONDS=600
        )
        now = tiny.wait_for("ended")
    assert now.counts["ok"] == len(attacks), tiny.dagman_log()
    events = EventLog(tiny.run.events)
    for pair in Plan.read(tiny.run):
        history = events.nodes[pair.id]
        [failed] = history.failed_hosts
        machines = {host.rpartition("@")[2] for host in (failed, history.host)}
        assert len(machines) == 2, machines
        assert SECOND in machines


def test_in_a_pool_of_one_machine_a_retry_runs_after_some_time(pool: Pool, tmp_path: Path) -> None:
    tiny = TinyRun(tmp_path, pool)
    tiny.submit(
        PYTHON=tiny.fake_python(f"folder={tiny.folder}\n{FAIL_ONCE}"), RETRIES=1, RETRY_ELSEWHERE_SECONDS=3
    )
    assert tiny.wait_for("ended").counts["ok"] == 1
    [pair] = Plan.read(tiny.run)
    history = EventLog(tiny.run.events).nodes[pair.id]
    assert history.jobs == 2
    assert [host.rpartition("@")[2] for host in history.failed_hosts] == [history.host.rpartition("@")[2]]
