"""Paths that tests need: the checkout and the folder of real data next to it."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
SHARED_DATA = CHECKOUT.parent / "shared/data"
"""Real leaderboard, photographs and weights; absent outside the developers' machines."""
