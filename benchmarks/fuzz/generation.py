"""Inputs of a reader: changed bytes, changed contents of containers, and documents of a grammar."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

from benchmarks.fuzz.mutation import mutate
from benchmarks.fuzz.reader import Reader

_DOCUMENT_BYTES = 600
"""Random bytes from which hypothesis makes a document."""


class Generator:
    """Makes the inputs of one reader. The same random numbers give the same input."""

    def __init__(self, reader: Reader, corpus: Sequence[bytes]) -> None:
        self._corpus = corpus
        self._edits = reader.edits
        self._draw = None if reader.documents is None else _document_maker(reader.documents)

    def generate(self, random: Random) -> bytes:
        """Return one input."""
        choice = random.random()
        if self._draw is not None and choice < 0.5:
            document = self._draw(random.randbytes(_DOCUMENT_BYTES))
            if document is not None:
                return document if choice < 0.45 else mutate(random, [document])
        if self._edits and choice < 0.6:
            return random.choice(self._edits)(random.choice(self._corpus), random)
        return mutate(random, self._corpus)


def _document_maker(documents: SearchStrategy[bytes]) -> Callable[[bytes], bytes | None]:
    """Return a function that makes a document from random bytes; None if they make none."""
    made: list[bytes] = []

    @settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(documents)
    def keep(document: bytes) -> None:
        made.append(document)

    fuzz_one: Callable[[bytes], Any] = keep.hypothesis.fuzz_one_input  # type: ignore[attr-defined] # set at run time

    def draw(data: bytes) -> bytes | None:
        made.clear()
        fuzz_one(data)
        return made[-1] if made else None

    return draw
