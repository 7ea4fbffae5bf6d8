"""Event logs that are damaged: everything undamaged is read, and nothing raises."""

import random
from datetime import datetime
from pathlib import Path

import htcondor2
import pytest

from alignsec.run import event_reader
from alignsec.run.event_log import EventLog, find_running_cluster
from alignsec.run.event_reader import EventReader, split_events
from tests.paths import CASES

SUBMIT = (
    "000 ({job:03d}.000.000) 2026-11-24 10:00:00 Job submitted from host: <127.0.0.1:9618>\n    DAG Node: {node}\n"
)
EXECUTE = (
    "001 ({job:03d}.000.000) 2026-11-24 10:00:01 Job executing on host: <127.0.0.1:9618>\n\tSlotName: slot1@a\n"
)
ENDED = (
    "005 ({job:03d}.000.000) 2026-11-24 10:00:03 Job terminated.\n\t(1) Normal termination (return value 0)\n"
    + "".join(f"\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  {what} Usage\n" for what in ("Run Remote", "Run Local"))
    + "".join(f"\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  {what} Usage\n" for what in ("Total Remote", "Total Local"))
    + "".join(f"\t0  -  {what}\n" for what in ("Run Bytes Sent By Job", "Run Bytes Received By Job"))
    + "".join(f"\t0  -  {what}\n" for what in ("Total Bytes Sent By Job", "Total Bytes Received By Job"))
)
END = "...\n"


def events(job: int, node: str) -> list[str]:
    return [text.format(job=job, node=node) + END for text in (SUBMIT, EXECUTE, ENDED)]


def read(path: Path, data: bytes) -> EventLog:
    path.write_bytes(data)
    return EventLog(path)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "study.dag.nodes.log"


WHOLE = "".join(events(1, "m1") + events(2, "m2")).encode()


@pytest.mark.parametrize(
    "damage",
    [
        b"\0" * 4096,
        b"\0" * 4096 + b"...\n",
        b"999 (003.000.000) 2026-11-24 10:00:02 An event of a future version\n...\n",
        b"012 (001.000.000) 2026-11-24 10:00:02 Job was h",
        b"012 (001.000.000) 2026-11-24 10:00:02 Job was h\n",
        b"garbage\nmore garbage\n...\n",
        b"...\n...\n",
        b"005 (001.000.000) 2026-11-24 10:00:03 Job terminated.\n\t(7) Strange termination\n...\n",
        b"006 (001.000.000) 2026-11-24 10:00:02 Image size of job updated: x\n\tx  -  MemoryUsage of job\n...\n",
        b"000 (99999999999999999999.000.000) 2026-11-24 10:00:02 Job submitted from host: <a>\n...\n",
        b"000 (003.000.000) 2026-99-99 99:99:99 Job submitted from host: <a>\n...\n",
    ],
)
def test_events_after_a_damaged_one_are_read(log: Path, damage: bytes):
    first, second = "".join(events(1, "m1")).encode(), "".join(events(2, "m2")).encode()
    found = read(log, first + damage + second)
    assert {name: found.nodes[name].state for name in ("m1", "m2")} == {"m1": "ended", "m2": "ended"}
    assert found.nodes["m2"].exit_code == 0


def test_a_reason_in_latin_1_is_read(log: Path):
    held = "012 (001.000.000) 2026-11-24 10:00:02 Job was held.\n\tRéason\n\tCode 1 Subcode 2\n...\n"
    found = read(log, "".join(events(1, "m1")[:2]).encode() + held.encode("latin-1") + events(2, "m2")[0].encode())
    assert found.nodes["m1"].state == "held"
    assert "ason" in found.nodes["m1"].holds[0].reason
    assert "m2" in found.nodes


def test_damaged_events_are_counted_and_reported(log: Path):
    found = read(log, WHOLE + b"garbage\n...\n" + "".join(events(3, "m3")).encode())
    assert "m3" in found.nodes
    assert found.warning == (
        "study.dag.nodes.log: 1 damaged event was skipped; tries, holds and evictions may be incomplete"
    )
    assert read(log, WHOLE).warning == ""


