"""Histories of DAG nodes over all their jobs, read from HTCondor's event logs."""

from pathlib import Path

import pytest

from alignsec.run import event_log, event_reader
from alignsec.run.event_log import EventLog, find_running_cluster
from tests import event_text as text


def test_a_missing_or_empty_log_has_no_nodes(tmp_path: Path) -> None:
    assert EventLog(tmp_path / "none").nodes == {}
    (tmp_path / "empty").touch()
    assert EventLog(tmp_path / "empty").nodes == {}
    assert find_running_cluster(tmp_path / "none") is None


def test_a_node_that_ended(tmp_path: Path) -> None:
    log = EventLog(
        text.write(tmp_path / "log", text.submitted(7, 0, "n"), text.executing(7, 5), text.terminated(7, 65, 3))
    )
    node = log.nodes["n"]
    assert (node.state, node.exit_code, node.seconds, node.starts, node.job) == ("ended", 3, 60, 1, "7.0")
    assert node.host == "slot1_1@node"
    assert log.last - log.first == 65


def test_an_end_that_is_logged_twice_is_one_end(tmp_path: Path) -> None:
    """HTCondor does so if the schedd is killed between the end of a job and its removal from the queue."""
    once = (text.submitted(7, 0, "n"), text.executing(7, 5), text.terminated(7, 65, 75))
    log = EventLog(text.write(tmp_path / "log", *once, text.terminated(7, 80, 75)))
    node = log.nodes["n"]
    assert (node.seconds, node.since, node.failed_hosts) == (60, log.first + 65, ("slot1_1@node",))
    assert node == EventLog(text.write(tmp_path / "once", *once)).nodes["n"]


def test_logs_of_htcondor_25_name_the_nodes(tmp_path: Path) -> None:
    log = EventLog(text.write(tmp_path / "log", text.submitted_to_25(7, 0, "n"), text.executing(7, 5)))
    assert log.nodes["n"].state == "running"


def test_retries_are_jobs_of_one_node(tmp_path: Path) -> None:
    events = [text.submitted(1, 0, "n"), text.executing(1, 1), text.terminated(1, 2, 75)]
    log = EventLog(text.write(tmp_path / "log", *events, text.submitted(2, 3, "n")))
    node = log.nodes["n"]
    assert (node.jobs, node.job, node.state, node.exit_code) == (2, "2.0", "idle", None)


def test_holds_evictions_and_removal_are_recorded(tmp_path: Path) -> None:
    events = [
        *(text.submitted(1, 0, "n"), text.executing(1, 1), text.evicted(1, 2), text.executing(1, 3)),
        *(text.held(1, 4, 13, "no such file"), text.released(1, 5), text.held(1, 6, 34, "too much memory")),
        text.aborted(1, 7, "PeriodicRemove was true"),
    ]
    node = EventLog(text.write(tmp_path / "log", *events)).nodes["n"]
    assert [(hold.code, hold.reason) for hold in node.holds] == [(13, "no such file"), (34, "too much memory")]
    assert (node.state, node.evictions, node.starts) == ("removed", 1, 2)
    assert "held (too much memory), then removed (PeriodicRemove was true)" in node.summary


def test_update_reads_new_events(tmp_path: Path) -> None:
    log = EventLog(text.write(tmp_path / "log", text.submitted(1, 0, "n")))
    with (tmp_path / "log").open("a") as file:
        file.write(text.executing(1, 1))
    assert log.nodes["n"].state == "idle"
    log.update()
    assert log.nodes["n"].state == "running"


def test_update_finds_a_log_that_was_missing(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "log")
    text.write(tmp_path / "log", text.submitted(1, 0, "n"))
    log.update()
    assert log.nodes["n"].state == "idle"


def test_dagman_is_running_until_it_ends_or_is_removed(tmp_path: Path) -> None:
    started = [text.submitted(5, 0, ""), text.executing(5, 1)]
    assert find_running_cluster(text.write(tmp_path / "1", *started)) == 5
    assert find_running_cluster(text.write(tmp_path / "2", *started, text.terminated(5, 9, 0))) is None
    assert find_running_cluster(text.write(tmp_path / "other", *started, text.terminated(4, 9, 0))) == 5
    assert find_running_cluster(text.write(tmp_path / "3", *started, text.aborted(5, 9, "condor_rm"))) is None
    again = [*started, text.terminated(5, 9, 1), text.submitted(8, 10, "")]
    assert find_running_cluster(text.write(tmp_path / "4", *again)) == 8


HELD = [text.submitted(1, 0, "n"), text.executing(1, 1), text.held(1, 4, 13, "no such file")]


def test_another_log_continues_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads only what was added, and ends with the same histories as without a cache."""
    monkeypatch.setattr(event_log, "_MUCH_BYTES", 1)
    path, cache = text.write(tmp_path / "log", *HELD), tmp_path / ".events.json"
    EventLog(path, cache).save()
    with path.open("a") as file:
        file.write(text.released(1, 5) + text.executing(1, 6) + text.submitted(2, 7, "m"))
    parsed = []
    parse = event_reader.parse_event
    monkeypatch.setattr(event_reader, "parse_event", lambda event: parsed.append(event[:3]) or parse(event))
    found = EventLog(path, cache)
    assert parsed == ["013", "001", "000"]
    whole = EventLog(path)
    assert found.nodes == whole.nodes
    assert (found.first, found.last) == (whole.first, whole.last)


def test_a_cache_of_another_log_or_a_damaged_one_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "_MUCH_BYTES", 1)
    cache = tmp_path / ".events.json"
    EventLog(text.write(tmp_path / "log", *HELD), cache).save()
    other = text.write(tmp_path / "other", text.submitted(8, 0, "x"), *HELD)
    assert EventLog(other, cache).nodes.keys() == {"x", "n"}
    cache.write_bytes(cache.read_bytes()[:-9])
    assert EventLog(tmp_path / "log", cache).nodes == EventLog(tmp_path / "log").nodes


def test_a_short_log_needs_no_cache(tmp_path: Path) -> None:
    EventLog(text.write(tmp_path / "log", *HELD), tmp_path / "cache").save()
    assert not (tmp_path / "cache").exists()
