"""Run tables: the analysis and the verdicts of a run as pandas data frames. Needs no torch."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from alignsec.errors import ConfigErrors
from alignsec.run.folder import RunFolder
from alignsec.run.outcome import Record
from alignsec.run.outcome_file import DamagedOutcomeError, list_outcome_files, parse
from alignsec.spec.verdicts import MENDED, ROBUST

VERDICT_COLUMNS = ["pair", "model", "attack", "level", "image", "label", "verdict", "robust"]
"""Columns of `RunTables.verdicts`."""


@dataclass(frozen=True)
class RunTables:
    """The tables of one run. Each property reads its files again."""

    folder: RunFolder

    @property
    def table(self) -> pd.DataFrame:
        """Counts and accuracies: one row per model, attack and level, as in `analysis/table.csv`."""
        return self._read_csv("table.csv")

    @property
    def correlations(self) -> pd.DataFrame:
        """Correlations of alignment and robust accuracy, as in `analysis/correlations.csv`."""
        return self._read_csv("correlations.csv")

    @property
    def pairs(self) -> pd.DataFrame:
        """State of every planned pair, as in `analysis/pairs.csv`."""
        return self._read_csv("pairs.csv")

    @property
    def verdicts(self) -> pd.DataFrame:
        """One row per pair, level and image, from the outcome files.

        `level` is the eps as the study writes it, or the severity of a corruption. `verdict` is one letter, see
        `alignsec.spec.verdicts.legend`. `robust` is True if the image is classified correctly under the attack.
        Failed pairs have no rows.

        Raises:
            ConfigErrors: If an outcome file is damaged.
        """
        frames = [_make_verdict_rows(record) for record in self.records()]
        if not frames:
            return pd.DataFrame(columns=VERDICT_COLUMNS)
        return pd.concat(frames, ignore_index=True)

    def records(self) -> list[Record]:
        """Return the records of all pairs that are ok, sorted by pair id.

        Raises:
            ConfigErrors: If an outcome file is damaged.
        """
        records = []
        for file in list_outcome_files(self.folder.outcomes):
            try:
                outcome = parse(file.read())
            except DamagedOutcomeError as error:
                raise ConfigErrors.about(file.path, f"{error}; remove it, or fetch it again") from None
            if isinstance(outcome, Record):
                records.append(outcome)
        return records

    def _read_csv(self, name: str) -> pd.DataFrame:
        path = self.folder.analysis / name
        if not path.exists():
            remedy = f"not found; write the analysis with: make aggregate RUN={self.folder.root}"
            raise ConfigErrors.about(path, remedy)
        return pd.read_csv(path)


def open_run(path: Path | str) -> RunTables:
    """Return the tables of a run.

    Args:
        path: A run folder, such as "runs/demo".

    Raises:
        ConfigErrors: If the path is not a run folder.
    """
    folder = RunFolder(Path(path))
    if not folder.plan.exists():
        raise ConfigErrors.about(folder.root, "is not a run folder: it has no plan.json")
    return RunTables(folder)


def _make_verdict_rows(record: Record) -> pd.DataFrame:
    """Return one row per level and image of a record."""
    attack = record.pair.attack
    parts = []
    for budget in record.budgets:
        letters = list(budget.verdicts)
        part = pd.DataFrame({"image": record.images, "label": record.labels, "verdict": letters})
        part["level"] = str(budget.eps) if attack.severity is None else str(attack.severity)
        parts.append(part)
    rows = pd.concat(parts, ignore_index=True)
    rows["pair"], rows["model"], rows["attack"] = record.id, record.pair.model.name, attack.name
    rows["robust"] = rows["verdict"].isin([ROBUST, MENDED])
    return rows[VERDICT_COLUMNS]
