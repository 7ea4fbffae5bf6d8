"""The scheduler without a model: which search starts next, which waits, and how many passes are left."""

import random
from functools import partial

import pytest

from alignsec.engine.attacks.components import plan_stages
from alignsec.engine.replay_scheduler import ReplayScheduler
from alignsec.engine.scheduler import PATIENCE, Scheduler
from tests.alignsec.engine import small

PLAN = plan_stages(small.attack("autoattack", steps=10, targets=3, queries=50), classes=10)


def scheduler(verdicts=("RR", "RR"), eps=(0.1, 0.2), kind=Scheduler, **more):
    one = kind(PLAN, [list(each) for each in verdicts], **more)
    one.start(eps)
    return one


def taken(one, free=100):
    return [search for block in one.next_blocks(free) for search in block]


def named(searches):
    return [
        (s.stage_run.image, tuple(s.stage_run.budgets), s.stage_run.stage.component.name, s.number)
        for s in searches
    ]


def test_start_queues_every_robust_cell_with_a_budget_above_0():
    one = scheduler(("RWR", "RWR", "RWR"), eps=(0, 0.1, 0.2))
    assert one.undecided == 4
    assert named(taken(one)) == [(image, (budget,), "apgd-ce", 0) for budget in (1, 2) for image in (0, 2)]


def test_blocks_fit_the_free_slots():
    one = scheduler()
    assert len(taken(one, 3)) == 3
    assert len(taken(one, 3)) == 1


def test_a_shared_stage_waits_for_all_budgets_of_its_image():
    one = scheduler(("R", "R"))
    first, second = taken(one)
    one.finish(first)
    for _ in range(3):
        (search,) = taken(one)
        assert search.stage_run.stage.component.name == "apgd-t"
        one.finish(search)
    assert taken(one) == []
    one.mark_broken(second.stage_run, 1)
    assert named(taken(one)) == [(0, (0,), "fab-t", 0)]
    assert one.verdicts == [["R"], ["c"]]


def test_a_shared_stage_continues_for_the_budgets_it_has_not_broken():
    one = scheduler(("R", "R"))
    queue = taken(one)
    while queue[0].stage_run.stage.component.name != "fab-t":
        one.finish(queue.pop(0))
        queue += taken(one)
    (fab,) = queue
    assert fab.stage_run.budgets == [0, 1]
    one.mark_broken(fab.stage_run, 1)
    assert fab.stage_run.is_open
    assert one.undecided == 1
    for _ in range(3):
        one.finish(fab)
        (fab,) = taken(one)
    assert named([fab]) == [(0, (0,), "square", 0)]
    one.finish(fab)
    assert one.undecided == 0
    assert one.verdicts == [["R"], ["f"]]


def test_free_slots_take_later_targets_of_an_image_after_some_rounds():
    one = scheduler(("R",), eps=(0.1,))
    one.finish(taken(one)[0])
    assert [s.target for s in taken(one)] == [0]
    one.round += PATIENCE - 1
    assert taken(one) == []
    one.round += 1
    both = taken(one)
    assert [s.target for s in both] == [1, 2]
    one.mark_broken(both[1].stage_run, 0)
    assert one.undecided == 0
    assert taken(one) == []


def test_in_l1_patience_starts_when_points_count():
    """Expect that the passes in the larger balls do not count: of 10 steps, 3 and 3 with a start each."""
    one = Scheduler(plan_stages(small.attack("apgd-ce", "L1"), classes=10), [["R"]])
    one.start((0.1,))
    assert len(taken(one)) == 1
    one.round += PATIENCE + 7
    assert taken(one) == []
    one.round += 1
    assert len(taken(one)) == 1


def test_a_replay_keeps_the_searches_of_a_batch_together():
    one = scheduler(("RRR",), eps=(0.1,), kind=ReplayScheduler, batch=2)
    a, b, c = taken(one)
    one.finish(b)
    assert taken(one) == []
    one.finish(c)
    assert named(taken(one)) == [(2, (0,), "apgd-t", 0)]
    one.mark_broken(a.stage_run, 0)
    assert named(taken(one)) == [(1, (0,), "apgd-t", 0)]


def test_carry_decides_larger_budgets_only():
    one = scheduler(("R", "R", "R"), eps=(0.1, 0.2, 0.3), carry=True)
    searches = taken(one)
    assert one.mark_broken(searches[1].stage_run, 1) == [1, 2]
    assert one.verdicts == [["R"], ["c"], ["c"]]
    assert [s.stage_run.is_open for s in searches] == [True, False, False]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", [Scheduler, partial(ReplayScheduler, batch=2)], ids=["plain", "replay"])
def test_every_cell_is_decided_within_the_estimated_passes(seed, kind):
    """Expect that no cell is lost or decided twice in any order, and that the estimate never grows."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    one = scheduler(("RRWRR", "RRWRR", "RRWRR"), eps=(0.1, 0.2, 0.3), kind=kind, carry=seed % 2 == 0)
    active, spent, estimated = [], 0, one.passes_left
    while one.undecided:
        one.round += 1
        before = one.passes_left
        active = [s for s in active if s.stage_run.is_open] + taken(one, 7 - len(active))
        assert active
        assert len(active) <= 7
        search = chance.choice(active)
        spent += search.stage_run.stage.schedule.forward
        if chance.random() < 0.1:
            one.mark_broken(search.stage_run, chance.choice(search.stage_run.budgets))
        else:
            active.remove(search)
            one.finish(search)
        assert one.passes_left <= before
    assert one.passes_left == 0
    assert spent <= estimated + 7 * 50
    assert all(verdicts[2] == "W" for verdicts in one.verdicts)
