"""Audited attacks: the screen, the sample, and agreement with the full attack."""

from dataclasses import replace
from functools import cache

import pytest

from alignsec.engine import Settings, evaluate
from alignsec.evaluation.evaluation import Evaluation
from alignsec.spec.audit import NOT_AUDITED, OUTSIDE, PILOT, SECOND, find_images
from alignsec.spec.verdicts import ROBUST, UNAUDITED, WRONG
from tests.alignsec.engine import small

EPS = ("0.05", "0.12")
FEWER = {"steps": 5, "targets": 3, "queries": 20}


def attack(share=None, **more):
    audit = {} if share is None else {"audit": {"share": share, **more}}
    return small.attack("autoattack", "Linf", EPS, **FEWER, **audit)


@cache
def run(share, images=40, **more):
    return small.finished(small.task(True, attack(share, **more), images))


@pytest.mark.parametrize("targets", [0, 1])
def test_audited_images_have_the_verdicts_of_the_full_attack(targets):
    """Expect equal verdicts wherever a search ran, and U only for images that survive the screen."""
    full, audited = run(None), run("0.2", targets=targets)
    for whole, part in zip(full.budgets, audited.budgets, strict=True):
        unaudited = find_images(part.audit, NOT_AUDITED)
        assert unaudited
        assert [at for at, letter in enumerate(part.verdicts) if letter == UNAUDITED] == unaudited
        differing = [at for at, (a, b) in enumerate(zip(whole.verdicts, part.verdicts, strict=True)) if a != b]
        assert set(differing) <= set(unaudited)
        survivors = [at for at, role in enumerate(part.audit) if role != OUTSIDE]
        assert {whole.verdicts[at] for at in survivors} >= {ROBUST}
        assert not any(whole.verdicts[at] in {WRONG, "c"} for at in survivors)


def test_share_1_audits_every_survivor():
    assert small.verdicts(run("1")) == small.verdicts(run(None))


def test_a_larger_share_contains_the_smaller_one():
    small_share, large = run("0.2"), run("0.5")
    for few, many in zip(small_share.budgets, large.budgets, strict=True):
        chosen = [{*find_images(one.audit, PILOT), *find_images(one.audit, SECOND)} for one in (few, many)]
        assert chosen[0] < chosen[1]


def test_an_audit_needs_fewer_passes():
    def forward(evaluation):
        return sum(passes.forward for budget in evaluation.budgets for passes in budget.passes.values())

    assert forward(run("0.2")) < 0.8 * forward(run(None))


def test_another_key_selects_other_images():
    task = small.task(True, attack("0.2"), 40)
    assert small.finished(task).budgets[1].audit != small.finished(replace(task, audit_key="b")).budgets[1].audit


def test_no_survivor_leaves_nothing_to_audit():
    """Expect a complete evaluation whose images are all broken."""
    whole = small.finished(
        small.task(False, small.attack("autoattack", "Linf", ("0.6",), audit={"share": "0.1"}), 30)
    )
    assert whole.complete
    assert set(whole.budgets[0].audit) == {OUTSIDE}


def test_resuming_at_any_round_gives_the_same_result():
    """Expect equal verdicts, roles and passes after a round trip through JSON in every phase."""
    subject = small.task(True, attack("0.9"), 8)
    settings = Settings(slots=40, seconds_between_yields=0)
    dumped = [evaluation.model_dump_json() for evaluation in evaluate(subject, settings=settings)]
    whole = _content(Evaluation.model_validate_json(dumped[-1]))
    for text in dumped[:: max(len(dumped) // 8, 1)]:
        *_, last = evaluate(subject, Evaluation.model_validate_json(text), settings)
        assert _content(last) == whole
    assert {Evaluation.model_validate_json(text).audit_phase for text in dumped} == {0, 1, 2, 3}


def _content(evaluation):
    dumped = evaluation.model_dump(mode="json")
    for budget in dumped["budgets"]:
        budget["seconds"] = 0
    return {**dumped, "state": None}
