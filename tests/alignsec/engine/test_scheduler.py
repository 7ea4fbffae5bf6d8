"""The scheduler without a model: which search starts next, which waits, and how many passes are left."""

import random
from functools import partial

import pytest

from alignsec.engine.attacks.components import plan_stages
from alignsec.engine.replay_scheduler import ReplayScheduler
from alignsec.engine.scheduler import PATIENCE, Scheduler
from tests.alignsec.engine import small

PLAN = plan_stages(small.attack("autoattack", steps=10, targets=3, queries=50), classes=10)


def build_scheduler(verdicts=("RR", "RR"), eps=(0.1, 0.2), kind=Scheduler, **more):
    scheduler = kind(PLAN, [list(each) for each in verdicts], **more)
    scheduler.start(eps)
    return scheduler


def taken(scheduler, free=100):
    return [search for block in scheduler.next_blocks(free) for search in block]


def named(searches):
    return [
        (s.stage_run.image, tuple(s.stage_run.budgets), s.stage_run.stage.component.name, s.number)
        for s in searches
    ]


def test_start_queues_every_robust_cell_with_a_budget_above_0():
    scheduler = build_scheduler(("RWR", "RWR", "RWR"), eps=(0, 0.1, 0.2))
    assert scheduler.undecided == 4
    assert named(taken(scheduler)) == [(image, (budget,), "apgd-ce", 0) for budget in (1, 2) for image in (0, 2)]


def test_blocks_fit_the_free_slots():
    scheduler = build_scheduler()
    assert len(taken(scheduler, 3)) == 3
    assert len(taken(scheduler, 3)) == 1


def test_a_shared_stage_waits_for_all_budgets_of_its_image():
    scheduler = build_scheduler(("R", "R"))
    first, second = taken(scheduler)
    scheduler.finish(first)
    for _ in range(3):
        (search,) = taken(scheduler)
        assert search.stage_run.stage.component.name == "apgd-t"
        scheduler.finish(search)
    assert taken(scheduler) == []
    scheduler.mark_broken(second.stage_run, 1)
    assert named(taken(scheduler)) == [(0, (0,), "fab-t", 0)]
    assert scheduler.verdicts == [["R"], ["c"]]


def test_a_shared_stage_continues_for_the_budgets_it_has_not_broken():
    scheduler = build_scheduler(("R", "R"))
    queue = taken(scheduler)
    while queue[0].stage_run.stage.component.name != "fab-t":
        scheduler.finish(queue.pop(0))
        queue += taken(scheduler)
    (fab,) = queue
    assert fab.stage_run.budgets == [0, 1]
    scheduler.mark_broken(fab.stage_run, 1)
    assert fab.stage_run.is_open
    assert scheduler.undecided == 1
    for _ in range(3):
        scheduler.finish(fab)
        (fab,) = taken(scheduler)
    assert named([fab]) == [(0, (0,), "square", 0)]
    scheduler.finish(fab)
    assert scheduler.undecided == 0
    assert scheduler.verdicts == [["R"], ["f"]]


def test_free_slots_take_later_targets_of_an_image_after_some_rounds():
    scheduler = build_scheduler(("R",), eps=(0.1,))
    scheduler.finish(taken(scheduler)[0])
    assert [s.target for s in taken(scheduler)] == [0]
    scheduler.round += PATIENCE - 1
    assert taken(scheduler) == []
    scheduler.round += 1
    both = taken(scheduler)
    assert [s.target for s in both] == [1, 2]
    scheduler.mark_broken(both[1].stage_run, 0)
    assert scheduler.undecided == 0
    assert taken(scheduler) == []


def test_in_l1_patience_starts_when_points_count():
    """Expect that the passes in the larger balls do not count: of 10 steps, 3 and 3 with a start each."""
    scheduler = Scheduler(plan_stages(small.attack("apgd-ce", "L1"), classes=10), [["R"]])
    scheduler.start((0.1,))
    assert len(taken(scheduler)) == 1
    scheduler.round += PATIENCE + 7
    assert taken(scheduler) == []
    scheduler.round += 1
    assert len(taken(scheduler)) == 1


def test_a_replay_keeps_the_searches_of_a_batch_together():
    scheduler = build_scheduler(("RRR",), eps=(0.1,), kind=ReplayScheduler, batch=2)
    a, b, c = taken(scheduler)
    scheduler.finish(b)
    assert taken(scheduler) == []
    scheduler.finish(c)
    assert named(taken(scheduler)) == [(2, (0,), "apgd-t", 0)]
    scheduler.mark_broken(a.stage_run, 0)
    assert named(taken(scheduler)) == [(1, (0,), "apgd-t", 0)]


def test_carry_decides_larger_budgets_only():
    scheduler = build_scheduler(("R", "R", "R"), eps=(0.1, 0.2, 0.3), carry=True)
    searches = taken(scheduler)
    assert scheduler.mark_broken(searches[1].stage_run, 1) == [1, 2]
    assert scheduler.verdicts == [["R"], ["c"], ["c"]]
    assert [s.stage_run.is_open for s in searches] == [True, False, False]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", [Scheduler, partial(ReplayScheduler, batch=2)], ids=["plain", "replay"])
def test_every_cell_is_decided_within_the_estimated_passes(seed, kind):
    """Expect that no cell is lost or decided twice in any order, and that the estimate never grows."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    scheduler = build_scheduler(("RRWRR", "RRWRR", "RRWRR"), eps=(0.1, 0.2, 0.3), kind=kind, carry=seed % 2 == 0)
    active, spent, estimated = [], 0, scheduler.passes_left
    while scheduler.undecided:
        scheduler.round += 1
        before = scheduler.passes_left
        active = [s for s in active if s.stage_run.is_open] + taken(scheduler, 7 - len(active))
        assert active
        assert len(active) <= 7
        search = chance.choice(active)
        spent += search.stage_run.stage.schedule.forward
        if chance.random() < 0.1:
            scheduler.mark_broken(search.stage_run, chance.choice(search.stage_run.budgets))
        else:
            active.remove(search)
            scheduler.finish(search)
        assert scheduler.passes_left <= before
    assert scheduler.passes_left == 0
    assert spent <= estimated + 7 * 50
    assert all(verdicts[2] == "W" for verdicts in scheduler.verdicts)
