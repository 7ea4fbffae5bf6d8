"""The fault campaign's schedules, damage and summary; the campaign itself needs a pool and is `make faults`."""

import json
import random
from pathlib import Path

import pytest

from benchmarks.faults import actions, page, summary
from benchmarks.faults.fault import Fault, Kind
from benchmarks.faults.kinds import KINDS
from benchmarks.faults.result import ResultFile, SeedResult
from benchmarks.faults.schedule import Schedule
from benchmarks.faults.seed_run import SeedRun
from submit.pool.pool import Pool
from tests import event_text


def test_a_seed_always_gives_the_same_schedule():
    assert [Schedule.from_seed(seed) for seed in range(200)] == [Schedule.from_seed(seed) for seed in range(200)]


def test_successive_seeds_have_every_kind_and_each_fourth_has_two():
    schedules = [Schedule.from_seed(seed) for seed in range(len(KINDS))]
    assert {schedule.kinds[0] for schedule in schedules} == set(KINDS)
    for schedule in schedules:
        assert len(set(schedule.kinds)) == len(schedule.kinds)
        assert len({KINDS[kind].local for kind in schedule.kinds}) == 1, "pool and local faults cannot be mixed"
        if schedule.seed % 4 != 3:
            assert len(schedule.kinds) == 1
    assert sum(len(schedule.kinds) == 2 for schedule in schedules) > len(KINDS) // 5


@pytest.mark.parametrize("seed", range(12))
def test_damage_changes_a_file_and_not_the_original_of_a_link(tmp_path: Path, seed: int):
    original, link = tmp_path / "original", tmp_path / "link"
    original.write_bytes(b"weights" * 100)
    link.symlink_to(original)
    assert actions.damage_path(link, random.Random(seed))  # noqa: S311
    assert not link.exists() or link.read_bytes() != original.read_bytes()
    assert original.read_bytes() == b"weights" * 100


def test_nothing_to_damage_keeps_the_fault_pending(tmp_path: Path):
    assert not actions.damage_path(tmp_path / "missing", random.Random(0))  # noqa: S311


def test_the_summary_counts_what_was_lost_and_groups_by_kind():
    kill, hold = "SIGKILL of a job", "job held"
    results = [
        SeedResult(0, (kill,), happened=[kill], detected=["retried"], submissions=1),
        SeedResult(1, (kill,), happened=[kill], submissions=2, lost=1),
        SeedResult(3, (kill, hold), happened=[hold], submissions=1),
    ]
    rows = {row["fault"]: row for row in summary.summarise(results)}
    assert rows[kill]["outcome"] == {"same verdicts after 1 submission": 1, "lost after 2 submissions": 1}
    assert (rows[kill]["seeds"], rows[kill]["faults"], rows[kill]["lost"]) == (2, 2, 1)
    assert rows["two faults"]["faults"] == 1
    assert summary.format_table(results).endswith("3 seeds, 3 faults: 1 lost, 0 doubled, 0 wrong, 0 hung\n")


def test_a_stopped_campaign_continues(tmp_path: Path):
    first = ResultFile(tmp_path / "results.jsonl")
    first.add(SeedResult(5, ("job held",), happened=["job held"], submissions=2), 30.0)
    second = ResultFile(tmp_path / "results.jsonl")
    assert second.done == {5}
    assert second.results == first.results
    second.add(SeedResult(6, ("job removed",), submissions=1), 12.0)
    third = ResultFile(tmp_path / "results.jsonl")
    assert (third.done, third.seconds) == ({5, 6}, 42.0)


@pytest.mark.parametrize(("event", "happened"), [("004", True), ("012", False)])
def test_a_fault_counts_only_if_the_event_log_shows_it(tmp_path: Path, event: str, happened: bool):
    """condor_vacate_job also succeeds for a job that has just ended."""
    run = SeedRun(tmp_path, Pool(tmp_path, tmp_path, None, "user", owned=False), tmp_path)
    run.run.root.mkdir(parents=True)
    kind = Kind(lambda fault: True, event="004")
    fault = Fault("job vacated", kind, run, "pair", 0.0, random.Random(0))  # noqa: S311
    run.run.events.write_text(event_text.submitted(7, 0, "pair") + event_text.executing(7, 1))
    fault.inject(100.0)
    assert not fault.done
    with run.run.events.open("a") as log:
        log.write(event_text.event(int(event), 7, 2, "Something happened."))
    fault.confirm()
    assert fault.done == happened


def test_an_end_that_is_logged_twice_is_one_success(tmp_path: Path):
    run = SeedRun(tmp_path, Pool(tmp_path, tmp_path, None, "user", owned=False), tmp_path)
    run.run.root.mkdir(parents=True)
    once = event_text.executing(7, 1) + event_text.terminated(7, 2, 0)
    run.run.events.write_text(event_text.submitted(7, 0, "pair") + once + event_text.terminated(7, 3, 0))
    assert run.count_successes() == {"pair": 1}
    run.run.events.write_text(event_text.submitted(7, 0, "pair") + once + once)
    assert run.count_successes() == {"pair": 2}


def test_the_page_has_a_row_for_each_kind_and_the_counts(tmp_path: Path):
    file = ResultFile(tmp_path / "results.jsonl")
    file.add(SeedResult(0, ("job held",), happened=["job held"], detected=["a | b"], submissions=2), 3600.0)
    file.add(SeedResult(1, ("job removed",), submissions=1, wrong=1), 7200.0)
    summary.write(tmp_path / "faults.json", file)
    text = page.render(json.loads((tmp_path / "faults.json").read_text()))
    assert "**2 seeds, 1 faults: 0 lost, 0 doubled, 1 wrong, 0 hung.** It took 2 hours." in text
    assert "| job held | 1 | 1 | a \\| b | 0 | 1 x 2 |" in text
    assert "| job removed | 1 | 0 | nothing to detect | 1 wrong | 1 x wrong after 1 submission |" in text


def test_the_page_in_docs_is_current():
    assert page.PAGE.read_text(encoding="utf-8") == page.render(
        json.loads(page.RESULTS.read_text(encoding="utf-8"))
    )
