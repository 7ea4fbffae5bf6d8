"""Audit extension: starting an audit from the outcome of the same audit with a smaller share.

A larger share contains the audited images of a smaller one. So the results of the screen and of the earlier audit
are kept, and only the images that the larger share adds are searched.
"""

from collections.abc import Iterator

from alignsec.engine.scheduler import Cell
from alignsec.evaluation.evaluation import AdversarialImage, Evaluation
from alignsec.spec.audit import NOT_AUDITED, OUTSIDE, PILOT, SECOND, STRATA
from alignsec.spec.components import COMPONENTS
from alignsec.spec.verdicts import UNAUDITED, WRONG, BudgetVerdicts, round_distance

AFTER_SCREEN = 1
"""Phase of an audit whose screen is complete: the pilot is next."""
UNUSED_NOTE = "the outcome with a smaller audited share was not used: the clean predictions differ"
_TO_STRATUM = {
    OUTSIDE: OUTSIDE,
    **{letters[one]: NOT_AUDITED[one] for letters in (NOT_AUDITED, PILOT, SECOND) for one in STRATA},
}


def extend_evaluation(first: Evaluation, earlier: tuple[BudgetVerdicts, ...]) -> Evaluation:
    """Return the evaluation after the screen, with the cost and the adversarial images of an earlier outcome.

    Args:
        first: The evaluation after the clean pass.
        earlier: Verdicts of the same attack with a smaller share. They are not used if their clean predictions
            differ, as on another device.
    """
    if not is_usable(first, earlier):
        return first.model_copy(update={"notes": (*first.notes, UNUSED_NOTE)}) if earlier else first
    budgets = tuple(
        budget.model_copy(
            update={
                "audit": "".join(_TO_STRATUM[role] for role in budget.audit),
                "verdicts": _hide_audited(budget),
                "broken_at_step": [],
                "broken_at_distance": [],
            }
        )
        for budget in earlier
    )
    found = tuple(one for index, budget in enumerate(earlier) for one in _list_adversarial(index, budget))
    return first.model_copy(update={"budgets": budgets, "audit_phase": AFTER_SCREEN, "adversarial_images": found})


def is_usable(first: Evaluation, earlier: tuple[BudgetVerdicts, ...]) -> bool:
    """Return whether there is an earlier outcome with the clean predictions of an evaluation."""
    return bool(earlier) and all(
        [letter == WRONG for letter in one.verdicts] == [letter == WRONG for letter in other.verdicts]
        for one, other in zip(first.budgets, earlier, strict=True)
    )


def find_known_verdicts(earlier: tuple[BudgetVerdicts, ...]) -> dict[Cell, str]:
    """Return the verdicts of the audited images, by budget and image."""
    audited = {*PILOT.values(), *SECOND.values()}
    return {
        (index, image): budget.verdicts[image]
        for index, budget in enumerate(earlier)
        for image, role in enumerate(budget.audit)
        if role in audited
    }


def find_full_audits(earlier: tuple[BudgetVerdicts, ...]) -> frozenset[int]:
    """Return the budgets at which every survivor was audited. They stay so, whatever the larger pilot finds."""
    return frozenset(
        index
        for index, budget in enumerate(earlier)
        if budget.audit and not any(letter in budget.audit for letter in NOT_AUDITED.values())
    )


def _hide_audited(budget: BudgetVerdicts) -> str:
    """Return the verdicts after the screen: every survivor is not audited yet."""
    pairs = zip(budget.audit or OUTSIDE * len(budget.verdicts), budget.verdicts, strict=True)
    return "".join(letter if role == OUTSIDE else UNAUDITED for role, letter in pairs)


def _list_adversarial(index: int, budget: BudgetVerdicts) -> Iterator[AdversarialImage]:
    """Yield the adversarial images of a budget. Their targets are not recorded, and distances are rounded."""
    names = {component.letter: name for name, component in COMPONENTS.items()}
    broken = [image for image, letter in enumerate(budget.verdicts) if letter in names]
    found = zip(broken, budget.broken_at_step, budget.broken_at_distance, strict=True)
    for image, step, distance in found:
        largest = distance == round_distance(budget.largest_distance)
        yield AdversarialImage(
            budget=index,
            image=image,
            component=names[budget.verdicts[image]],
            target=0,
            step=step,
            distance=budget.largest_distance if largest else distance,
        )
