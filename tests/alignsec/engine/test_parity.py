"""With the reference's own noise, the engine gives the reference's verdict for every image."""

import pytest

from alignsec.evaluation import reference_run
from tests.alignsec.engine import small

BUDGETS = {"Linf": ("0.03", "0.08", "0.15"), "L2": ("0.2", "0.5", "1"), "L1": ("0.6", "1.5", "3")}
"""From nearly all images robust to nearly none, on both networks."""


def by_the_reference(task):
    *_, last = reference_run.evaluate(task)
    return last


@pytest.mark.parametrize("norm", list(BUDGETS))
@pytest.mark.parametrize("robust", [False, True], ids=["plain", "robust"])
@pytest.mark.parametrize("method", ["apgd-ce", "apgd-t", "fab-t", "square", "autoattack"])
def test_every_image_has_the_reference_s_verdict(method, robust, norm):
    """Letter by letter: also the component that broke it."""
    task = small.task(robust, small.attack(method, norm, BUDGETS[norm]), images=40)
    assert small.verdicts(small.finished(task, replay=True, slots=100)) == small.verdicts(by_the_reference(task))


@pytest.mark.parametrize("norm", list(BUDGETS))
def test_restarts_draw_as_the_reference_does(norm):
    attack = small.attack("apgd-ce", norm, BUDGETS[norm][1:], restarts=3, steps=4)
    task = small.task(False, attack, images=40)
    assert small.verdicts(small.finished(task, replay=True, slots=100)) == small.verdicts(by_the_reference(task))


@pytest.mark.parametrize("norm", list(BUDGETS))
def test_batches_draw_as_the_reference_does(norm):
    """The reference's noise depends on who shares a batch: here four batches, the last one short."""
    task = small.task(False, small.attack("autoattack", norm, BUDGETS[norm], batch=11, queries=30), images=40)
    assert small.verdicts(small.finished(task, replay=True, slots=16)) == small.verdicts(by_the_reference(task))


@pytest.mark.parametrize("norm", list(BUDGETS))
def test_a_search_as_long_as_the_standard_s_keeps_step_with_the_reference(norm):
    """Every halving of APGD's step and every size of Square's windows up to query 600 comes into play."""
    attack = small.attack("autoattack", norm, BUDGETS[norm][1:2], steps=100, targets=1, queries=600)
    task = small.task(True, attack, images=12)
    assert small.verdicts(small.finished(task, replay=True, slots=100)) == small.verdicts(by_the_reference(task))


def test_own_noise_leaves_the_robust_counts_close_to_the_reference_s():
    task = small.task(True, small.attack("autoattack", "Linf", BUDGETS["Linf"], steps=20), images=40)
    own, theirs = small.finished(task).budgets, by_the_reference(task).budgets
    assert all(abs(a.robust - b.robust) <= 1 for a, b in zip(own, theirs, strict=True))


def test_the_engine_spends_fewer_passes_than_the_reference():
    """Fewest backward passes where images break; a third of FAB's where three budgets share it."""
    task = small.task(False, small.attack("autoattack", "L2", ("1", "2", "3")), images=30)
    own, theirs = small.finished(task), by_the_reference(task)

    def backward(known):
        return sum(passes.backward for budget in known.budgets for passes in budget.passes.values())

    assert backward(theirs) > 3 * backward(own)


def test_replay_needs_slots_for_a_whole_batch():
    with pytest.raises(ValueError, match="8 slots cannot replay batches of 100"):
        small.finished(small.task(False, small.attack(), images=2), replay=True, slots=8)
