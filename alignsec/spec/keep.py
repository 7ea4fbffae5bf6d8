"""Kept adversarial examples: how many of them a pair stores at each budget.

Kept are the examples of the first broken images, in the order of the images. `keep` changes no verdict, so it is
not part of a pair's id: a later change does not repeat finished pairs, and their files stay as they are.
"""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

if TYPE_CHECKING:
    from alignsec.spec.attack import Attack

DEFAULT_KEEP = 4
"""Examples that are kept at each budget by default, enough for the pictures of the report."""

Keep = Annotated[int, Field(ge=0, le=1_000_000)] | Literal["all"]
"""The number of examples at each budget, or all of them."""


def count_kept(attack: "Attack", broken: int) -> int:
    """Return how many examples are kept at a budget.

    Args:
        attack: The attack. Clean images and corruptions keep none.
        broken: Number of broken images at the budget.
    """
    if attack.level_kind != "eps":
        return 0
    if attack.keep == "all":
        return broken
    return min(broken, DEFAULT_KEEP if attack.keep is None else attack.keep)
