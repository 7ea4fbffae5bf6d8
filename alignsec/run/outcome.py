"""Outcomes: the result of a pair, either a record of verdicts or a failure with its reason."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from alignsec.schema import StrictModel
from alignsec.spec.audit import NOT_AUDITED, find_images
from alignsec.spec.pair import File, Pair
from alignsec.spec.verdicts import (
    MENDED,
    ROBUST,
    UNAUDITED,
    WRONG,
    BudgetVerdicts,
    Count,
    Counts,
    Passes,
    Seconds,
    broken_letters,
    legend,
)

VERSION: Literal[2] = 2
"""Version of the file format. The checksum of version 1 covered the values, not the bytes."""


def _is_absent(value: object) -> bool:
    """Return True for a value that files of versions without its field imply: they keep their bytes."""
    return value is None or value == ""


class Provenance(StrictModel):
    """The place, time, software and hardware of a pair's evaluation."""

    code: str
    """SHA-256 of the code: of the run's code.zip, or of the source files outside a run."""
    container: str = ""
    versions: dict[str, str]
    """Versions of Python and of every library that can change a verdict."""
    precision: str
    device: str
    """Name of the GPU or CPU."""
    host: str
    job: str = ""
    """HTCondor's cluster.process id; empty outside a pool."""
    started: str
    """UTC, ISO 8601."""
    seconds: Seconds
    """From the first to the last line of the job."""
    peak_memory_mb: Count | None = None
    """Largest memory of the job's process; None if the machine does not report it."""
    peak_gpu_memory_mb: Count | None = None
    """Largest memory that the GPU's allocator reserved; None on a CPU."""
    driver: str = Field(default="", exclude_if=_is_absent)
    """Version of the NVIDIA driver; empty on a CPU."""
    gpu_utilisation_percent: Annotated[float, Field(ge=0, le=100)] | None = Field(
        default=None, exclude_if=_is_absent
    )
    """Mean of samples in the last run of the job; None on a CPU and for a MIG slice."""
    images_per_second: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        default=None, exclude_if=_is_absent
    )
    """Images through the network per second of the last run of the job, each pass counted; None in older
    outcomes."""


class Record(StrictModel):
    """The verdicts of an evaluated pair."""

    status: Literal["ok"] = "ok"
    schema_version: Literal[2] = VERSION
    id: str
    pair: Pair
    images: list[str]
    """File names in the pack, in the order of every verdict string."""
    labels: Counts
    classes: Annotated[int, Field(ge=2)]
    clean_top5: Annotated[str, Field(pattern=r"^[01]*$")] = ""
    """One digit per image: 1 if the label is among the five highest logits of the clean image, else 0. Empty in
    outcomes of versions that did not record it."""
    legend: dict[str, str] = Field(default_factory=legend)
    budgets: Annotated[list[BudgetVerdicts], Field(min_length=1)]
    clean_passes: Passes
    examples: File | None = Field(default=None, exclude_if=_is_absent)
    """The file of kept adversarial examples, next to this one; None if there are none."""
    notes: list[str] = []
    """Deviations from the standard attack and warnings about the model, for the report."""
    provenance: Provenance

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        """Check that the verdicts, the images and the pair agree."""
        if self.id != self.pair.id:
            raise ValueError(f"the id {self.id} is not that of the pair, {self.pair.id}")
        count = len(self.images)
        if len(self.labels) != count or len(set(self.images)) != count:
            raise ValueError(f"expected distinct images and one label per image; found {self._describe_counts()}")
        if [b.eps for b in self.budgets] != list(self.pair.attack.budgets):
            raise ValueError("the budgets are not those of the attack")
        if any(len(b.verdicts) != count for b in self.budgets):
            raise ValueError("expected one verdict per image")
        if any(_contradicts_audit(b, self.pair.attack.audit is not None) for b in self.budgets):
            raise ValueError("the roles in the audit are not those of the verdicts")
        clean_only = str.maketrans({MENDED: WRONG, **dict.fromkeys(UNAUDITED + broken_letters(), ROBUST)})
        if len({b.verdicts.translate(clean_only) for b in self.budgets}) > 1:
            raise ValueError("an image is wrong when clean at one budget and not at another")
        if self.clean_top5 and not _is_within_top5(self.budgets[0].verdicts, self.clean_top5):
            raise ValueError(
                "clean_top5 must have one digit per image, and 1 for every image that is right when clean"
            )
        return self

    def _describe_counts(self) -> str:
        return f"{len(self.images)} images, {len(set(self.images))} distinct, and {len(self.labels)} labels"

    @property
    def clean_correct(self) -> int:
        """Number of clean images that are classified correctly."""
        verdicts = self.budgets[0].verdicts
        return len(verdicts) - verdicts.count(WRONG) - verdicts.count(MENDED)

    @property
    def clean_top5_correct(self) -> int | None:
        """Number of clean images whose label is among the five highest logits; None if it is not recorded."""
        return self.clean_top5.count("1") if self.clean_top5 else None


def _contradicts_audit(budget: BudgetVerdicts, audited: bool) -> bool:
    """Return True unless an audited budget has a role per image, and exactly its unaudited images have U."""
    if not audited or not budget.audit:
        return bool(budget.audit) or UNAUDITED in budget.verdicts
    open_images = [at for at, letter in enumerate(budget.verdicts) if letter == UNAUDITED]
    return len(budget.audit) != len(budget.verdicts) or find_images(budget.audit, NOT_AUDITED) != open_images


def _is_within_top5(verdicts: str, top5: str) -> bool:
    """Return True if every image that is right when clean is among the top five as well."""
    right_when_clean = str.maketrans(
        {WRONG: "0", MENDED: "0", **dict.fromkeys(ROBUST + UNAUDITED + broken_letters(), "1")}
    )
    right = verdicts.translate(right_when_clean)
    return len(right) == len(top5) and not int(right, 2) & ~int(top5, 2)


class Failure(StrictModel):
    """A pair that could not be evaluated, and the reason."""

    status: Literal["failed"] = "failed"
    schema_version: Literal[2] = VERSION
    id: str
    pair: Pair | None
    """None if the pair file could not be read."""
    hopeless: bool
    """Whether a retry on another machine would fail too, because the request is invalid."""
    reason: str
    """One sentence."""
    traceback: str = ""
    provenance: Provenance | None = None
    """None if the job died; the process that started it then writes the failure."""


Outcome = Annotated[Record | Failure, Field(discriminator="status")]
