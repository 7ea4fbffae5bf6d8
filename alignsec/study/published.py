"""Results tables: CSV files of published clean accuracies in timm's layout, one row per model."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from alignsec import bounded, limits
from alignsec.errors import ConfigError, ConfigErrors


@dataclass(frozen=True)
class ResultsTable:
    """Top-1 accuracies by a model's name in its source, such as `resnet50.a1_in1k`."""

    path: Path
    top1: dict[str, float]
    """Fractions in (0, 1]."""

    @classmethod
    def read(cls, path: Path) -> "ResultsTable":
        """Read the columns `model` and `top1` of a CSV file.

        If any value is greater than 1, all values are per cent, as in timm's tables.

        Raises:
            ConfigErrors: If the file cannot be read, a column is missing, or a row has no valid accuracy or
                contradicts an earlier row.
        """
        try:
            text = bounded.read_bytes(path, limits.TABLE_BYTES).decode("utf-8-sig")
            reader = csv.DictReader(io.StringIO(text, newline=""))
            missing = {"model", "top1"} - set(reader.fieldnames or ())
            rows = [] if missing else [(reader.line_num, row["model"], row["top1"]) for row in reader]
        except (OSError, ValueError, csv.Error) as error:
            raise ConfigErrors.about(path, f"cannot be read as CSV: {error}") from None
        if missing:
            remedy = (
                f"has no column {' and no column '.join(sorted(missing))}; expected the columns model and top1"
            )
            raise ConfigErrors.about(path, remedy)
        found: dict[str, float] = {}
        errors = []
        for line, name, text in rows:
            value = _parse_accuracy(text)
            if value is None:
                errors.append(_row_error(path, line, text, "is not a top-1 accuracy"))
            elif found.setdefault(name, value) != value:
                errors.append(_row_error(path, line, name, "has two accuracies; keep one"))
        if errors:
            raise ConfigErrors(errors)
        unit = 100 if max(found.values(), default=0) > 1 else 1
        return cls(path, {name: value / unit for name, value in found.items()})


def _parse_accuracy(text: str) -> float | None:
    """Return a number in (0, 100], or None."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if 0 < value <= 100 else None


def _row_error(path: Path, line: int, given: str, remedy: str) -> ConfigError:
    return ConfigError(path=path, field=f"line {line}", given=f'"{given}"', remedy=remedy)
