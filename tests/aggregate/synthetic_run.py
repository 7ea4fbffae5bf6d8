"""Synthetic runs: a run folder with a plan, and outcomes with the verdicts that a test chooses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

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


def _make_pair(model: str, attack: Attack, source: str) -> Pair:
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
        attack_code=File(name="code-eeeeeeeeeeee.py", sha256="e" * 64) if attack.is_custom else None,
        seed=7,
    )


@dataclass
class SyntheticRun:
    """A run folder with its plan; the methods write outcomes into it."""

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
        """Return the planned pair of a model and an attack, by their names."""
        return next(p for p in self.plan if (p.model.name, p.attack.name) == (model, attack))

    def pair_with_other_seed(self, model: str, attack: str) -> Pair:
        """Return a pair that the plan does not contain; not a copy, because a copy keeps the cached id."""
        return Pair.model_validate({**self.pair(model, attack).model_dump(), "seed": 8})

    def make_record(self, pair: Pair, *verdicts: str, rejected: int = 0, notes: Sequence[str] = ()) -> Record:
        """Return a record with one verdict string per budget, in ascending order of budgets."""
        passes = {component: Passes(forward=100, backward=50) for component in pair.attack.components}
        return Record(
            id=pair.id,
            pair=pair,
            images=[f"{at}.png" for at in range(len(verdicts[0]))],
            labels=[0] * len(verdicts[0]),
            classes=10,
            budgets=[
                BudgetVerdicts(
                    eps=eps,
                    verdicts=letters,
                    largest_distance=0.001,
                    rejected=rejected,
                    seconds=2.0,
                    passes=passes,
                )
                for eps, letters in zip(pair.attack.budgets, verdicts, strict=True)
            ],
            clean_passes=Passes(forward=len(verdicts[0])),
            notes=list(notes),
            provenance=self.provenance,
        )

    def write_record(self, model: str, attack: str, *verdicts: str, **options: object) -> Path:
        """Write the outcome of an ok pair and return its path; see `make_record` for the options."""
        pair = self.pair(model, attack)
        return self.write_outcome(self.make_record(pair, *verdicts, **options))  # type: ignore[arg-type]

    def write_failure(self, model: str, attack: str, reason: str) -> Path:
        """Write the outcome of a failed pair and return its path."""
        pair = self.pair(model, attack)
        return self.write_outcome(
            Failure(id=pair.id, pair=pair, hopeless=False, reason=reason, provenance=self.provenance)
        )

    def write_outcome(self, outcome: Record | Failure) -> Path:
        """Write an outcome into the run folder and return its path."""
        path = self.folder.outcome(outcome.id)
        outcome_file.write(path, outcome)
        return path


MakeRun = Callable[..., SyntheticRun]


def write_run(
    root: Path,
    models: Sequence[str] = ("a", "b", "c", "d"),
    attacks: Sequence[Attack] = (CLEAN, STANDARD),
    images: int = 10,
    scores: str | None = None,
    source: Callable[[str], str] = lambda _: "timm:resnet18.a1_in1k",
) -> SyntheticRun:
    """Write a run folder with a plan of all models under all attacks, without outcomes.

    Args:
        root: A new folder.
        models: Names of the models.
        attacks: The attacks.
        images: Number of images in the plan.
        scores: Text of a scores file; None for a study without scores.
        source: Function that returns the source of a model by its name.
    """
    folder = RunFolder(root)
    folder.outcomes.mkdir(parents=True)
    pairs = [_make_pair(model, attack, source(model)) for model in models for attack in attacks]
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
    return SyntheticRun(folder, plan)
