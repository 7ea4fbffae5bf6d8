"""Pairs: one model under one attack on one image set, the unit that is run, stored and counted."""

import re
import unicodedata
from functools import cached_property
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from alignsec import digest
from alignsec.attack import Attack
from alignsec.preprocessing import Preprocessing

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class File(BaseModel):
    """A file a job is handed in its working folder, under its plain name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[^/\x00]*[^/\x00.][^/\x00]*$")]
    sha256: Sha256


class PairModel(BaseModel):
    """A network, where its weights are, and how it wants its images."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Its name in the study: its row in the scores table."""
    source: str
    """Where its architecture comes from, such as `timm:resnet50.a1_in1k`."""
    options: dict[str, Any] = {}
    """Arguments of the architecture's constructor."""
    weights: File
    from_hub: bool = False
    """The weights file is the hub's own, so the library's own conversion is applied to it."""
    preprocessing: Preprocessing


class Pair(BaseModel):
    """Everything a job must know, and nothing about where it runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: PairModel
    attack: Attack
    images: File
    """The pack of the study's images."""
    seed: int

    @cached_property
    def question(self) -> dict[str, object]:
        """What changes the answer, and nothing else: file names and folders do not."""
        model = self.model.model_dump(mode="json", exclude={"weights"})
        return {
            "model": {**model, "weights": self.model.weights.sha256},
            "attack": self.attack.question,
            "images": self.images.sha256,
            "seed": self.seed,
        }

    @cached_property
    def id(self) -> str:
        """A readable name and ten digits of the question's digest: the outcome's file name and the DAG's node.

        Letters, digits and hyphens only: DAGMan's node names admit neither "." nor "+".
        """
        return f"{slug(self.model.name)}--{slug(self.attack.name)}--{digest.of_json(self.question)[:10]}"


def slug(name: str, longest: int = 40) -> str:
    """The readable part of an id: ASCII letters and digits, everything else a single hyphen."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:longest].strip("-") or "x"
