"""Pairs: one model under one attack on one image set, the unit that is run, stored and counted."""

import re
import unicodedata
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from alignsec import digest
from alignsec.schema import Sha256, StrictModel
from alignsec.spec.attack import Attack
from alignsec.spec.preprocessing import Preprocessing

Conversion = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$")]
"""How a weights file is read. "none": a state dict that fits key by key. The name of a model source: the file has
the form that the source publishes, and the source's builder converts it."""


class File(StrictModel):
    """A file a job is handed in its working folder, under its plain name."""

    name: Annotated[str, Field(pattern=r"^[^/\x00]*[^/\x00.][^/\x00]*$")]
    sha256: Sha256


Tolerance = Annotated[float, Field(ge=0, lt=1)]


class Published(StrictModel):
    """The clean accuracy that somebody else measured, which a model is held to before it is attacked."""

    top1: Annotated[float, Field(gt=0, le=1)]
    """Share of images classified correctly, not per cent."""
    tolerance: Tolerance = 0.05
    """How far the accuracy on another sample of the same images may truly lie from it, in the same unit."""
    where: str = ""
    """Where it was published."""


class PairModel(StrictModel):
    """A network, where its weights are, and how it wants its images."""

    name: str
    """Its name in the study: its row in the scores table."""
    source: str
    """Where its architecture comes from, such as `timm:resnet50.a1_in1k`."""
    options: dict[str, Any] = {}
    """Arguments of the architecture's constructor."""
    weights: File | None = None
    """None where the network's own code makes them."""
    conversion: Conversion = "none"
    """What is done to the weights file, if there is one."""
    code: File | None = None
    """A user's Python file that builds the network."""
    classes: Annotated[int, Field(ge=2)] | None = None
    """How many logits it must give; None where that shows only when it is built."""
    published: Published | None = None
    """What it is held to before it is attacked; None where nothing is published."""
    preprocessing: Preprocessing


class Pair(StrictModel):
    """Everything a job must know, and nothing about where it runs."""

    model: PairModel
    attack: Attack
    images: File
    """The pack of the study's images."""
    corrupted: File | None = None
    """The pack of the same images under the attack's corruption, in the same order, where they come as a set."""
    seed: int

    @model_validator(mode="after")
    def _one_source_of_corrupted_images(self) -> Self:
        """A corruption is generated or comes as a set; no other attack has corrupted images."""
        if (self.corrupted is not None) != (self.attack.level_kind == "severity" and not self.attack.generator):
            raise ValueError("the corrupted images are either a pack or made by the attack's generator")
        return self

    @property
    def fingerprint(self) -> dict[str, object]:
        """What changes the answer, and nothing else: file names and folders do not, nor what only refuses one."""
        no_answer = {"weights", "code", "classes", "published"}
        # Defaults are left out, so that a field that later versions add leaves the ids of today.
        model = self.model.model_dump(mode="json", exclude=no_answer, exclude_defaults=True)
        files = {"weights": self.model.weights, "code": self.model.code}
        digests = {name: file.sha256 for name, file in files.items() if file}
        return {
            "model": {**model, **digests},
            "attack": self.attack.fingerprint,
            "images": self.images.sha256,
            **({"corrupted": self.corrupted.sha256} if self.corrupted else {}),
            "seed": self.seed,
        }

    @cached_property
    def id(self) -> str:
        """A readable name and ten digits of the fingerprint's digest: the outcome's file name and the DAG's node.

        Letters, digits and hyphens only: DAGMan's node names admit neither "." nor "+".
        """
        return f"{slug(self.model.name)}--{slug(self.attack.name)}--{digest.sha256_of_json(self.fingerprint)[:10]}"


def slug(name: str, longest: int = 40) -> str:
    """The readable part of an id: ASCII letters and digits, everything else a single hyphen."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:longest].strip("-") or "x"
