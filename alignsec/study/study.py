"""Studies: which models meet which attacks on which images, and the scores they are compared with."""

import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError

from alignsec.errors import ConfigError, ConfigErrors
from alignsec.schema import Sha256
from alignsec.spec import corruption
from alignsec.spec.attack import Attack
from alignsec.spec.pair import Published, Tolerance
from alignsec.study.errors import explain
from alignsec.study.fields import Date, ExistingFile, Seed, Table
from alignsec.study.images import StudyImages
from alignsec.study.models import StudyModel


class StudyScores(Table):
    """The `[scores]` table: alignment scores, one row a model."""

    file: ExistingFile
    label: str = ""
    """What these scores are, in a line for the report."""
    sha256: Sha256 | None = None
    """Of the file: the snapshot this study was written for, and no other."""
    date: Date | None = None
    """Of the snapshot, year-month-day, for the report."""


class StudyPublished(Table):
    """The `[published]` table: a results table that models are held to, joined by their names in their library."""

    file: ExistingFile
    """A CSV with the columns `model` and `top1`, such as timm's results-imagenet.csv."""
    tolerance: Tolerance = Published.model_fields["tolerance"].default
    where: str = ""
    """Where it was published; the file's name where left out."""


class Study(Table):
    """A whole study file. Every pair of a model and an attack is run."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
    """Letters, digits, hyphens and underscores: it names the run's folder."""
    title: str = ""
    seed: Seed = 0
    images: StudyImages
    scores: StudyScores | None = None
    published: StudyPublished | None = None
    models: Annotated[tuple[StudyModel, ...], Field(min_length=1)]
    attacks: Annotated[tuple[Attack, ...], Field(min_length=1)]

    @classmethod
    def load(cls, path: Path, *, files_must_exist: bool = True) -> Self:
        """Read and check a study file as a whole.

        Args:
            path: The study file; paths in it are relative to its folder.
            files_must_exist: Whether a path to a missing file is an error. False reads a study whose files are
                still to be made.

        Raises Mistakes with every error in it: what is not TOML, unknown keys and names, budgets that are
        not text, files that are not there, names given twice.
        """
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigErrors.about(path, f"cannot be read: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigErrors.about(path, f"is not TOML: {error}") from None
        raw, entries = _with_each_corruption(raw)
        errors = _named_twice(str(path), raw, entries)
        try:
            study = cls.model_validate(
                raw, context={"folder": path.parent.resolve(), "files_must_exist": files_must_exist}
            )
        except ValidationError as error:
            errors = [*explain(str(path), cls, error, {"attacks": entries}), *errors]
        if errors:
            raise ConfigErrors(errors)
        return study


def _with_each_corruption(raw: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
    """A study with an attack for each of its corruptions, and which `[[attacks]]` entry each attack came from."""
    attacks, images = raw.get("attacks"), raw.get("images")
    if not isinstance(attacks, list):
        return raw, []
    from_set = isinstance(images, dict) and "corrupted" in images
    expanded = list(corruption.expanded(attacks, from_set=from_set))
    return {**raw, "attacks": [attack for _, attack in expanded]}, [entry for entry, _ in expanded]


def _named_twice(file: str, raw: dict[str, Any], attack_entries: Sequence[int]) -> list[ConfigError]:
    """Checked on the raw tables, so that it is told together with errors that keep an entry from being read."""
    errors = []
    for table in ("models", "attacks"):
        entries = raw.get(table)
        if not isinstance(entries, list):
            continue
        names = [entry.get("name") for entry in entries if isinstance(entry, dict)]
        if table == "attacks":
            names = [_attack_name(entry) for entry in entries if isinstance(entry, dict)]
        for name, times in Counter(name for name in names if isinstance(name, str)).items():
            if times > 1:
                at = [i for i, other in enumerate(names) if other == name]
                at = [attack_entries[i] for i in at] if table == "attacks" else at
                places = ", ".join(f"{table}[{i}]" for i in dict.fromkeys(at))
                errors.append(
                    ConfigError(
                        path=file,
                        field=f"{table}.name",
                        given=f'"{name}"',
                        remedy=f"names {times} entries ({places}); give each its own",
                    )
                )
    return errors


def _attack_name(entry: dict[str, Any]) -> object:
    if "name" in entry:
        return entry["name"]
    return f"{entry.get('method')}-{entry['norm']}" if "norm" in entry else entry.get("method")
