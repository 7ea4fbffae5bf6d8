"""Answers: what one run says of each image, and all that its outcomes tell of how it came to say so."""

import json
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from aggregate.collect import reading
from alignsec.display import Display
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.run import outcome_file, status
from alignsec.run.folder import RunFolder
from alignsec.run.outcome import Record
from alignsec.run.outcome_file import OutcomeFile
from alignsec.run.plan import Plan
from alignsec.run.status import FEW_PAIRS
from alignsec.spec.pair import Pair

NAMED = 10
"""Damaged files that a message names; it counts the others."""
PairKey = tuple[str, str]
"""Model and attack, by the names that the study gives them."""


@dataclass(frozen=True, slots=True)
class BudgetResult:
    """The verdicts at one budget."""

    attack: str
    """As the analysis calls it: the severities of a corruption are one attack."""
    eps: str
    """As the study wrote it, or the severity."""
    verdicts: str
    """A letter an image."""


@dataclass(frozen=True, slots=True)
class PairResult:
    """A pair that is ok."""

    levels: dict[Fraction, BudgetResult]
    """By the exact eps: 2/510 is 1/255."""
    images: tuple[str, ...]
    labels: tuple[int, ...]
    facts: dict[str, str]
    """What may change a verdict, each under a name for a person to read."""


@dataclass
class Run:
    """One of the two runs."""

    root: Path
    name: str
    answers: dict[PairKey, PairResult]
    others: dict[PairKey, str]
    """The planned pairs that are not ok, and why."""
    stale: int
    """Outcomes that its study no longer asks for; they are not compared."""


def read_run(root: Path, processes: int = 1, display: Display | None = None) -> Run:
    """Read a run's outcomes, many by so many processes.

    Raises Mistakes, naming all of them, if the folder is no run or outcome files are damaged; OSError.
    """
    folder = RunFolder(root)
    plan = Plan.read(folder)
    display = display or Display()
    display.begin(f"reading outcomes of {plan.name}", len(plan.planned), unit="outcomes")
    run = Run(root, plan.name, {}, {}, 0)
    damaged: list[ConfigError] = []
    once: dict[tuple[str, ...], tuple[str, ...]] = {}
    look = reading.read_parallel(_read, processes if len(plan.planned) > FEW_PAIRS else 1)
    seen = status.read_outcomes(plan, folder.outcomes, look)
    for pair_id, pair, found in reading.convert_archive_errors(seen, folder.outcomes):
        display.advance()
        if pair is None:
            run.stale += 1
        elif isinstance(found, PairResult):
            run.answers[_key(pair)] = _shared(found, once)
        elif found is not None and found.damaged:
            remedy = f"{found.reason}; run its pair again, or move the file out of the folder"
            damaged.append(ConfigError(path=folder.outcome(pair_id), remedy=remedy))
        else:
            run.others[_key(pair)] = found.reason if found else status.missing_status(pair_id, pair, None).reason
    if damaged:
        more = len(damaged) - NAMED
        rest = (
            [ConfigError(path=folder.outcomes, given=str(more), remedy="more outcome files are damaged")]
            if more > 0
            else []
        )
        raise ConfigErrors([*damaged[:NAMED], *rest])
    return run


@dataclass(frozen=True, slots=True)
class _NotOk:
    reason: str
    damaged: bool


def _read(file: OutcomeFile, planned: bool) -> PairResult | _NotOk:
    found = status.read_file_status(file, planned, outcome_file.parse_summary)
    if found.state == "ok" and found.record is not None:
        return _answer(found.record)
    return _NotOk(found.reason, damaged=not found.failure and bool(found.outcome_sha256))


def _answer(record: Record) -> PairResult:
    attack = record.pair.attack
    return PairResult(
        {b.eps.exact: BudgetResult(attack.series, attack.level(b.eps).label, b.verdicts) for b in record.budgets},
        tuple(record.images),
        tuple(record.labels),
        _facts(record),
    )


def _key(pair: Pair) -> PairKey:
    return pair.model.name, pair.attack.name


def _shared(answer: PairResult, once: dict[tuple[str, ...], tuple[str, ...]]) -> PairResult:
    """The same, with one copy of what the pairs of a run have in common: it is most of the memory."""
    facts = {sys.intern(name): sys.intern(value) for name, value in answer.facts.items()}
    images = once.setdefault(answer.images, answer.images)
    return PairResult(answer.levels, images, answer.labels, facts)


def _facts(record: Record) -> dict[str, str]:
    pair, ran = record.pair, record.provenance
    model = pair.model.model_dump(mode="json")
    files = {
        "weights": pair.model.weights,
        "the model's own code": pair.model.code,
        "corrupted images": pair.corrupted,
    }
    asked = {
        name: value for name, value in pair.attack.fingerprint.items() if name not in {"name", "eps", "version"}
    }
    return {
        "code": ran.code,
        "container": ran.container or "none",
        "images": pair.images.sha256,
        **{name: file.sha256 if file else "none" for name, file in files.items()},
        "the model's source": model["source"],
        **{f"the model's option {name}": _text(value) for name, value in model["options"].items()},
        **{f"preprocessing: {name}": _text(value) for name, value in model["preprocessing"].items()},
        **{f"attack: {name}": _text(value) for name, value in asked.items()},
        "seed": str(pair.seed),
        "precision": ran.precision,
        "device": ran.device,
        **{f"version of {library}": version for library, version in ran.versions.items()},
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
