"""Factories of tiny attacks, pairs, outcomes, images and packs; they do not need torch."""

import csv
import io
import random
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from alignsec.images import pack as image_pack
from alignsec.run.outcome import Failure, Provenance, Record
from alignsec.spec.attack import Attack
from alignsec.spec.pair import File, Pair, PairModel
from alignsec.spec.preprocessing import Preprocessing
from alignsec.spec.verdicts import BudgetVerdicts, Passes

SOURCE = "timm:vit_tiny_patch16_224"
OPTIONS: dict[str, Any] = {
    "img_size": 16,
    "patch_size": 4,
    "embed_dim": 16,
    "depth": 1,
    "num_heads": 2,
    "num_classes": 5,
    "in_chans": 1,
}
"""A vision transformer of a few thousand parameters on grey images of 16 pixels."""
GREY: dict[str, Any] = {
    "input_size": (1, 16, 16),
    "mean": (0.5,),
    "std": (0.25,),
    "interpolation": "bilinear",
    "crop_pct": 1.0,
}
PROVENANCE = Provenance(
    code="c" * 64,
    versions={"python": "3.11"},
    precision="fp32",
    device="CPU",
    host="h",
    started="now",
    seconds=1.5,
)
FOG = """
[[attacks]]
method = "clean"
[[attacks]]
method = "corruption"
corruption = "fog"
severity = [1, 2]
"""
"""The attacks of a study: clean images, and two severities of a corruption."""


def attack(**changes: object) -> Attack:
    """Return a short attack; `changes` replace or add fields."""
    return Attack.model_validate(
        {"method": "apgd-ce", "norm": "Linf", "eps": ["1/255", "8/255"], "steps": 3, **changes}
    )


def pair(**changes: Any) -> Pair:
    """Return a pair whose files need not exist; `changes` replace fields of the pair or else of its model."""
    model = {
        "name": "tiny",
        "source": SOURCE,
        "options": OPTIONS,
        "weights": File(name="weights.safetensors", sha256="1" * 64),
        "preprocessing": Preprocessing(**GREY),
        **{key: value for key, value in changes.items() if key not in Pair.model_fields},
    }
    fields = {
        "attack": attack(),
        "images": File(name="images.tar", sha256="2" * 64),
        "seed": 0,
        **{key: value for key, value in changes.items() if key in Pair.model_fields},
    }
    return Pair(model=PairModel(**model), **fields)


def record(for_pair: Pair, verdicts: Sequence[str] = ("RRcW", "RstW"), **changes: Any) -> Record:
    """Return the record of a pair with the given verdicts, one string per budget."""
    count = len(verdicts[0])
    fields = {
        "id": for_pair.id,
        "pair": for_pair,
        "classes": 5,
        "clean_passes": Passes(forward=count),
        "images": [f"{n}.png" for n in range(count)],
        "labels": [n % 5 for n in range(count)],
        "budgets": [
            BudgetVerdicts(
                eps=eps,
                verdicts=letters,
                largest_distance=0.5 * float(eps),
                rejected=1,
                seconds=0.25,
                passes={"apgd-ce": Passes(forward=40, backward=30)},
            )
            for eps, letters in zip(for_pair.attack.budgets, verdicts, strict=True)
        ],
        "notes": ["not the standard attack: steps = 3 (standard: 100)"],
        "provenance": PROVENANCE,
    }
    return Record(**{**fields, **changes})


def failure(for_pair: Pair, reason: str = "ModelError: no good") -> Failure:
    """Return the failure of a pair."""
    return Failure(id=for_pair.id, pair=for_pair, hopeless=True, reason=reason, provenance=PROVENANCE)


def write_image(path: Path, seed: int, size: int = 16, mode: str = "L") -> None:
    """Write an image of noise; the same seed gives the same image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = random.Random(seed).randbytes(size * size * len(Image.new(mode, (1, 1)).getbands()))  # noqa: S311
    Image.frombytes(mode, (size, size), data).save(path)


def write_class_folders(folder: Path, classes: int = 3, each: int = 4) -> None:
    """Write one folder of images per class, as in ImageNet's layout."""
    for label in range(classes):
        for number in range(each):
            write_image(folder / f"{label}" / f"{number}.png", seed=100 * label + number)


def write_labels(path: Path, rows: Sequence[tuple[str, object]]) -> None:
    """Write a labels file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([("file", "label"), *rows])


@dataclass(frozen=True)
class LabelledImage:
    """One encoded image and its label."""

    name: str
    label: int
    data: bytes


def read_pack(path: Path, sha256: str) -> list[LabelledImage]:
    """Return the images of a pack, in its order."""
    return [LabelledImage(image.name, image.label, image.read()) for image in image_pack.read_index(path, sha256)]


def unchecked_pack(images: Sequence[LabelledImage]) -> bytes:
    """Return the bytes of a pack whose images are not checked, which a submission never writes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        rows = "".join(f"{image.name},{image.label}\n" for image in images)
        members = [("labels.csv", f"file,label\n{rows}".encode()), *((f"images/{i.name}", i.data) for i in images)]
        for name, data in members:
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return buffer.getvalue()
