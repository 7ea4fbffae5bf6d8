"""Runs made by hand: a plan, and outcomes with the verdicts a test wants, written with the project's classes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from aggregate.report import report
from alignsec import digest
from alignsec.run import outcome_file
from alignsec.run.folder import RunFolder
from alignsec.run.outcome import Failure, Provenance, Record
from alignsec.run.plan import Plan, PlannedPair, PlannedScores
from alignsec.spec.attack import Attack
from alignsec.spec.pair import File, Pair, PairModel
from alignsec.spec.preprocessing import Preprocessing
from alignsec.spec.verdicts import BudgetVerdicts, Passes

CLEAN = Attack(method="clean", name="clean")
STANDARD = Attack.model_validate(
    {"name": "autoattack-Linf", "method": "autoattack", "norm": "Linf", "eps": ["0.5/255", "1/255"]}
)
CODE = "c" * 64


def _pair(model: str, attack: Attack, source: str) -> Pair:
    return Pair(
        model=PairModel(
            name=model,
            source=source,
            weights=File(name="weights.safetensors", sha256=digest.sha256_of_bytes(model.encode())),
            preprocessing=Preprocessing(
                input_size=(3, 224, 224), mean=(0.5,) * 3, std=(0.5,) * 3, interpolation="bicubic", crop_pct=0.875
            ),
        ),
        attack=attack,
        images=File(name="images.zip", sha256="1" * 64),
        seed=7,
    )


@dataclass
class MadeRun:
    """A run folder with its plan, and the means to put outcomes into it."""

    folder: RunFolder
    plan: Plan
    provenance: Provenance = field(
        default_factory=lambda: Provenance(
            code=CODE,
            container="sha256:abc",
            versions={"python": "3.11.9", "torch": "2.13.0"},
            precision="float32",
            device="NVIDIA A100",
            host="gpu01",
            started="2025-11-23T20:00:00Z",
            seconds=12.5,
        )
    )

    def pair(self, model: str, attack: str) -> Pair:
        """The planned pair of a model and an attack, by their names."""
        return next(p for p in self.plan if (p.model.name, p.attack.name) == (model, attack))

    def of_another_seed(self, model: str, attack: str) -> Pair:
        """A pair the plan does not ask for. Not a copy: that would keep the id it was asked for before."""
        return Pair.model_validate({**self.pair(model, attack).model_dump(), "seed": 8})

    def record(self, pair: Pair, *verdicts: str, rejected: int = 0, notes: Sequence[str] = ()) -> Record:
        """A record with one verdict string a budget, in ascending order of the budgets."""
        spent = {component: Passes(forward=100, backward=50) for component in pair.attack.components}
        return Record(
            id=pair.id,
            pair=pair,
            images=[f"{at}.png" for at in range(len(verdicts[0]))],
            labels=[0] * len(verdicts[0]),
            classes=10,
            budgets=[
                BudgetVerdicts(
                    eps=eps, verdicts=letters, largest_distance=0.001, rejected=rejected, seconds=2.0, passes=spent
                )
                for eps, letters in zip(pair.attack.budgets, verdicts, strict=True)
            ],
            clean_passes=Passes(forward=len(verdicts[0])),
            notes=list(notes),
            provenance=self.provenance,
        )

    def answer(self, model: str, attack: str, *verdicts: str, **more: object) -> Path:
        """Write the outcome of a pair that is ok."""
        pair = self.pair(model, attack)
        return self.put(self.record(pair, *verdicts, **more))  # type: ignore[arg-type] # passed on as it is

    def fail(self, model: str, attack: str, reason: str) -> Path:
        """Write the outcome of a pair that failed."""
        pair = self.pair(model, attack)
        return self.put(Failure(id=pair.id, pair=pair, hopeless=False, reason=reason, provenance=self.provenance))

    def put(self, what: Record | Failure) -> Path:
        """Write an outcome where the run keeps it."""
        path = self.folder.outcome(what.id)
        outcome_file.write(path, what)
        return path


MakeRun = Callable[..., MadeRun]


def made(
    root: Path,
    models: Sequence[str] = ("a", "b", "c", "d"),
    attacks: Sequence[Attack] = (CLEAN, STANDARD),
    images: int = 10,
    scores: str | None = None,
    source: Callable[[str], str] = lambda _: "timm:resnet18.a1_in1k",
) -> MadeRun:
    """A run of these models under these attacks in a new folder, with a scores file where one is given."""
    folder = RunFolder(root)
    folder.outcomes.mkdir(parents=True)
    pairs = [_pair(model, attack, source(model)) for model in models for attack in attacks]
    planned_scores = None
    if scores is not None:
        folder.scores.write_text(scores, encoding="utf-8")
        planned_scores = PlannedScores(
            source="scores.csv", sha256=digest.sha256_of_file(folder.scores), label="made by hand"
        )
    plan = Plan(
        name="made",
        title="A study made by hand",
        seed=7,
        study_sha256="2" * 64,
        code_sha256=CODE,
        written="2025-11-23T19:00:00Z",
        scores=planned_scores,
        images=File(name="images.zip", sha256="1" * 64),
        image_count=images,
        planned=tuple(PlannedPair(pair=pair, inputs=()) for pair in pairs),
    )
    plan.write(folder)
    return MadeRun(folder, plan)


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Makes a run in the test's own folder: the arguments of `made` but the first."""
    return partial(made, tmp_path / "run")


@pytest.fixture(scope="session")
def paper_inputs(tmp_path_factory: pytest.TempPathFactory) -> "report.ReportInputs":
    """What a report of 144 models and 105 benchmarks is made of."""
    from tests.aggregate import paper  # noqa: PLC0415 # it makes its run with this file

    return paper.make_inputs(paper.write(tmp_path_factory.mktemp("paper") / "run"))
