"""Invariance: verdicts do not depend on batch size, order, sharding or interruption."""

import pytest
import torch

from alignsec.engine import Settings, evaluate
from alignsec.engine.snapshot import SnapshotError
from alignsec.evaluation.evaluation import Evaluation
from tests.alignsec.engine import small

BUDGETS = {"Linf": ("0.05", "0.12"), "L2": ("0.4", "0.9"), "L1": ("1", "2.5")}


def task(norm, images=24, method="autoattack", **more):
    return small.task(False, small.attack(method, norm, BUDGETS[norm], **more), images)


@pytest.mark.parametrize("norm", list(BUDGETS))
@pytest.mark.parametrize("slots", [1, 3, 200])
def test_slots_do_not_change_verdicts(norm, slots):
    """Expect this for 200 slots, where all targets of an image run in parallel, and for 1, where none do."""
    few = range(10)
    assert small.verdicts(small.finished(task(norm, few), slots=slots)) == small.verdicts(
        small.finished(task(norm, few), slots=8)
    )


@pytest.mark.parametrize("norm", list(BUDGETS))
def test_order_does_not_change_verdicts(norm):
    shuffled = torch.randperm(24, generator=torch.Generator().manual_seed(1)).tolist()
    straight = small.verdicts(small.finished(task(norm)))
    mixed = small.verdicts(small.finished(task(norm, shuffled)))
    assert mixed == ["".join(verdicts[index] for index in shuffled) for verdicts in straight]


@pytest.mark.parametrize("norm", list(BUDGETS))
def test_shards_have_the_verdicts_of_the_whole_set(norm):
    shards = [small.verdicts(small.finished(task(norm, range(at, at + 8)))) for at in (0, 8, 16)]
    assert ["".join(parts) for parts in zip(*shards, strict=True)] == small.verdicts(small.finished(task(norm)))


@pytest.mark.parametrize("norm", list(BUDGETS))
def test_a_budget_s_verdicts_do_not_depend_on_the_other_budgets(norm):
    alone = small.task(False, small.attack("autoattack", norm, BUDGETS[norm][1:]), 24)
    assert small.verdicts(small.finished(alone)) == small.verdicts(small.finished(task(norm)))[1:]


def test_another_seed_gives_other_random_numbers():
    """Expect some other verdicts of Square with few queries."""
    attack = small.attack("square", "L2", ("0.9",), queries=30)
    ends = {tuple(small.verdicts(small.finished(small.task(False, attack, 60, seed=seed)))) for seed in range(3)}
    assert len(ends) > 1


def content(evaluation):
    """Return an evaluation as JSON without times and state."""
    dumped = evaluation.model_dump(mode="json")
    for budget in dumped["budgets"]:
        budget["seconds"] = 0
    return {**dumped, "state": None}


@pytest.mark.parametrize("norm", list(BUDGETS))
def test_resuming_at_any_round_gives_the_same_result(norm):
    """Expect equal verdicts, steps, distances and passes after a round trip through JSON."""
    subject, settings = task(norm, 5, queries=300), Settings(slots=6, seconds_between_yields=0)
    dumped = [evaluation.model_dump_json() for evaluation in evaluate(subject, settings=settings)]
    whole = content(Evaluation.model_validate_json(dumped[-1]))
    assert len(dumped) > 300
    for text in (*dumped[:120:8], *dumped[120::40]):
        *_, last = evaluate(subject, Evaluation.model_validate_json(text), settings)
        assert content(last) == whole


def test_an_evaluation_that_stops_after_every_round_completes():
    """Expect progress in a job that is evicted again and again."""
    subject, settings = task("Linf", 4), Settings(slots=6, seconds_between_yields=0)
    *_, whole = evaluate(subject, settings=settings)
    evaluation = None
    for _ in range(1000):
        starts = evaluate(subject, evaluation, settings)
        now = next(starts)
        now = next(starts, now)
        evaluation = Evaluation.model_validate_json(now.model_dump_json())
        starts.close()
        if evaluation.complete:
            break
    assert content(evaluation) == content(whole)


def test_the_state_must_be_read_before_the_next_evaluation():
    steps = evaluate(task("Linf", 4), settings=Settings(seconds_between_yields=0))
    first = next(steps)
    next(steps)
    with pytest.raises(Exception, match="read the evaluation's state before the next evaluation"):
        first.model_dump_json()


def test_a_damaged_state_is_rejected():
    subject = task("Linf", 4)
    first = next(evaluate(subject))
    evaluation = Evaluation.model_validate({**first.model_dump(), "state": "bm8gc3RhdGU="})
    with pytest.raises(SnapshotError, match="start without it"):
        list(evaluate(subject, evaluation))
