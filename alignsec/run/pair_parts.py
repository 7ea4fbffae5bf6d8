"""Pairs as rows of indices into lists of models, attacks and image packs, as files of many pairs store them.

100,000 full pairs would take 110 MB, and validating each would take a minute. Each part is stored and validated
once, however many pairs share it.
"""

from collections.abc import Iterable
from typing import Annotated, TypeVar

from pydantic import Field

from alignsec.schema import StrictModel
from alignsec.spec.attack import Attack
from alignsec.spec.pair import File, Pair, PairModel

Index = Annotated[int, Field(ge=0)]
Shared = TypeVar("Shared", PairModel, Attack, File)


def _is_none(value: object) -> bool:
    return value is None


class PairRow(StrictModel):
    """A pair; its model, attack and packs are indices into the file's lists."""

    model: Index
    attack: Index
    images: Index
    corrupted: Index | None = None
    seed: int
    extends: File | None = Field(default=None, exclude_if=_is_none)
    attack_code: File | None = Field(default=None, exclude_if=_is_none)


class PairParts(StrictModel):
    """The distinct parts of the pairs of a file."""

    models: tuple[PairModel, ...]
    attacks: tuple[Attack, ...]
    packs: tuple[File, ...]

    def pair(self, row: PairRow) -> Pair:
        """Return the pair of a row; pairs share their parts as objects.

        Raises:
            IndexError: An index is out of range.
            ValueError: The pair has a corruption without its images, or images of a corruption without one.
        """
        return Pair.from_parts(
            self.models[row.model],
            self.attacks[row.attack],
            self.packs[row.images],
            None if row.corrupted is None else self.packs[row.corrupted],
            row.seed,
            row.extends,
            row.attack_code,
        )


class PartTexts:
    """JSON texts of parts, each made once: pairs share their parts as objects."""

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}
        self._kept: list[StrictModel] = []

    def text(self, part: StrictModel) -> str:
        """Return the JSON text of a part."""
        text = self._texts.get(id(part))
        if text is None:
            text = self._texts[id(part)] = part.model_dump_json()
            # Kept alive, so that no later object gets the same id.
            self._kept.append(part)
        return text


def deduplicate(parts: Iterable[Shared], texts: PartTexts) -> tuple[tuple[Shared, ...], list[int]]:
    """Return the distinct parts, and for each part its index among them."""
    distinct: dict[str, tuple[int, Shared]] = {}
    indices = [distinct.setdefault(texts.text(part), (len(distinct), part))[0] for part in parts]
    return tuple(part for _, part in distinct.values()), indices
