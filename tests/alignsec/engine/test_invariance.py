"""Verdicts belong to an image: batch size, order, sharding and interruption do not change them."""

import pytest
import torch

from alignsec.engine import Settings, evaluate
from alignsec.evaluation.evaluation import Evaluation
from tests.alignsec.engine import small

BUDGETS = {"Linf": ("0.05", "0.12"), "L2": ("0.4", "0.9"), "L1": ("1", "2.5")}


def task(norm, images=24, method="autoattack", **more):
    return small.task(False, small.attack(method, norm, BUDGETS[norm], **more), images)


@pytest.mark.parametrize("norm", list(BUDGETS))
@pytest.mark.parametrize("slots", [1, 3, 200])
def test_slots_do_not_change_verdicts(norm, slots):
    """At 200 slots every target of an image is soon searched side by side; at 1 none is."""
    few = range(10)
    assert small.verdicts(small.finished(task(norm, few), slots=slots)) == small.verdicts(
        small.finished(task(norm, few), slots=8)
    )


@pytest.mark.parametrize("norm", list(BUDGETS))
def test_order_does_not_change_verdicts(norm):
    shuffled = torch.randperm(24, generator=torch.Generator().manual_seed(1)).tolist()
    straight = small.verdicts(small.finished(task(norm)))
    mixed = small.verdicts(small.finished(task(norm, shuffled)))
    assert mixed == ["".join(letters[index] for index in shuffled) for letters in straight]


@pytest.mark.parametrize("norm", list(BUDGETS))
def test_shards_together_have_the_verdicts_of_the_whole(norm):
    shards = [small.verdicts(small.finished(task(norm, range(at, at + 8)))) for at in (0, 8, 16)]
    assert ["".join(parts) for parts in zip(*shards, strict=True)] == small.verdicts(small.finished(task(norm)))


@pytest.mark.parametrize("norm", list(BUDGETS))
def test_a_budget_s_verdicts_do_not_depend_on_the_other_budgets(norm):
    alone = small.task(False, small.attack("autoattack", norm, BUDGETS[norm][1:]), 24)
    assert small.verdicts(small.finished(alone)) == small.verdicts(small.finished(task(norm)))[1:]


def test_another_seed_draws_other_noise():
    """Square's verdicts hang on its draws: with few queries, some change."""
    attack = small.attack("square", "L2", ("0.9",), queries=30)
    ends = {tuple(small.verdicts(small.finished(small.task(False, attack, 60, seed=seed)))) for seed in range(3)}
    assert len(ends) > 1


def content(known):
    """All but the clock."""
    dumped = known.model_dump(mode="json")
    for budget in dumped["budgets"]:
        budget["seconds"] = 0
    return {**dumped, "state": None}


@pytest.mark.parametrize("norm", list(BUDGETS))
def test_taken_up_at_any_boundary_it_ends_as_if_never_stopped(norm):
    """Bit for bit: verdicts, steps, distances, passes; written to JSON and read again each time."""
    what, how = task(norm, 5, queries=300), Settings(slots=6, seconds_between_yields=0)
    stopped = [known.model_dump_json() for known in evaluate(what, settings=how)]
    whole = content(Evaluation.model_validate_json(stopped[-1]))
    assert len(stopped) > 300
    for text in (*stopped[:120:8], *stopped[120::40]):
        *_, last = evaluate(what, Evaluation.model_validate_json(text), how)
        assert content(last) == whole


def test_stopped_at_every_boundary_it_still_ends():
    """A job that is evicted again and again makes its way."""
    what, how = task("Linf", 4), Settings(slots=6, seconds_between_yields=0)
    *_, whole = evaluate(what, settings=how)
    known = None
    for _ in range(1000):
        starts = evaluate(what, known, how)
        now = next(starts)
        now = next(starts, now)
        known = Evaluation.model_validate_json(now.model_dump_json())
        starts.close()
        if known.complete:
            break
    assert content(known) == content(whole)


def test_progress_is_dumped_before_the_next_is_asked_for():
    steps = evaluate(task("Linf", 4), settings=Settings(seconds_between_yields=0))
    first = next(steps)
    next(steps)
    with pytest.raises(Exception, match="dump its progress before asking for the next"):
        first.model_dump_json()


def test_a_damaged_state_is_refused():
    what = task("Linf", 4)
    first = next(evaluate(what))
    known = Evaluation.model_validate({**first.model_dump(), "state": "bm8gc3RhdGU="})
    with pytest.raises(ValueError, match="begin anew"):
        list(evaluate(what, known))
