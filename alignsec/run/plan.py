"""The plan of a run: its pairs and their input files, stored in plan.json."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError

from alignsec import atomic
from alignsec.errors import ConfigErrors
from alignsec.run.folder import RunFolder
from alignsec.run.pair_parts import Index, PairParts, PairRow, PartTexts, deduplicate
from alignsec.schema import Sha256, StrictModel
from alignsec.spec.budget import Budget
from alignsec.spec.pair import File, Pair


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


class _PlannedRow(PairRow):
    """A planned pair in plan.json."""

    inputs: tuple[str, ...]


class _PlanFile(_PlanHeader, PairParts):
    """The content of plan.json."""

    schema_version: Literal[2] = 2
    planned: tuple[_PlannedRow, ...]


class _StudyFile(BaseModel):
    """The part of plan.json that says which study owns the run folder. The pairs are skipped."""

    schema_version: Literal[2]
    study_file: str = ""


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
        texts = PartTexts()
        models, model_indices = deduplicate((pair.model for pair in self), texts)
        attacks, attack_indices = deduplicate((pair.attack for pair in self), texts)
        all_packs = (pack for pair in self for pack in (pair.images, pair.corrupted) if pack)
        packs, pack_indices = deduplicate(all_packs, texts)
        next_pack = iter(pack_indices)
        rows = [
            _PlannedRow(
                model=model,
                attack=attack,
                images=next(next_pack),
                corrupted=next(next_pack) if planned.pair.corrupted else None,
                seed=planned.pair.seed,
                inputs=planned.inputs,
                extends=planned.pair.extends,
                attack_code=planned.pair.attack_code,
            )
            for planned, model, attack in zip(self.planned, model_indices, attack_indices, strict=True)
        ]
        header = {name: getattr(self, name) for name in _PlanHeader.model_fields}
        content = _PlanFile(**header, models=models, attacks=attacks, packs=packs, planned=tuple(rows))
        atomic.write_atomic(folder.plan, content.model_dump_json().encode())

    @classmethod
    def read_study_file(cls, folder: RunFolder) -> str:
        """Return only the path of the study file; empty if there is no plan of this version."""
        try:
            return _StudyFile.model_validate_json(folder.plan.read_bytes()).study_file
        except (OSError, ValidationError):
            return ""

    @classmethod
    def read(cls, folder: RunFolder) -> "Plan":
        """Read plan.json.

        Raises:
            ConfigErrors: If the folder is not a run folder, or another version wrote the file.
        """
        try:
            content = _PlanFile.model_validate_json(folder.plan.read_bytes())
            planned = tuple(PlannedPair(pair=content.pair(row), inputs=row.inputs) for row in content.planned)
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
        except ValueError as error:
            remedy = f"has an inconsistent plan.json: {error}; submit the study again"
        raise ConfigErrors.about(folder.root, remedy)
