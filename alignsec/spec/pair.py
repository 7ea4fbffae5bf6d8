"""Pairs: one model under one attack on one image set, the unit of a job, an outcome and a table row."""

import re
import unicodedata
from functools import cached_property, lru_cache
from operator import not_
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
    """A file in a job's working folder."""

    name: Annotated[str, Field(pattern=r"^[^/\x00]*[^/\x00.][^/\x00]*$")]
    """File name without a folder."""
    sha256: Sha256


def _is_none(value: object) -> bool:
    return value is None


Tolerance = Annotated[float, Field(ge=0, lt=1)]


class Published(StrictModel):
    """A published clean accuracy that a model must reproduce before it is attacked."""

    top1: Annotated[float, Field(gt=0, le=1)]
    """Fraction of images classified correctly, not per cent."""
    tolerance: Tolerance = 0.05
    """Largest accepted difference between this value and the true accuracy on the study's images, as a
    fraction."""
    where: str = ""
    """Source of the value."""


class PairModel(StrictModel):
    """A network, its files and its preprocessing."""

    name: str
    """Name in the study, and row in the scores table."""
    source: str
    """Source and name of the architecture, such as `timm:resnet50.a1_in1k`."""
    options: dict[str, Any] = {}
    """Arguments of the constructor."""
    weights: File | None = None
    """None if the network's code creates the weights."""
    conversion: Conversion = "none"
    """How to read the weights file, if there is one."""
    code: File | None = None
    """Python file of a user that builds the network."""
    classes: Annotated[int, Field(ge=2)] | None = None
    """Expected number of logits; None if only building the network shows it."""
    random_weights: bool = Field(default=False, exclude_if=not_)
    """Whether parameters may stay as the network's code drew them; they are then the same in each job."""
    published: Published | None = None
    """Clean accuracy that it must reproduce before it is attacked; None if there is none."""
    preprocessing: Preprocessing

    @property
    def fingerprint(self) -> dict[str, object]:
        """Everything of the model that changes the verdicts."""
        unused = {"weights", "code", "classes", "published"}
        # Defaults are left out, so that a field of a later version does not change existing ids.
        model = self.model_dump(mode="json", exclude=unused, exclude_defaults=True)
        files = {"weights": self.weights, "code": self.code}
        return {**model, **{name: file.sha256 for name, file in files.items() if file}}

    @cached_property
    def canonical_fingerprint(self) -> str:
        """The fingerprint's canonical JSON text."""
        return digest.canonical(self.fingerprint).decode()


class Pair(StrictModel):
    """The input of one job, independent of the machine that runs it."""

    model: PairModel
    attack: Attack
    images: File
    """The pack of the study's images."""
    corrupted: File | None = None
    """The pack of the same images under the attack's corruption, in the same order; None if they are generated."""
    attack_code: File | None = Field(default=None, exclude_if=not_)
    """The Python file of a user's own attack."""
    seed: int
    extends: File | None = Field(default=None, exclude_if=_is_none)
    """Outcome of the same pair with a smaller audited share; the job does not search its audited images again. It
    does not change the verdicts, so it is not part of the id."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_parts()
        return self

    def _check_parts(self) -> None:
        """Require the share of an audit, a corruption's pack or generator, and a custom attack's file.

        No other attack may have them.
        """
        attack = self.attack
        if attack.audit is not None and attack.audit.share is None:
            raise ValueError("the audit's precision must be resolved to a share")
        if attack.audit is None and self.extends is not None:
            raise ValueError("only an audited attack extends an earlier outcome")
        if (self.attack_code is not None) != attack.is_custom:
            raise ValueError("a custom attack needs the file that defines it, and no other attack has one")
        if self.corrupted is None and attack.corruption is None:
            return
        if (self.corrupted is not None) != (attack.level_kind == "severity" and not attack.generator):
            raise ValueError("a corruption needs either a pack of corrupted images or a generator")

    @classmethod
    def from_parts(
        cls,
        model: PairModel,
        attack: Attack,
        images: File,
        corrupted: File | None,
        seed: int,
        extends: File | None = None,
        attack_code: File | None = None,
    ) -> "Pair":
        """Return a pair of validated parts, which are not validated again: 100,000 pairs share a few parts.

        Raises:
            ValueError: As for the constructor, if the parts do not fit.
        """
        made = cls.model_construct(
            model=model,
            attack=attack,
            images=images,
            corrupted=corrupted,
            attack_code=attack_code,
            seed=seed,
            extends=extends,
        )
        made._check_parts()
        return made

    @property
    def fingerprint(self) -> dict[str, object]:
        """Everything that changes the verdicts. File names do not, and neither do fields that only reject a
        model."""
        return {
            "model": self.model.fingerprint,
            "attack": self.attack.fingerprint,
            "images": self.images.sha256,
            **({"corrupted": self.corrupted.sha256} if self.corrupted else {}),
            **({"attack_code": self.attack_code.sha256} if self.attack_code else {}),
            "seed": self.seed,
        }

    @cached_property
    def _fingerprint_sha256(self) -> str:
        """SHA-256 of the fingerprint's canonical JSON, put together from the texts of the shared parts."""
        corrupted = f'"corrupted":"{self.corrupted.sha256}",' if self.corrupted else ""
        code = f'"attack_code":"{self.attack_code.sha256}",' if self.attack_code else ""
        text = (
            f'{{"attack":{self.attack.canonical_fingerprint},{code}{corrupted}"images":"{self.images.sha256}",'
            f'"model":{self.model.canonical_fingerprint},"seed":{self.seed}}}'
        )
        return digest.sha256_of_bytes(text.encode())

    @property
    def audit_key(self) -> str:
        """What selects the audited images: the fingerprint's digest without the audited share.

        Pairs that differ only in the share have the same key, so the larger sample contains the smaller one.
        """
        values = self.fingerprint
        audit = self.attack.audit
        kept = {"targets": audit.targets} if audit else None
        return digest.sha256_of_json({**values, "attack": {**self.attack.fingerprint, "audit": kept}})

    @cached_property
    def id(self) -> str:
        """A readable name and ten digits of the fingerprint's digest: the name of the outcome file and the DAG
        node.

        It has only letters, digits and hyphens, because DAGMan's node names accept neither "." nor "+".
        """
        return f"{slug(self.model.name)}--{slug(self.attack.name)}--{self._fingerprint_sha256[:10]}"


@lru_cache(maxsize=4096)
def slug(name: str, longest: int = 40) -> str:
    """Return the readable part of an id: ASCII letters and digits; all other characters become one hyphen."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:longest].strip("-") or "x"
