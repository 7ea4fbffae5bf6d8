"""Runs to compare: the verdicts of a run's ok pairs, and the recorded settings that can change a verdict."""

import json
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from aggregate.collect import reading
from alignsec.display import Display
from alignsec.run import outcome_file, status
from alignsec.run.folder import RunFolder
from alignsec.run.outcome import Record
from alignsec.run.outcome_file import OutcomeFile
from alignsec.run.plan import Plan
from alignsec.run.status import FEW_PAIRS
from alignsec.spec.pair import Pair

PairKey = tuple[str, str]
"""Names of model and attack in the study."""


@dataclass(frozen=True, slots=True)
class BudgetResult:
    """The verdicts at one budget."""

    attack: str
    """Name of the attack in the analysis; all severities of a corruption have the same name."""
    eps: str
    """The budget as the study writes it, or the severity."""
    verdicts: str
    """One letter per image."""


@dataclass(frozen=True, slots=True)
class PairResult:
    """The verdicts and settings of an ok pair."""

    budgets: dict[Fraction, BudgetResult]
    """Verdicts by exact eps: 2/510 equals 1/255."""
    images: tuple[str, ...]
    labels: tuple[int, ...]
    settings: dict[str, str]
    """Recorded settings that can change a verdict, by readable name."""


@dataclass
class Run:
    """One of the two compared runs."""

    root: Path
    name: str
    results: dict[PairKey, PairResult]
    not_ok: dict[PairKey, str]
    """Reason for each planned pair that is not ok."""
    damaged: dict[PairKey, str]
    """The part of `not_ok` whose outcome file is damaged."""
    stale: int
    """Number of outcomes that the plan does not contain; they are not compared."""


def read_run(root: Path, processes: int = 1, display: Display | None = None) -> Run:
    """Read the outcomes of a run.

    Args:
        root: The run folder.
        processes: Number of reading processes. For a plan of at most `status.FEW_PAIRS` pairs, this process reads.
        display: Progress display.

    Raises:
        ConfigErrors: The folder is not a run folder, or its archive of outcomes cannot be read.
        OSError: A file cannot be read.
    """
    folder = RunFolder(root)
    plan = Plan.read(folder)
    display = display or Display()
    display.begin(f"reading outcomes of {plan.name}", len(plan.planned), unit="outcomes")
    run = Run(root, plan.name, {}, {}, {}, 0)
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}
    read_files = reading.read_parallel(_read_outcome, processes if len(plan.planned) > FEW_PAIRS else 1)
    outcomes = status.read_outcomes(plan, folder.outcomes, read_files)
    for pair_id, pair, outcome in reading.convert_archive_errors(outcomes, folder.outcomes):
        display.advance()
        if pair is None:
            run.stale += 1
        elif isinstance(outcome, PairResult):
            run.results[_key(pair)] = _share_memory(outcome, shared)
        else:
            missing = status.missing_status(pair_id, pair, None)
            run.not_ok[_key(pair)] = outcome.reason if outcome else missing.reason
            if outcome is not None and outcome.damaged:
                run.damaged[_key(pair)] = outcome.reason
    return run


@dataclass(frozen=True, slots=True)
class _NotOk:
    """An outcome file without a usable record."""

    reason: str
    damaged: bool


def _read_outcome(file: OutcomeFile, planned: bool) -> PairResult | _NotOk:
    found = status.read_file_status(file, planned, outcome_file.parse_summary)
    if found.state == "ok" and found.record is not None:
        return _make_result(found.record)
    return _NotOk(found.reason, damaged=not found.failure and bool(found.outcome_sha256))


def _make_result(record: Record) -> PairResult:
    attack = record.pair.attack
    return PairResult(
        {b.eps.exact: BudgetResult(attack.series, attack.level(b.eps).label, b.verdicts) for b in record.budgets},
        tuple(record.images),
        tuple(record.labels),
        _list_settings(record),
    )


def _key(pair: Pair) -> PairKey:
    return pair.model.name, pair.attack.name


def _share_memory(result: PairResult, shared: dict[tuple[str, ...], tuple[str, ...]]) -> PairResult:
    """Return an equal result that shares its strings and image names, most of the memory, with other pairs."""
    settings = {sys.intern(name): sys.intern(value) for name, value in result.settings.items()}
    images = shared.setdefault(result.images, result.images)
    return PairResult(result.budgets, images, result.labels, settings)


def _list_settings(record: Record) -> dict[str, str]:
    pair, provenance = record.pair, record.provenance
    model = pair.model.model_dump(mode="json")
    files = {
        "weights": pair.model.weights,
        "the model's own code": pair.model.code,
        "corrupted images": pair.corrupted,
        "the attack's own code": pair.attack_code,
    }
    parameters = {
        name: value for name, value in pair.attack.fingerprint.items() if name not in {"name", "eps", "version"}
    }
    return {
        "code": provenance.code,
        "container": provenance.container or "none",
        "images": pair.images.sha256,
        **{name: file.sha256 if file else "none" for name, file in files.items()},
        "the model's source": model["source"],
        **{f"the model's option {name}": _to_text(value) for name, value in model["options"].items()},
        **{f"preprocessing: {name}": _to_text(value) for name, value in model["preprocessing"].items()},
        **{f"attack: {name}": _to_text(value) for name, value in parameters.items()},
        "seed": str(pair.seed),
        "precision": provenance.precision,
        "device": provenance.device,
        **{f"version of {library}": version for library, version in provenance.versions.items()},
    }


def _to_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
