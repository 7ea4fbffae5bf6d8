"""Outcomes: what came of a pair, a record of verdicts or a failure with its reason."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from alignsec.schema import StrictModel
from alignsec.spec.pair import Pair
from alignsec.spec.verdicts import (
    MENDED,
    ROBUST,
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
"""Of the file's layout. Version 1 had its checksum over the values, not the bytes."""


class Provenance(StrictModel):
    """Where, when and with what a pair was run: everything a number needs to be traced."""

    code: str
    """SHA-256 of the code that ran: the run's code.zip, or of the source files where there is none."""
    container: str = ""
    versions: dict[str, str]
    """Of Python and of every library that touches a verdict."""
    precision: str
    device: str
    """The GPU's or CPU's name."""
    host: str
    job: str = ""
    """HTCondor's cluster.process id; empty outside a pool."""
    started: str
    """UTC, ISO 8601."""
    seconds: Seconds
    """From the job's first line to its last."""
    peak_memory_mb: Count | None = None
    """The most memory the job's process held; None where the machine does not tell."""
    peak_gpu_memory_mb: Count | None = None
    """Likewise of the GPU, as its allocator reserved it; None on a CPU."""


class Record(StrictModel):
    """A pair that was answered."""

    status: Literal["ok"] = "ok"
    schema_version: Literal[2] = VERSION
    id: str
    pair: Pair
    images: list[str]
    """File names in the pack, in the order of every verdict string."""
    labels: Counts
    classes: Annotated[int, Field(ge=2)]
    clean_top5: Annotated[str, Field(pattern=r"^[01]*$")] = ""
    """For each image 1 where its label is among the five highest logits when clean, else 0; empty where the
    outcome is of a time before this was asked."""
    legend: dict[str, str] = Field(default_factory=legend)
    budgets: Annotated[list[BudgetVerdicts], Field(min_length=1)]
    clean_passes: Passes
    notes: list[str] = []
    """Deviations from the standard attack and warnings about the model, for the report."""
    provenance: Provenance

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """The letters, the images and the pair must tell one story, or the file is not what it says."""
        if self.id != self.pair.id:
            raise ValueError(f"the id {self.id} is not that of the pair it holds, {self.pair.id}")
        count = len(self.images)
        if len(self.labels) != count or len(set(self.images)) != count:
            raise ValueError(f"{count} images, {len(self.labels)} labels: one label an image, each image once")
        if [b.eps for b in self.budgets] != list(self.pair.attack.budgets):
            raise ValueError("the budgets are not those the attack asks for")
        if any(len(b.verdicts) != count for b in self.budgets):
            raise ValueError("one verdict an image is wanted")
        clean_only = str.maketrans({MENDED: WRONG, **dict.fromkeys(broken_letters(), ROBUST)})
        if len({b.verdicts.translate(clean_only) for b in self.budgets}) > 1:
            raise ValueError("an image is wrong when clean at one budget and not at another")
        if self.clean_top5 and not _within_top5(self.budgets[0].verdicts, self.clean_top5):
            raise ValueError("an image is right when clean and not among the top five, or has no digit for it")
        return self

    @property
    def clean_correct(self) -> int:
        """How many images are classified correctly when clean."""
        verdicts = self.budgets[0].verdicts
        return len(verdicts) - verdicts.count(WRONG) - verdicts.count(MENDED)

    @property
    def clean_top5_correct(self) -> int | None:
        """How many images have their label among the five highest logits when clean; None where not recorded."""
        return self.clean_top5.count("1") if self.clean_top5 else None


def _within_top5(verdicts: str, top5: str) -> bool:
    """Whether every image that is right when clean is among the top five too."""
    right_when_clean = str.maketrans({WRONG: "0", MENDED: "0", **dict.fromkeys(ROBUST + broken_letters(), "1")})
    right = verdicts.translate(right_when_clean)
    return len(right) == len(top5) and not int(right, 2) & ~int(top5, 2)


class Failure(StrictModel):
    """A pair that was not answered, and why."""

    status: Literal["failed"] = "failed"
    schema_version: Literal[2] = VERSION
    id: str
    pair: Pair | None
    """None where the pair file itself could not be read."""
    hopeless: bool
    """Another try on another machine would fail as well: the request is wrong, not the machine."""
    reason: str
    """One sentence."""
    traceback: str = ""
    provenance: Provenance | None = None
    """None where the job died before it could say: whoever started it then writes the failure."""


Outcome = Annotated[Record | Failure, Field(discriminator="status")]