def test_events_that_follow_the_damage_later_are_read_once(log: Path):
    found = read(log, "".join(events(1, "m1")).encode() + b"garbage\n...\n")
    with log.open("ab") as file:
        file.write("".join(events(2, "m2")).encode())
    found.update()
    found.update()
    assert found.nodes["m2"].jobs == 1
    assert found.nodes["m1"].jobs == 1
    assert found.nodes["m2"].state == "ended"


def test_a_log_that_is_still_being_written_is_not_damaged(log: Path):
    found = read(log, WHOLE[:-30])
    assert found.warning == ""
    assert found.nodes["m2"].state == "running"
    log.write_bytes(WHOLE)
    found.update()
    assert found.nodes["m2"].state == "ended"


@pytest.mark.parametrize("seed", range(20))
def test_random_damage_never_raises(log: Path, seed: int):
    """Bytes changed, removed and inserted behind the first node's events, which are read whatever follows."""
    rng = random.Random(seed)  # noqa: S311 - nothing is encrypted
    first, rest = "".join(events(1, "m1")).encode(), bytearray("".join(events(2, "m2") + events(3, "m3")).encode())
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(rest))
        match rng.randrange(4):
            case 0:
                rest[at] = rng.randrange(256)
            case 1:
                del rest[at : at + rng.randint(1, 200)]
            case 2:
                rest[at:at] = rng.randbytes(rng.randint(1, 40))
            case 3:
                rest[at:at] = b"\0" * rng.randint(1, 5000)
    found = read(log, first + bytes(rest))
    assert found.nodes["m1"].state == "ended"
    find_running_cluster(log)


def test_the_end_of_dagman_is_found_behind_damage(log: Path):
    submitted, _, ended = (text.encode() for text in events(7, "x"))
    log.write_bytes(submitted + b"\0" * 100 + b"\n...\n" + ended)
    assert find_running_cluster(log) is None


def test_a_cut_event_does_not_swallow_the_next_one():
    found, damaged = split_events(b"012 (001.000.000) 2026-11-24 10:00:02 Job w\n" + events(2, "m2")[0].encode())
    assert [event[:3] for event in found] == ["000"]
    assert damaged == 1


def test_the_end_of_a_job_behind_an_event_that_is_cut_anywhere_is_read(log: Path):
    """Also behind a digit: a full disk cut "<127.0.0.1:38" before "005 (153.000.000)"."""
    submitted, executing, ended = events(1, "m1")
    for length in range(len(executing) + 1):
        found = read(log, (submitted + executing[:length] + ended).encode())
        assert found.nodes["m1"].state == "ended", executing[:length]
        log.unlink()


def test_htcondors_bindings_read_the_same_events(log: Path):
    """Held, evicted, aborted, killed by a signal, and memory usage."""
    more = (
        "012 (003.000.000) 2026-11-24 10:00:02 Job was held.\n\tout of  memory\n\tCode 34 Subcode 102\n...\n"
        "013 (003.000.000) 2026-11-24 10:00:03 Job was released.\n\tvia condor_release\n...\n"
        "006 (003.000.000) 2026-11-24 10:00:04 Image size of job updated: 9\n"
        "\t651  -  MemoryUsage of job (MB)\n...\n"
        "009 (003.000.000) 2026-11-24 10:00:05 Job was aborted.\n\tvia condor_rm (by user a)\n...\n"
    )
    killed = events(4, "m4")[2].replace(
        "(1) Normal termination (return value 0)", "(0) Abnormal termination (signal 9)"
    )
    killed = killed.replace("\t\tUsr", "\t(0) No core file\n\t\tUsr", 1)
    text = "".join(events(1, "m1") + events(3, "m3")[:2]) + more + "".join([*events(4, "m4")[:2], killed])
    plain = read(log, text.encode())
    assert plain.warning == ""
    assert [(one.type, one.job, one.timestamp) for one in EventReader(log).read_new()] == [
        (int(one.type), f"{one.cluster}.{one.proc}", one.timestamp)
        for one in htcondor2.JobEventLog(str(log)).events(stop_after=0)
    ]
    damaged = read(log, text.encode() + b"garbage\n...\n" + END.encode())
    assert damaged.warning
    assert damaged.nodes == plain.nodes
    assert plain.nodes["m3"].holds[0].reason == "out of memory"
    assert plain.nodes["m4"].exit_code == -9


