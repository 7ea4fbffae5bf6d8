"""Run folders: a study laid out on disk. Every path of a run is made here and nowhere else."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alignsec import atomic
from alignsec.mistake import Mistake, Mistakes
from alignsec.pair import File, Pair, Sha256


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run."""

    root: Path

    @property
    def study(self) -> Path:
        """The study file as it was when the run was written."""
        return self.root / "study.toml"

    @property
    def plan(self) -> Path:
        """The pairs that make the run complete."""
        return self.root / "plan.json"

    @property
    def scores(self) -> Path:
        """The alignment scores as they were when the run was written."""
        return self.root / "scores.csv"

    @property
    def code(self) -> Path:
        """The rooms that jobs need, as they were when the run was written; goes on PYTHONPATH as it is."""
        return self.root / "code.zip"

    @property
    def images(self) -> Path:
        """Packs of chosen images, named by their digest."""
        return self.root / "images"

    @property
    def weights(self) -> Path:
        """Links to the checkpoints, named by their digest."""
        return self.root / "weights"

    @property
    def pairs(self) -> Path:
        """One JSON file a pair: what its job is given."""
        return self.root / "pairs"

    @property
    def outcomes(self) -> Path:
        """One JSON file a pair: what its job left."""
        return self.root / "outcomes"

    @property
    def logs(self) -> Path:
        """What jobs printed."""
        return self.root / "logs"

    @property
    def scratch(self) -> Path:
        """Working folders of jobs that run on this machine, outside a pool."""
        return self.root / "scratch"

    @property
    def events(self) -> Path:
        """What HTCondor wrote down of the pairs' jobs; DAGMan's own name for it."""
        return self.root / "study.dag.nodes.log"

    @property
    def lock(self) -> Path:
        """Held by whoever runs the pairs on this machine."""
        return self.root / ".lock"

    @property
    def analysis(self) -> Path:
        """Tables, figures and the report."""
        return self.root / "analysis"

    def pair(self, pair_id: str) -> Path:
        """A pair's file."""
        return self.pairs / f"{pair_id}.json"

    def outcome(self, pair_id: str) -> Path:
        """A pair's outcome file."""
        return self.outcomes / f"{pair_id}.json"

    def log(self, pair_id: str) -> Path:
        """What a pair's job printed when it last ran here."""
        return self.logs / f"{pair_id}.log"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Planned(_Part):
    """A pair and the files its job is handed."""

    pair: Pair
    inputs: tuple[str, ...]
    """Paths below the run folder of the weights and the images; their base names are those in the pair."""


class PlannedScores(_Part):
    """The alignment scores of a run."""

    source: str
    """File name the study gave."""
    sha256: Sha256
    label: str


class Plan(_Part):
    """What a run consists of. Written once a submission; a later one may add pairs."""

    schema_version: Literal[1] = 1
    name: str
    title: str
    seed: int
    study_sha256: Sha256
    code_sha256: Sha256
    written: str
    """UTC, ISO 8601."""
    scores: PlannedScores | None
    images: File
    image_count: Annotated[int, Field(ge=1)]
    planned: tuple[Planned, ...]

    def __iter__(self) -> Iterator[Pair]:  # type: ignore[override] # pydantic iterates fields; nobody needs that
        """The pairs, in the study's order."""
        return (planned.pair for planned in self.planned)

    def write(self, folder: RunFolder) -> None:
        """Write plan.json, aside and renamed. Raises OSError."""
        atomic.write(folder.plan, self.model_dump_json(indent=1).encode())

    @classmethod
    def read(cls, folder: RunFolder) -> "Plan":
        """Read plan.json. Raises Mistakes if the folder is no run or was written by another version."""
        try:
            return cls.model_validate_json(folder.plan.read_bytes())
        except OSError:
            remedy = "is not a run folder: it has no plan.json; make submit STUDY=... writes one"
        except ValidationError as error:
            remedy = (
                f"has a plan.json of another version ({error.error_count()} differences); submit the study again"
            )
        raise Mistakes([Mistake(str(folder.root), "", "", remedy)])
