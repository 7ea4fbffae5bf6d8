"""Pass counts: the engine takes the fewest passes that its verdicts need."""

import pytest

from tests.alignsec.engine import small

IMAGES, STEPS, TARGETS = 40, 12, 3


@pytest.mark.parametrize(("replay", "slots"), [(True, IMAGES), (False, 1)])
@pytest.mark.parametrize(("norm", "eps"), [("Linf", "0.12"), ("L2", "0.7")])
@pytest.mark.parametrize("method", ["apgd-ce", "apgd-t"])
def test_a_search_ends_at_the_first_point_that_counts(method, norm, eps, replay, slots):
    """Expect exact pass counts without free slots, in which later searches of an image would start early."""
    aims = {"targets": TARGETS} if method == "apgd-t" else {}
    attack = small.attack(method, norm, (eps,), steps=STEPS, batch=IMAGES, **aims)
    last = small.finished(small.task(False, attack, images=IMAGES), replay=replay, slots=slots)
    (budget,) = last.budgets
    whole = STEPS + 1
    robust = budget.verdicts.count("R") * aims.get("targets", 1) * whole
    broken = sum(found.target * whole + found.step + 1 for found in last.adversarial_images)
    assert 0 < len(last.adversarial_images) < IMAGES
    assert budget.passes[method].backward == budget.passes[method].forward == robust + broken
