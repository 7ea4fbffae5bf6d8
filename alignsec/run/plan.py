"""The plan of a run: its pairs and their input files, stored in plan.json."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError

from alignsec import atomic
from alignsec.errors import ConfigErrors
from alignsec.run.folder import RunFolder
from alignsec.schema import Sha256, StrictModel
from alignsec.spec.attack import Attack
from alignsec.spec.budget import Budget
from alignsec.spec.pair import File, Pair, PairModel

Index = Annotated[int, Field(ge=0)]
Shared = TypeVar("Shared", PairModel, Attack, File)


def _is_none(value: object) -> bool:
    return value is None


class PlannedPair(StrictModel):
    """A pair and the input files of its job."""

    pair: Pair
    inputs: tuple[str, ...]
    """Paths, relative to the run folder, of the weights and the images; their base names are those in the pair."""


class PlannedScores(StrictModel):
    """The alignment scores of a run."""

    source: str
    """File name as stated in the study."""
    sha256: Sha256
    label: str
    date: str = ""
    """Date of the snapshot as stated in the study; empty if it is not stated."""


class PlannedAudit(StrictModel):
    """The choice of an audit's share for a requested precision."""

    attack: str
    """Name of the attack."""
    precision: str
    """As in the study: "study", or the largest standard error of a model."""
    targets: Index
    images: Annotated[int, Field(ge=1)]
    share: Budget
    standard_error: float
    """Expected standard error of a model's robust accuracy, the largest over models and budgets."""
    smallest_error: float
    """The same if every survivor is audited."""
    growth: float
    """Factor by which the audit increases the standard errors of the study's correlations."""
    basis: str
    """Origin of the expectation: assumptions, or earlier outcomes."""


class _PlanHeader(StrictModel):
    """The facts of a run as a whole."""

    name: str
    title: str
    seed: int
    study_file: str = ""
    """Path of the study file on the access point; empty in plans of earlier versions."""
    study_sha256: Sha256
    code_sha256: Sha256
    written: str
    """Time of writing: UTC, ISO 8601."""
    scores: PlannedScores | None
    images: File
    image_count: Annotated[int, Field(ge=1)]
    labels: str = ""
    """A sentence on the origin of the images' labels; empty in plans of earlier versions."""
    duplicates: str = ""
    """A sentence on images with the same content; empty if there are none."""
    audits: tuple[PlannedAudit, ...] = ()
    """Shares that were chosen for the requested precisions."""


class _PairRow(StrictModel):
    """A planned pair in plan.json; its model, attack and packs are indices into the file's lists."""

    model: Index
    attack: Index
    images: Index
    corrupted: Index | None = None
    seed: int
    inputs: tuple[str, ...]
    extends: File | None = Field(default=None, exclude_if=_is_none)


class _PlanFile(_PlanHeader):
    """The content of plan.json. Parts that pairs share are stored once: 100,000 full pairs would take 110 MB."""

    schema_version: Literal[2] = 2
    models: tuple[PairModel, ...]
    attacks: tuple[Attack, ...]
    packs: tuple[File, ...]
    planned: tuple[_PairRow, ...]


class Plan(_PlanHeader):
    """The pairs of a run. It is written once per submission; a later submission may add pairs."""

    planned: tuple[PlannedPair, ...]

    def __iter__(self) -> Iterator[Pair]:  # type: ignore[override] # pydantic iterates over fields, which is unused
        """Iterate over the pairs in the study's order."""
        return (planned.pair for planned in self.planned)

    def write(self, folder: RunFolder) -> None:
        """Write plan.json atomically.

        Raises:
            OSError: If the file cannot be written.
        """
        models, model_indices = _deduplicate(pair.model for pair in self)
        attacks, attack_indices = _deduplicate(pair.attack for pair in self)
        packs, pack_indices = _deduplicate(pack for pair in self for pack in (pair.images, pair.corrupted) if pack)
        next_pack = iter(pack_indices)
        rows = [
            _PairRow(
                model=model,
                attack=attack,
                images=next(next_pack),
                corrupted=next(next_pack) if planned.pair.corrupted else None,
                seed=planned.pair.seed,
                inputs=planned.inputs,
                extends=planned.pair.extends,
            )
            for planned, model, attack in zip(self.planned, model_indices, attack_indices, strict=True)
        ]
        header = {name: getattr(self, name) for name in _PlanHeader.model_fields}
        content = _PlanFile(**header, models=models, attacks=attacks, packs=packs, planned=tuple(rows))
        atomic.write_atomic(folder.plan, content.model_dump_json().encode())

    @classmethod
    def read(cls, folder: RunFolder) -> "Plan":
        """Read plan.json.

        Raises:
            ConfigErrors: If the folder is not a run folder, or another version wrote the file.
        """
        try:
            content = _PlanFile.model_validate_json(folder.plan.read_bytes())
            pairs = (
                Pair(
                    model=content.models[row.model],
                    attack=content.attacks[row.attack],
                    images=content.packs[row.images],
                    corrupted=None if row.corrupted is None else content.packs[row.corrupted],
                    seed=row.seed,
                    extends=row.extends,
                )
                for row in content.planned
            )
            planned = tuple(
                PlannedPair(pair=pair, inputs=row.inputs) for pair, row in zip(pairs, content.planned, strict=True)
            )
            header = {name: getattr(content, name) for name in _PlanHeader.model_fields}
            return cls(**header, planned=planned)
        except OSError:
            remedy = "is not a run folder: it has no plan.json; make submit STUDY=... writes one"
        except ValidationError as error:
            remedy = (
                f"has a plan.json of another version ({error.error_count()} differences); submit the study again"
            )
        except IndexError:
            remedy = "has an inconsistent plan.json: an index is out of range; submit the study again"
        raise ConfigErrors.about(folder.root, remedy)


def _deduplicate(parts: Iterable[Shared]) -> tuple[tuple[Shared, ...], list[int]]:
    """Return the distinct parts, and for each part its index among them.

    Pairs share their parts as objects, so each object is compared once and not once for each pair.
    """
    distinct: dict[str, int] = {}
    index_of_object: dict[int, int] = {}
    kept: list[Shared] = []
    indices = []
    for part in parts:
        index = index_of_object.get(id(part))
        if index is None:
            text = part.model_dump_json()
            if text not in distinct:
                distinct[text] = len(distinct)
            index = index_of_object[id(part)] = distinct[text]
            # Kept alive, so that no later object gets the same id.
            kept.append(part)
        indices.append(index)
    first = {index_of_object[id(part)]: part for part in reversed(kept)}
    return tuple(first[index] for index in range(len(distinct))), indices
