"""Results tables: a CSV of clean accuracies that somebody published, one row a model, in timm's layout."""

import csv
from dataclasses import dataclass
from pathlib import Path

from alignsec.errors import ConfigError, ConfigErrors


@dataclass(frozen=True)
class ResultsTable:
    """Top-1 accuracy by the name a model has in its library, such as `resnet50.a1_in1k`."""

    path: Path
    top1: dict[str, float]
    """As shares in (0, 1]."""

    @classmethod
    def read(cls, path: Path) -> "ResultsTable":
        """Read the columns `model` and `top1`; the rest, which timm's own tables have, are not looked at.

        Values above 1 say that the table is in per cent, as timm's are. Raises Mistakes with every row that has
        no number, or another one for the same model.
        """
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.DictReader(file)
                missing = {"model", "top1"} - set(reader.fieldnames or ())
                rows = [] if missing else [(reader.line_num, row["model"], row["top1"]) for row in reader]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ConfigErrors.about(path, f"cannot be read as CSV: {error}") from None
        if missing:
            remedy = f"has no column {' and no column '.join(sorted(missing))}; a results table has model and top1"
            raise ConfigErrors.about(path, remedy)
        found: dict[str, float] = {}
        errors = []
        for line, name, text in rows:
            try:
                value = float(text)
            except (TypeError, ValueError):
                value = -1.0
            if not 0 < value <= 100:
                errors.append(
                    ConfigError(
                        path=path, field=f"line {line}", given=f'"{text}"', remedy="is not a top-1 accuracy"
                    )
                )
            elif found.setdefault(name, value) != value:
                errors.append(
                    ConfigError(
                        path=path, field=f"line {line}", given=f'"{name}"', remedy="has two accuracies; keep one"
                    )
                )
        if errors:
            raise ConfigErrors(errors)
        unit = 100 if max(found.values(), default=0) > 1 else 1
        return cls(path, {name: value / unit for name, value in found.items()})
