"""Parity: with the reference's random numbers, the engine gives the reference's verdict for every image."""

import pytest

from alignsec.evaluation import reference_run
from tests.alignsec.engine import small

BUDGETS = {"Linf": ("0.03", "0.08", "0.15"), "L2": ("0.2", "0.5", "1"), "L1": ("0.6", "1.5", "3")}
"""Budgets at which nearly all to nearly no images are robust, on both networks."""


def reference_evaluation(task):
    *_, last = reference_run.evaluate(task)
    return last


@pytest.mark.parametrize("norm", list(BUDGETS))
@pytest.mark.parametrize("robust", [False, True], ids=["plain", "robust"])
@pytest.mark.parametrize("method", ["apgd-ce", "apgd-t", "fab-t", "square", "autoattack"])
def test_every_verdict_equals_the_reference_s(method, robust, norm):
    """Expect the same letter, which also names the component."""
    task = small.task(robust, small.attack(method, norm, BUDGETS[norm]), images=40)
    assert small.verdicts(small.finished(task, replay=True, slots=100)) == small.verdicts(
        reference_evaluation(task)
    )


@pytest.mark.parametrize("norm", list(BUDGETS))
def test_restarts_draw_the_reference_s_numbers(norm):
    attack = small.attack("apgd-ce", norm, BUDGETS[norm][1:], restarts=3, steps=4)
    task = small.task(False, attack, images=40)
    assert small.verdicts(small.finished(task, replay=True, slots=100)) == small.verdicts(
        reference_evaluation(task)
    )


@pytest.mark.parametrize("norm", list(BUDGETS))
def test_batches_draw_the_reference_s_numbers(norm):
    """Expect parity for four batches, the last one short: the reference's numbers depend on the batch."""
    task = small.task(False, small.attack("autoattack", norm, BUDGETS[norm], batch=11, queries=30), images=40)
    assert small.verdicts(small.finished(task, replay=True, slots=16)) == small.verdicts(
        reference_evaluation(task)
    )


@pytest.mark.parametrize("norm", list(BUDGETS))
def test_long_searches_equal_the_reference_s(norm):
    """Expect parity through every halving of APGD's step and every window size of Square up to query 600."""
    attack = small.attack("autoattack", norm, BUDGETS[norm][1:2], steps=100, targets=1, queries=600)
    task = small.task(True, attack, images=12)
    assert small.verdicts(small.finished(task, replay=True, slots=100)) == small.verdicts(
        reference_evaluation(task)
    )


def test_own_noise_gives_nearly_the_reference_s_counts():
    task = small.task(True, small.attack("autoattack", "Linf", BUDGETS["Linf"], steps=20), images=40)
    own, theirs = small.finished(task).budgets, reference_evaluation(task).budgets
    assert all(abs(a.robust - b.robust) <= 1 for a, b in zip(own, theirs, strict=True))


def test_the_engine_spends_fewer_passes_than_the_reference():
    """Expect less than a third of the backward passes: images break early, and three budgets share FAB."""
    task = small.task(False, small.attack("autoattack", "L2", ("1", "2", "3")), images=30)
    own, theirs = small.finished(task), reference_evaluation(task)

    def backward(evaluation):
        return sum(passes.backward for budget in evaluation.budgets for passes in budget.passes.values())

    assert backward(theirs) > 3 * backward(own)


def test_replay_needs_slots_for_a_whole_batch():
    with pytest.raises(ValueError, match="a replay of batches of 100 needs as many slots, got 8"):
        small.finished(small.task(False, small.attack(), images=2), replay=True, slots=8)
