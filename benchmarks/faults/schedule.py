"""The schedule of one seed: its kinds of faults, their victims and their delays."""

import random
from dataclasses import dataclass

from benchmarks.faults.fault import Fault
from benchmarks.faults.kinds import KINDS
from benchmarks.faults.seed_run import SeedRun

DOUBLE_EVERY = 4
"""Each fourth seed has two faults."""


@dataclass(frozen=True)
class Schedule:
    """The faults of one seed; the same seed always gives the same schedule."""

    seed: int
    kinds: tuple[str, ...]

    @classmethod
    def from_seed(cls, seed: int, kinds: tuple[str, ...] = tuple(KINDS)) -> "Schedule":
        """Return the schedule of a seed: successive seeds have successive kinds, and each fourth a second one.

        The first kind moves on by one after each round of all kinds. Otherwise a kind whose place is a multiple of
        four would always be one of two faults.
        """
        first = kinds[(seed + seed // len(kinds)) % len(kinds)]
        chosen = [first]
        if seed % DOUBLE_EVERY == DOUBLE_EVERY - 1:
            numbers = random.Random(f"second {seed}")  # noqa: S311 - a schedule, not a secret
            alike = [kind for kind in kinds if kind != first and KINDS[kind].local == KINDS[first].local]
            chosen += numbers.sample(alike, min(1, len(alike)))
        return cls(seed, tuple(chosen))

    @property
    def shared(self) -> bool:
        """Whether a fault hits all runs of the pool."""
        return any(KINDS[kind].shared for kind in self.kinds)

    @property
    def long(self) -> bool:
        """Whether the study has a long attack."""
        return any(KINDS[kind].long for kind in self.kinds)

    def make_faults(self, run: SeedRun, pairs: list[str]) -> list[Fault]:
        """Return the faults with their victims and delays."""
        made = []
        for number, kind in enumerate(self.kinds):
            numbers = random.Random(f"{self.seed} {number}")  # noqa: S311
            victim, delay = numbers.choice(sorted(pairs)), numbers.choice((0.0, numbers.uniform(0, 1.5)))
            made.append(Fault(kind, KINDS[kind], run, victim, delay, numbers))
        return made
