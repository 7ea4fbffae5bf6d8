"""Audits that extend an outcome with a smaller share."""

from dataclasses import replace
from functools import cache

import pytest

from alignsec.engine import Settings, evaluate
from alignsec.engine.audit_extension import UNUSED_NOTE, find_full_audits
from alignsec.evaluation.evaluation import Evaluation
from alignsec.spec.verdicts import round_distance
from tests.alignsec.engine import small

ATTACK = {"steps": 5, "targets": 3, "queries": 20}
EPS = ("0.05", "0.12", "0.2")


def subject(share, earlier=()):
    attack = small.attack("autoattack", "Linf", EPS, **ATTACK, audit={"share": share})
    return replace(small.task(True, attack, 60), earlier=earlier)


def outcome(evaluation):
    """Return the budgets as an outcome file holds them, with the step and the distance of each broken image."""
    budgets = []
    for index, budget in enumerate(evaluation.budgets):
        found = sorted(
            (one for one in evaluation.adversarial_images if one.budget == index), key=lambda one: one.image
        )
        more = {
            "broken_at_step": [one.step for one in found],
            "broken_at_distance": [round_distance(one.distance) for one in found],
        }
        budgets.append(budget.model_copy(update=more))
    return tuple(budgets)


@cache
def fresh(share):
    task = subject(share)
    before = task.classifier.passes.forward
    return small.finished(task), task.classifier.passes.forward - before


def results(evaluation):
    return [(budget.verdicts, budget.audit) for budget in evaluation.budgets]


def find(evaluation):
    return sorted(
        (one.budget, one.image, one.component, one.step, round_distance(one.distance))
        for one in evaluation.adversarial_images
    )


@pytest.mark.parametrize(("less", "more"), [("0.1", "0.3"), ("0.1", "1"), ("0.3", "0.301")])
def test_an_extension_equals_a_fresh_run_in_fewer_passes(less, more):
    """Expect equal verdicts, roles and adversarial images; costs add up."""
    earlier, spent = fresh(less)
    whole, cost = fresh(more)
    task = subject(more, outcome(earlier))
    before = task.classifier.passes.forward
    extended = small.finished(task)
    assert extended.complete
    assert results(extended) == results(whole)
    assert find(extended) == find(whole)
    assert [one.largest_distance for one in extended.budgets] == [one.largest_distance for one in whole.budgets]
    assert task.classifier.passes.forward - before < 0.8 * cost
    total = sum(part.forward for budget in extended.budgets for part in budget.passes.values())
    assert total >= sum(part.forward for budget in earlier.budgets for part in budget.passes.values())
    assert spent <= cost


def test_an_interrupted_extension_resumes():
    """Expect the result of an uninterrupted run after a round trip through JSON."""
    task = subject("0.6", outcome(fresh("0.1")[0]))
    settings = Settings(slots=40, seconds_between_yields=0)
    dumped = [one.model_dump_json() for one in evaluate(task, settings=settings)]
    for text in dumped[:: max(len(dumped) // 4, 1)]:
        *_, last = evaluate(task, Evaluation.model_validate_json(text), settings)
        assert results(last) == results(fresh("0.6")[0])


def test_an_outcome_with_other_clean_predictions_is_not_used():
    """Expect a fresh run and a note."""
    first, *others = outcome(fresh("0.1")[0])
    swapped = first.verdicts.replace("W", "R", 1) if "W" in first.verdicts else "W" + first.verdicts[1:]
    roles = "." + first.audit[1:] if swapped[0] == "W" else first.audit
    earlier = (first.model_copy(update={"verdicts": swapped, "audit": roles}), *others)
    found = small.finished(subject("0.3", earlier))
    assert results(found) == results(fresh("0.3")[0])
    assert UNUSED_NOTE in found.notes


def test_a_budget_that_was_audited_in_full_stays_so():
    """Expect every survivor to keep its verdict, although the share alone would audit fewer."""
    whole = outcome(fresh("1")[0])
    assert find_full_audits(whole) == {0, 1, 2}
    task = subject("0.3", whole)
    before = task.classifier.passes.forward
    kept = small.finished(task)
    assert [one.verdicts for one in kept.budgets] == [one.verdicts for one in whole]
    assert task.classifier.passes.forward - before < 200, "the clean pass only"
