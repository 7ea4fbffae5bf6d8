"""Studies: which models meet which attacks on which images, and the scores they are compared with."""

import tomllib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from alignsec import digest, timm_catalogue
from alignsec.attack import Attack
from alignsec.mistake import Mistake, Mistakes, nearest
from alignsec.preprocessing import Preprocessing
from alignsec.study_mistakes import explain


def _existing(path: Path, info: ValidationInfo) -> Path:
    """Paths in a study are relative to the study file, so that a study can be moved with its data."""
    try:
        full = (info.context["folder"] / path.expanduser()).resolve() if info.context else path
        if full.exists():
            return full
    except (OSError, RuntimeError) as error:  # a name too long, no permission to look, ~somebody unknown
        raise PydanticCustomError("path", "cannot be looked for: {why}", {"why": str(error)}) from None
    raise PydanticCustomError("path", "does not exist (looked for {full})", {"full": str(full)})


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Options travel in JSON and are part of a pair's digest."""
    try:
        digest.canonical(options)
    except (TypeError, ValueError):
        why = "hold a date, a time, nan or inf; give numbers, text, true, false, lists and tables"
        raise PydanticCustomError("options", why) from None
    classes = options.get("num_classes", 1)
    if isinstance(classes, bool) or not isinstance(classes, int):
        raise PydanticCustomError("options", "have a num_classes that is not a whole number")
    return options


def _file(path: Path) -> Path:
    if path.is_dir():
        raise PydanticCustomError("path", "is a folder; give a file")
    return path


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise PydanticCustomError("path", "is a file; give a folder")
    return path


ExistingFile = Annotated[Path, AfterValidator(_existing), AfterValidator(_file)]
ExistingFolder = Annotated[Path, AfterValidator(_existing), AfterValidator(_folder)]
Name = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]*$")]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StudyModel(_Table):
    """A `[[models]]` entry."""

    name: Name
    """What tables call it, and its row in the scores table."""
    source: Annotated[str, Field(pattern=r"^timm:")]
    """`timm:` and a pretrained tag such as `resnet50.a1_in1k`, or an architecture where `weights` are given."""
    options: Annotated[dict[str, Any], AfterValidator(_plain)] = {}
    """Arguments of `timm.create_model`."""
    weights: ExistingFile | None = None
    """A local checkpoint: safetensors, or a torch file of tensors. Without it, the tag's own in the hub cache."""
    preprocessing: Preprocessing
    """Taken from the tag's own configuration where it has one; the study's word goes first."""

    @model_validator(mode="before")
    @classmethod
    def _from_catalogue(cls, data: object) -> object:
        """Check the source against timm's own list, and take from it how the model wants its images."""
        source = data.get("source") if isinstance(data, dict) else None
        if not (isinstance(data, dict) and isinstance(source, str) and source.startswith("timm:")):
            return data
        known = timm_catalogue.entries()
        name = source.removeprefix("timm:")
        if name not in known:
            why = nearest(name, list(known))
            raise PydanticCustomError(
                "source", "source {s} is not a model of timm; {why}", {"s": source, "why": why}
            )
        entry = known[name]
        if "weights" not in data and not entry.is_tag:
            tags = ", ".join(timm_catalogue.tags_of(name)[:4]) or "it has no pretrained tag"
            why = f"is an architecture without weights; give weights = FILE, or a tag: {tags}"
            raise PydanticCustomError("source", "source {s} {why}", {"s": source, "why": why})
        if "preprocessing" not in data and not entry.is_tag:
            why = "has no preprocessing of its own; state it: preprocessing = { input_size, mean, std, ... }"
            raise PydanticCustomError("source", "source {s} {why}", {"s": source, "why": why})
        stated = data.get("preprocessing", {})
        if entry.preprocessing and isinstance(stated, dict):
            return {**data, "preprocessing": {**entry.preprocessing, **stated}}
        return data

    @property
    def timm_name(self) -> str:
        """The architecture or tag, without `timm:`."""
        return self.source.removeprefix("timm:")

    @property
    def classes(self) -> int:
        """How many classes its logits have, as far as is known without building it."""
        return int(self.options.get("num_classes", timm_catalogue.entries()[self.timm_name].classes))


class StudyImages(_Table):
    """The `[images]` table."""

    folder: ExistingFolder
    labels: ExistingFile | None = None
    """A CSV with the columns `file` and `label`; without it, each class is a folder, in sorted order."""
    count: Annotated[int, Field(ge=1)] | None = None
    """How many images are attacked; all of them where left out."""
    seed: Seed | None = None
    """Decides which images are chosen; the study's seed where left out."""


class StudyScores(_Table):
    """The `[scores]` table: alignment scores, one row a model."""

    file: ExistingFile
    label: str = ""
    """What these scores are, in a line for the report."""


class Study(_Table):
    """A whole study file. Every pair of a model and an attack is run."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
    """Letters, digits, hyphens and underscores: it names the run's folder."""
    title: str = ""
    seed: Seed = 0
    images: StudyImages
    scores: StudyScores | None = None
    models: Annotated[tuple[StudyModel, ...], Field(min_length=1)]
    attacks: Annotated[tuple[Attack, ...], Field(min_length=1)]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read and check a study file as a whole.

        Raises Mistakes with every mistake in it: what is not TOML, unknown keys and names, budgets that are
        not text, files that are not there, names given twice.
        """
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise Mistakes([Mistake(str(path), "", "", f"cannot be read: {error.strerror}")]) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise Mistakes([Mistake(str(path), "", "", f"is not TOML: {error}")]) from None
        mistakes = _named_twice(str(path), raw)
        try:
            study = cls.model_validate(raw, context={"folder": path.parent.resolve()})
        except ValidationError as error:
            mistakes = [*explain(str(path), cls, error), *mistakes]
        if mistakes:
            raise Mistakes(mistakes)
        return study


def _named_twice(file: str, raw: dict[str, Any]) -> list[Mistake]:
    """Checked on the raw tables, so that it is told together with mistakes that keep an entry from being read."""
    mistakes = []
    for table in ("models", "attacks"):
        entries = raw.get(table)
        if not isinstance(entries, list):
            continue
        names = [entry.get("name") for entry in entries if isinstance(entry, dict)]
        if table == "attacks":
            names = [_attack_name(entry) for entry in entries if isinstance(entry, dict)]
        for name, times in Counter(name for name in names if isinstance(name, str)).items():
            if times > 1:
                places = ", ".join(f"{table}[{i}]" for i, other in enumerate(names) if other == name)
                mistakes.append(
                    Mistake(
                        file, f"{table}.name", f'"{name}"', f"names {times} entries ({places}); give each its own"
                    )
                )
    return mistakes


def _attack_name(entry: dict[str, Any]) -> object:
    if "name" in entry:
        return entry["name"]
    return f"{entry.get('method')}-{entry['norm']}" if "norm" in entry else entry.get("method")
