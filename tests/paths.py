"""Paths that tests use: the checkout, and the folder of real data next to it."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
SHARED_DATA = CHECKOUT.parent / "shared" / "data"
"""A real leaderboard, photographs and weights. Only the developers' machines have this folder."""
SHARED_CASES = CHECKOUT.parent / "shared" / "cases"
"""Inputs on which an earlier version gave a wrong answer. Only the developers' machines have this folder."""
CASES = CHECKOUT / "tests" / "fixtures" / "cases"
"""Copies of the small inputs of SHARED_CASES, so that their tests run everywhere."""
