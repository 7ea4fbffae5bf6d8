"""The fault campaign's schedules, damage and summary; the campaign itself needs a pool and is `make faults`."""

import random
from pathlib import Path

import pytest

from benchmarks.faults import actions, summary
from benchmarks.faults.campaign import Schedule, SeedResult
from benchmarks.faults.kinds import KINDS


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
