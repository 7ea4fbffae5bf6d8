"""Studies: models, attacks, images, and the alignment scores to compare the results with."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError

from alignsec.errors import ConfigError, ConfigErrors
from alignsec.schema import Sha256
from alignsec.spec.corruption import expand_corruptions
from alignsec.spec.method import default_name
from alignsec.spec.pair import Published, Tolerance
from alignsec.study.attacks import StudyAttack
from alignsec.study.errors import explain_validation_error
from alignsec.study.fields import Date, ExistingFile, Line, RunName, Seed, StudyTable
from alignsec.study.images import StudyImages
from alignsec.study.models import StudyModel
from alignsec.study.toml_file import read_tables


class StudyScores(StudyTable):
    """The `[scores]` table: alignment scores, one row per model."""

    file: ExistingFile
    label: Line = ""
    """Description of the scores for the report, one line."""
    sha256: Sha256 | None = None
    """Expected digest of the file. Another snapshot of the scores is then an error."""
    date: Date | None = None
    """Date of the snapshot for the report: year-month-day."""


class StudyPublished(StudyTable):
    """The `[published]` table: a results table with clean accuracies that the models must reproduce."""

    file: ExistingFile
    """A CSV file with the columns `model` (the name in the source) and `top1`, such as timm's
    results-imagenet.csv."""
    tolerance: Tolerance = Published.model_fields["tolerance"].default
    where: Line = ""
    """Where the accuracies are published. Default: the name of the file."""


class Study(StudyTable):
    """A study file. Every pair of a model and an attack is evaluated."""

    name: RunName
    """Letters, digits, hyphens and underscores; also the name of the run folder."""
    title: Line = ""
    seed: Seed = 0
    images: StudyImages
    scores: StudyScores | None = None
    published: StudyPublished | None = None
    models: Annotated[tuple[StudyModel, ...], Field(min_length=1)]
    attacks: Annotated[tuple[StudyAttack, ...], Field(min_length=1)]

    @classmethod
    def load(cls, path: Path, *, files_must_exist: bool = True) -> Self:
        """Read and validate a study file as a whole.

        Args:
            path: The study file; paths in it are relative to its folder.
            files_must_exist: Whether a path to a missing file is an error. False reads a study whose files do not
                exist yet.

        Raises:
            ConfigErrors: With all errors of the file: invalid TOML, unknown keys and names, budgets that are not
                text, missing files, and names that are used twice.
        """
        raw, entries = _expand_attacks(read_tables(path))
        errors = _find_duplicate_names(str(path), raw, entries)
        try:
            study = cls.model_validate(
                raw, context={"folder": path.parent.resolve(), "files_must_exist": files_must_exist}
            )
        except ValidationError as error:
            errors = [*explain_validation_error(str(path), cls, error, {"attacks": entries}), *errors]
        if errors:
            raise ConfigErrors(errors)
        return study


def _expand_attacks(raw: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
    """Return the study with one attack per corruption setting, and the original index of each attack."""
    attacks, images = raw.get("attacks"), raw.get("images")
    if not isinstance(attacks, list):
        return raw, []
    from_set = isinstance(images, dict) and "corrupted" in images
    expanded = list(expand_corruptions(attacks, from_set=from_set))
    return {**raw, "attacks": [attack for _, attack in expanded]}, [index for index, _ in expanded]


def _find_duplicate_names(file: str, raw: dict[str, Any], attack_entries: Sequence[int]) -> list[ConfigError]:
    """Return an error for each name that several models or several attacks have.

    The raw tables are checked, so that the errors are reported together with those that prevent validation.
    """
    models = [(index, entry.get("name")) for index, entry in _tables(raw, "models")]
    attacks = [(attack_entries[index], _attack_name(entry)) for index, entry in _tables(raw, "attacks")]
    return [*_duplicates(file, "models", models), *_duplicates(file, "attacks", attacks)]


def _tables(raw: dict[str, Any], key: str) -> list[tuple[int, dict[str, Any]]]:
    """Return the tables of a list with their indices; nothing if the value is not a list."""
    entries = raw.get(key)
    if not isinstance(entries, list):
        return []
    return [(index, entry) for index, entry in enumerate(entries) if isinstance(entry, dict)]


def _duplicates(file: str, table: str, names: Sequence[tuple[int, object]]) -> list[ConfigError]:
    errors = []
    for name, times in Counter(name for _, name in names if isinstance(name, str)).items():
        if times > 1:
            indices = dict.fromkeys(index for index, other in names if other == name)
            places = ", ".join(f"{table}[{index}]" for index in indices)
            remedy = f"names {times} entries ({places}); give each entry its own name"
            errors.append(ConfigError(path=file, field=f"{table}.name", given=f'"{name}"', remedy=remedy))
    return errors


def _attack_name(entry: dict[str, Any]) -> object:
    """Return the name of a raw attack table, or its default name; None if it has neither name nor method."""
    method = entry.get("method")
    default = default_name(method, entry.get("norm")) if isinstance(method, str) else None
    return entry.get("name", default)
