"""Run folders: a study laid out on disk. Every path of a run is made here and nowhere else."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError

from alignsec import atomic
from alignsec.errors import ConfigErrors
from alignsec.schema import Sha256, StrictModel
from alignsec.spec.attack import Attack
from alignsec.spec.pair import File, Pair, PairModel

Place = Annotated[int, Field(ge=0)]
Part = TypeVar("Part", PairModel, Attack, File)


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
    def sources(self) -> Path:
        """Copies of users' Python files that build models, named by their digest."""
        return self.root / "sources"

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


class Planned(StrictModel):
    """A pair and the files its job is handed."""

    pair: Pair
    inputs: tuple[str, ...]
    """Paths below the run folder of the weights and the images; their base names are those in the pair."""


class PlannedScores(StrictModel):
    """The alignment scores of a run."""

    source: str
    """File name the study gave."""
    sha256: Sha256
    label: str
    date: str = ""
    """Of the snapshot, as the study says; empty where it does not."""


class _About(StrictModel):
    """What is said of a run as a whole."""

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


class _Row(StrictModel):
    """A planned pair; its model, attack and packs are places in the file's lists."""

    model: Place
    attack: Place
    images: Place
    corrupted: Place | None = None
    seed: int
    inputs: tuple[str, ...]


class _Sheet(_About):
    """plan.json. What pairs share stands there once: written out, 100,000 pairs would be 110 MB."""

    schema_version: Literal[2] = 2
    models: tuple[PairModel, ...]
    attacks: tuple[Attack, ...]
    packs: tuple[File, ...]
    planned: tuple[_Row, ...]


class Plan(_About):
    """What a run consists of. Written once a submission; a later one may add pairs."""

    planned: tuple[Planned, ...]

    def __iter__(self) -> Iterator[Pair]:  # type: ignore[override] # pydantic iterates fields; nobody needs that
        """The pairs, in the study's order."""
        return (planned.pair for planned in self.planned)

    def write(self, folder: RunFolder) -> None:
        """Write plan.json, aside and renamed. Raises OSError."""
        models, model = _each_once(pair.model for pair in self)
        attacks, attack = _each_once(pair.attack for pair in self)
        packs, pack = _each_once(one for pair in self for one in (pair.images, pair.corrupted) if one)
        places = iter(pack)
        rows = [
            _Row(
                model=model_place,
                attack=attack_place,
                images=next(places),
                corrupted=next(places) if one.pair.corrupted else None,
                seed=one.pair.seed,
                inputs=one.inputs,
            )
            for one, model_place, attack_place in zip(self.planned, model, attack, strict=True)
        ]
        about = {name: getattr(self, name) for name in _About.model_fields}
        sheet = _Sheet(**about, models=models, attacks=attacks, packs=packs, planned=tuple(rows))
        atomic.write(folder.plan, sheet.model_dump_json().encode())

    @classmethod
    def read(cls, folder: RunFolder) -> "Plan":
        """Read plan.json. Raises Mistakes if the folder is no run or was written by another version."""
        try:
            sheet = _Sheet.model_validate_json(folder.plan.read_bytes())
            pairs = (
                Pair(
                    model=sheet.models[row.model],
                    attack=sheet.attacks[row.attack],
                    images=sheet.packs[row.images],
                    corrupted=None if row.corrupted is None else sheet.packs[row.corrupted],
                    seed=row.seed,
                )
                for row in sheet.planned
            )
            planned = tuple(
                Planned(pair=pair, inputs=row.inputs) for pair, row in zip(pairs, sheet.planned, strict=True)
            )
            return cls(**{name: getattr(sheet, name) for name in _About.model_fields}, planned=planned)
        except OSError:
            remedy = "is not a run folder: it has no plan.json; make submit STUDY=... writes one"
        except ValidationError as error:
            remedy = (
                f"has a plan.json of another version ({error.error_count()} differences); submit the study again"
            )
        except IndexError:
            remedy = "has a plan.json whose pairs name models it does not list; submit the study again"
        raise ConfigErrors.about(folder.root, remedy)


def _each_once(parts: Iterable[Part]) -> tuple[tuple[Part, ...], list[int]]:
    """The different ones among some parts, and the place there of each part."""
    found: dict[str, Part] = {}
    texts = []
    for part in parts:
        texts.append(part.model_dump_json())
        found.setdefault(texts[-1], part)
    place = {text: at for at, text in enumerate(found)}
    return tuple(found.values()), [place[text] for text in texts]
