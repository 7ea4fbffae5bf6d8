"""Synthetic runs: a plan and any number of valid outcome files, made in seconds.

A few records are made with the project's classes, and every pair gets one of them with its own id. Verdicts are
random and do not come from a network.
"""

import io
import json
import random
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alignsec import digest
from alignsec.run import outcome_file
from alignsec.run.folder import RunFolder
from alignsec.run.outcome import Provenance, Record
from alignsec.run.plan import Plan, PlannedPair, PlannedScores
from alignsec.spec.attack import Attack
from alignsec.spec.components import COMPONENTS
from alignsec.spec.pair import File, Pair, PairModel
from alignsec.spec.preprocessing import Preprocessing
from alignsec.spec.verdicts import ROBUST, WRONG, BudgetVerdicts, Passes, round_distance

EPS = ("0.001", "0.5/255", "1/255")
CLEAN, ROBUST_AT = 0.78, (0.6, 0.25, 0.08)
"""Clean and robust accuracies, similar to those of an ImageNet model at these budgets."""
RECORDS = 32
"""Number of different records."""


@dataclass(frozen=True)
class Size:
    """The size of a run."""

    models: int
    attacks: int
    images: int = 1000

    @property
    def outcomes(self) -> int:
        """Number of outcomes: one per model and attack."""
        return self.models * self.attacks


def write_plan(size: Size, folder: RunFolder) -> Plan:
    """Write a run's plan and scores, and return the plan."""
    pack = File(name="images-000000000000.tar", sha256="1" * 64)
    attacks = [
        Attack.model_validate({"method": "autoattack", "norm": "Linf", "eps": EPS, "name": f"autoattack-{number}"})
        for number in range(size.attacks)
    ]
    pairs = (
        Pair(model=model, attack=attack, images=pack, seed=0)
        for model in map(_model, range(size.models))
        for attack in attacks
    )
    scores = _scores(size.models)
    folder.outcomes.mkdir(parents=True, exist_ok=True)
    folder.scores.write_bytes(scores)
    made = Plan(
        name="synthetic",
        title="A synthetic run",
        seed=0,
        study_sha256="2" * 64,
        code_sha256="c" * 64,
        written="2026-01-01T00:00:00+00:00",
        scores=PlannedScores(source="scores.csv", sha256=digest.sha256_of_bytes(scores), label="drawn"),
        images=pack,
        image_count=size.images,
        planned=tuple(PlannedPair(pair=pair, inputs=(f"weights/{pair.model.name}", "images/i")) for pair in pairs),
    )
    made.write(folder)
    return made


def _model(number: int) -> PairModel:
    name = f"model-{number:05d}"
    return PairModel(
        name=name,
        source="timm:resnet50.a1_in1k",
        weights=File(name=f"weights-{number}.safetensors", sha256=digest.sha256_of_bytes(name.encode())),
        preprocessing=Preprocessing(
            input_size=(3, 224, 224),
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
            interpolation="bicubic",
            crop_pct=0.95,
        ),
    )


def _scores(models: int) -> bytes:
    """Return a leaderboard with an average, two categories and six benchmarks."""
    rng = random.Random(1)  # noqa: S311 # not used for security
    columns = ["average_vision", "neural_vision", *"abc", "behavior_vision", *"def"]
    lines = [",".join(["Model", *columns])]
    lines += [",".join([f"model-{n:05d}", *(f"{rng.random():.3f}" for _ in columns)]) for n in range(models)]
    return "\n".join(lines).encode()


def generate_outcomes(made: Plan) -> Iterator[tuple[str, bytes]]:
    """Yield the id and the bytes of the outcome file of every pair."""
    rng = random.Random(2)  # noqa: S311 # not used for security
    first = made.planned[0].pair
    names = [f"{number:08d}.JPEG" for number in sorted(rng.sample(range(50_000), made.image_count))]
    labels = [rng.randrange(1000) for _ in names]
    records = (_record(first, names, labels, rng) for _ in range(RECORDS))
    drawn = [outcome_file.dump(record).splitlines(keepends=True) for record in records]
    at_id, at_pair = (1 + list(Record.model_fields).index(name) for name in ("id", "pair"))
    for number, pair in enumerate(made):
        lines = [*drawn[number % RECORDS][:-1]]
        lines[at_id] = f'"id": "{pair.id}",\n'.encode()
        lines[at_pair] = f'"pair": {json.dumps(pair.model_dump(mode="json"))},\n'.encode()
        yield pair.id, outcome_file.add_checksum(b"".join(lines))


def _record(pair: Pair, names: list[str], labels: list[int], rng: random.Random) -> Record:
    hardness = [rng.random() for _ in names]
    clean = CLEAN + rng.uniform(-0.1, 0.1)
    budgets = []
    for eps, share in zip(pair.attack.budgets, ROBUST_AT, strict=True):
        robust = share * rng.uniform(0.7, 1.2)
        letters = [
            WRONG
            if hard > clean
            else ROBUST
            if hard < robust
            else rng.choice([component.letter for component in COMPONENTS.values()])
            for hard in hardness
        ]
        broken = sum(letter not in (ROBUST, WRONG) for letter in letters)
        budgets.append(
            BudgetVerdicts(
                eps=eps,
                verdicts="".join(letters),
                largest_distance=float(eps),
                broken_at_step=[int(rng.expovariate(0.3)) for _ in range(broken)],
                broken_at_distance=[round_distance(float(eps) * rng.uniform(0.9, 1)) for _ in range(broken)],
                seconds=round(rng.uniform(100, 1000), 3),
                passes={part: Passes(forward=100_000, backward=50_000) for part in pair.attack.components},
            )
        )
    return Record(
        id=pair.id,
        pair=pair,
        images=names,
        labels=labels,
        classes=1000,
        clean_top5="".join("1" if hard <= clean + 0.1 else "0" for hard in hardness),
        budgets=budgets,
        clean_passes=Passes(forward=len(names)),
        provenance=Provenance(
            code="c" * 64,
            container="docker://alignsec:v1",
            versions={"python": "3.11.7", "torch": "2.13.0", "torchvision": "0.28.0", "timm": "1.0.31"},
            precision="fp32",
            device="NVIDIA A100-SXM4-40GB",
            host="gpu2001",
            started="2026-01-01T00:00:00+00:00",
            seconds=1234.5,
        ),
    )


def write_archive(made: Plan, path: Path) -> None:
    """Write every outcome file into one tar archive, as the PRE script of the FINAL node does."""
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for pair_id, data in generate_outcomes(made):
            member = tarfile.TarInfo(f"./{pair_id}.json")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
            archive.members.clear()  # type: ignore[attr-defined] # otherwise it keeps every header in memory
