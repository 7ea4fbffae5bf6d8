"""The description of one reader under test."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from hypothesis.strategies import SearchStrategy

from alignsec import limits

Edit = Callable[[bytes, Random], bytes]
"""Changes a valid input inside its container, or repairs checksums, so that the change reaches the reader."""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One reader, and what its inputs look like.

    Attributes:
        name: The name in the command and in the table.
        read: Reads the file at a path, as the project does. Files that it writes are in the folder of that file.
        corpus: Returns valid inputs, and inputs of known faults. Its argument is an empty folder.
        allowed: Exceptions that the callers of the reader turn into a message. Any other is a finding.
        file: The name of the input's file.
        edits: Changes besides those of bytes.
        documents: Inputs that are made from a grammar; None if there are none.
        memory: Bytes that one execution may allocate.
    """

    name: str
    read: Callable[[Path], object]
    corpus: Callable[[Path], Sequence[bytes]]
    allowed: tuple[type[BaseException], ...] = ()
    file: str = "input"
    edits: Sequence[Edit] = ()
    documents: SearchStrategy[bytes] | None = None
    memory: int = limits.GIB

    def execute(self, path: Path) -> str:
        """Read one input; return "read", or the name of the allowed exception that it raised."""
        try:
            self.read(path)
        except self.allowed as error:
            return type(error).__name__
        return "read"
