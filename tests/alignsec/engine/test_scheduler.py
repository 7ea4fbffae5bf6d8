"""The agenda without a model: who goes next, who waits for whom, and what is left."""

import random

import pytest

from alignsec.engine.attacks.components import plan_stages
from alignsec.engine.scheduler import PATIENCE, Scheduler
from tests.alignsec.engine import small

PLAN = plan_stages(small.attack("autoattack", steps=10, targets=3, queries=50), classes=10)


def agenda(letters=("RR", "RR"), eps=(0.1, 0.2), **more):
    one = Scheduler(PLAN, [list(each) for each in letters], **more)
    one.begin(eps)
    return one


def taken(one, free=100):
    return [search for block in one.take(free) for search in block]


def named(searches):
    return [(s.course.image, tuple(s.course.budgets), s.course.stage.component.name, s.number) for s in searches]


def test_it_begins_with_every_lane_that_has_something_to_search():
    one = agenda(("RWR", "RWR", "RWR"), eps=(0, 0.1, 0.2))
    assert one.undecided == 4
    assert named(taken(one)) == [(image, (budget,), "apgd-ce", 0) for budget in (1, 2) for image in (0, 2)]


def test_no_more_than_the_free_slots_are_filled():
    one = agenda()
    assert len(taken(one, 3)) == 3
    assert len(taken(one, 3)) == 1


def test_a_shared_stage_waits_for_all_budgets_of_its_image_and_serves_them_together():
    one = agenda(("R", "R"))
    first, second = taken(one)
    one.ended(first)
    for _ in range(3):
        (search,) = taken(one)
        assert search.course.stage.component.name == "apgd-t"
        one.ended(search)
    assert taken(one) == []
    one.broken(second.course, 1)
    assert named(taken(one)) == [(0, (0,), "fab-t", 0)]
    assert one.letters == [["R"], ["c"]]


def test_a_shared_stage_goes_on_for_the_budgets_that_it_has_not_broken():
    one = agenda(("R", "R"))
    queue = taken(one)
    while queue[0].course.stage.component.name != "fab-t":
        one.ended(queue.pop(0))
        queue += taken(one)
    (fab,) = queue
    assert fab.course.budgets == [0, 1]
    one.broken(fab.course, 1)
    assert fab.course.open
    assert one.undecided == 1
    for _ in range(3):
        one.ended(fab)
        (fab,) = taken(one)
    assert named([fab]) == [(0, (0,), "square", 0)]
    one.ended(fab)
    assert one.undecided == 0
    assert one.letters == [["R"], ["f"]]


def test_idle_slots_take_an_image_s_targets_side_by_side_after_a_while():
    one = agenda(("R",), eps=(0.1,))
    one.ended(taken(one)[0])
    assert [s.target for s in taken(one)] == [0]
    one.round += PATIENCE - 1
    assert taken(one) == []
    one.round += 1
    both = taken(one)
    assert [s.target for s in both] == [1, 2]
    one.broken(both[1].course, 0)
    assert one.undecided == 0
    assert taken(one) == []


def test_in_l1_idle_slots_wait_until_points_have_counted_for_a_while():
    """Of 10 steps, 3 and 3 with a start each are in the larger balls."""
    one = Scheduler(plan_stages(small.attack("apgd-ce", "L1"), classes=10), [["R"]])
    one.begin((0.1,))
    assert len(taken(one)) == 1
    one.round += PATIENCE + 7
    assert taken(one) == []
    one.round += 1
    assert len(taken(one)) == 1


def test_a_batch_goes_on_together_to_replay_the_reference():
    one = agenda(("RRR",), eps=(0.1,), batch=2)
    a, b, c = taken(one)
    one.ended(b)
    assert taken(one) == []
    one.ended(c)
    assert named(taken(one)) == [(2, (0,), "apgd-t", 0)]
    one.broken(a.course, 0)
    assert named(taken(one)) == [(1, (0,), "apgd-t", 0)]


def test_carried_verdicts_decide_larger_budgets_only():
    one = agenda(("R", "R", "R"), eps=(0.1, 0.2, 0.3), carry=True)
    searches = taken(one)
    assert one.broken(searches[1].course, 1) == [1, 2]
    assert one.letters == [["R"], ["c"], ["c"]]
    assert [s.course.open for s in searches] == [True, False, False]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("batch", [None, 2])
def test_whatever_breaks_everything_is_decided_within_the_passes_foretold(seed, batch):
    """Searches end or break in any order: no lane is lost, none is decided twice, and estimates only fall."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    one = agenda(("RRWRR", "RRWRR", "RRWRR"), eps=(0.1, 0.2, 0.3), batch=batch, carry=seed % 2 == 0)
    flying, spent, foretold = [], 0, one.passes_left
    while one.undecided:
        one.round += 1
        before = one.passes_left
        flying = [s for s in flying if s.course.open] + taken(one, 7 - len(flying))
        assert flying
        assert len(flying) <= 7
        search = chance.choice(flying)
        spent += search.course.stage.schedule.forward
        if chance.random() < 0.1:
            one.broken(search.course, chance.choice(search.course.budgets))
        else:
            flying.remove(search)
            one.ended(search)
        assert one.passes_left <= before
    assert one.passes_left == 0
    assert spent <= foretold + 7 * 50
    assert all(letters[2] == "W" for letters in one.letters)