def test_a_missing_log_has_no_events(log: Path):
    assert list(EventReader(log).read_new()) == []
    assert not EventReader(log).is_replaced()


@pytest.mark.parametrize(
    ("name", "state", "evictions", "damaged"),
    [
        ("cut-mid-event", "running", 0, False),
        ("evicted-ckpt", "idle", 1, False),
        ("fuzz-HTCondorException_ULOG_RD_ERRO", "ended", 0, True),
        ("held-unspecified", "held", 0, False),
        ("iso", "ended", 0, False),
        ("nul-bytes", "ended", 0, False),
        ("utc", "ended", 0, False),
    ],
)
def test_logs_of_real_cases(name: str, state: str, evictions: int, damaged: bool):
    """Some ended in a traceback. The time is UTC's: the same on a machine in any time zone if the log says Z."""
    found = EventLog(CASES / "24-event-logs" / f"{name}.log")
    node = found.nodes["m1--clean--abc"]
    assert (node.state, node.evictions, node.memory_mb, bool(found.warning)) == (state, evictions, 651, damaged)
    assert node.seconds == (2 if state == "ended" else 0)
    assert all(hold.reason for hold in node.holds)


def test_another_log_of_the_same_name_is_read_from_its_beginning(log: Path):
    """A new submission moves the old log away. The new one may already be longer than what was read."""
    found = read(log, "".join(events(1, "m1")).encode())
    log.write_bytes("".join(events(5, "m5") + events(6, "m6")).encode())
    found.update()
    assert found.nodes.keys() == {"m5", "m6"}
    log.unlink()
    found.update()
    assert found.nodes == {}
    assert (found.first, found.last) == (0, 0)


@pytest.mark.parametrize("size", [1, 7, 100, 1000])
def test_the_result_does_not_depend_on_where_the_log_was_cut(
    log: Path, size: int, monkeypatch: pytest.MonkeyPatch
):
    """The log is read in pieces, and while it is written."""
    data = WHOLE.replace(b"...\n", b"...  \r\n", 2) + b"\0\0garbage\n...\n" + "".join(events(3, "m3")).encode()
    expected = read(log, data)
    monkeypatch.setattr(event_reader, "_CHUNK_BYTES", 64)
    assert EventLog(log).nodes == expected.nodes
    found = read(log, b"")
    for end in range(size, len(data) + size, size):
        log.write_bytes(data[:end])
        found.update()
    assert found.nodes == expected.nodes
    assert found.warning == expected.warning != ""


def test_dates_without_a_year_and_in_utc(log: Path):
    """Pools can be configured to write both."""
    utc = SUBMIT.format(job=1, node="m1").replace("10:00:00", "10:00:00.123Z") + END
    assert read(log, utc.encode()).first == 1795514400
    day = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    short = SUBMIT.format(job=1, node="m1").replace("2026-11-24 10:00:00", f"{day:%m/%d} 00:00:07") + END
    assert read(log, short.encode()).first == int(day.timestamp()) + 7


def test_the_memory_is_that_of_the_table_at_the_end(log: Path):
    """DAGMan's log has no events of memory usage. Without a usage, the table has only request and allocation."""
    table = "\tPartitionable Resources :    Usage  Request Allocated \n"
    table += "\t   Memory (MB)          :{:>9}     1100      1152 \n"
    for usage, expected in (("861", 861), ("", 0)):
        ended = ENDED.format(job=1) + table.format(usage)
        found = read(log, "".join([*events(1, "m1")[:2], ended, END]).encode())
        assert found.nodes["m1"].memory_mb == expected
