"""Audits of a study: the choice of the shares that reach the requested precisions.

A share that an earlier submission chose for the same request is kept, because another share would give the pairs
other ids.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from alignsec.audit_precision import (
    ASSUMED,
    ASSUMED_BASIS,
    SHARES,
    Expectation,
    choose_share,
    compute_smallest_error,
    compute_standard_error,
    compute_study_growth,
    count_images,
)
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.run import outcome_file
from alignsec.run.folder import RunFolder
from alignsec.run.outcome import Record
from alignsec.run.outcome_file import DamagedOutcomeError
from alignsec.run.plan import Plan, PlannedAudit
from alignsec.spec.attack import Attack
from alignsec.spec.audit import STRATA, STUDY_PRECISION, Audit, Stratum
from alignsec.spec.audit_plan import StratumCounts, count_strata
from alignsec.spec.budget import Budget
from alignsec.spec.method import default_name
from alignsec.spec.pair import slug
from alignsec.study.attacks import StudyAttack
from alignsec.study.toml_file import read_tables
from submit.validation import ValidatedStudy

Strata = dict[Stratum, StratumCounts]


def resolve_audits(validated: ValidatedStudy, folder: RunFolder) -> ValidatedStudy:
    """Replace the precision of each audit by the share that reaches it.

    Args:
        validated: The study.
        folder: The run folder; its outcomes of the same attacks replace the assumptions.

    Returns:
        The study with a share in each audit, and the record of the choices.

    Raises:
        ConfigErrors: The study's images cannot give a precision.
    """
    attacks, chosen, errors = [], [], list[ConfigError]()
    for attack in validated.study.attacks:
        audit = attack.audit
        if audit is None or audit.precision is None:
            attacks.append(attack)
            continue
        try:
            planned = _find_kept(attack, audit, validated, folder) or _choose(attack, audit, validated, folder)
        except ConfigErrors as found:
            errors += found.errors
            continue
        chosen.append(planned)
        resolved = Audit(share=planned.share, targets=audit.targets)
        attacks.append(attack.model_copy(update={"audit": resolved}))
    if errors:
        raise ConfigErrors(errors)
    study = validated.study.model_copy(update={"attacks": tuple(attacks)})
    return replace(validated, study=study, audits=tuple(chosen))


def describe_audit(planned: PlannedAudit) -> str:
    """Return a line on the choice of a share, for the terminal."""
    goal = "the study" if planned.precision == STUDY_PRECISION else f"a standard error of {planned.precision}"
    return (
        f"audit of {planned.attack}: share {planned.share} for {goal}; expected standard error of a model "
        f"{planned.standard_error:.4f} with {planned.images} images, {planned.smallest_error:.4f} without an "
        f"audit; {planned.basis}"
    )


def _find_kept(
    attack: StudyAttack, audit: Audit, validated: ValidatedStudy, folder: RunFolder
) -> PlannedAudit | None:
    """Return what an earlier submission chose for the same request."""
    try:
        plan = Plan.read(folder)
    except ConfigErrors:  # no plan, or one of another version
        return None
    request = (attack.name, audit.precision, audit.targets, len(validated.selection.images))
    return next((one for one in plan.audits if _request_of(one) == request), None)


def _request_of(planned: PlannedAudit) -> tuple[str, str, int, int]:
    return planned.attack, planned.precision, planned.targets, planned.images


def _choose(attack: StudyAttack, audit: Audit, validated: ValidatedStudy, folder: RunFolder) -> PlannedAudit:
    """Return the smallest share that reaches the precision of an attack's audit."""
    images, precision = len(validated.selection.images), audit.precision or STUDY_PRECISION
    found = Outcomes.read(attack, folder).expectations
    expectations = found or [ASSUMED]
    share = choose_share(images, expectations, precision)
    if share is None:
        raise ConfigErrors([_explain_unreachable(attack, precision, validated.path, images, expectations)])
    basis = f"from {len(found)} earlier results of this run" if found else ASSUMED_BASIS
    return PlannedAudit(
        attack=attack.name,
        precision=precision,
        targets=audit.targets,
        images=images,
        share=share,
        standard_error=max(compute_standard_error(images, one, share) for one in expectations),
        smallest_error=compute_smallest_error(images, expectations),
        growth=compute_study_growth(images, expectations, share),
        basis=basis,
    )


def _explain_unreachable(
    attack: Attack, precision: str, path: Path, images: int, expectations: Sequence[Expectation]
) -> ConfigError:
    needed = count_images(expectations, Budget.parse(precision))
    smallest = compute_smallest_error(images, expectations)
    reachable = f"{math.ceil(smallest * 10_000) / 10_000:.4f}"
    remedy = f"cannot be reached with {images} images; give {reachable} or more, or at least {needed:,} images"
    field = f"attacks[{_find_entry(attack, path)}].audit.precision"
    return ConfigError(path=path, field=field, given=f'"{precision}"', remedy=remedy)


def _find_entry(attack: Attack, path: Path) -> int:
    """Return the index of an attack's table in the study file; corruptions before it count once."""
    entries = read_tables(path)["attacks"]
    names = [entry.get("name") or default_name(entry["method"], entry.get("norm")) for entry in entries]
    return names.index(attack.name)


@dataclass(frozen=True)
class Outcomes:
    """Counts of the audits of one attack, by model and budget, with any share."""

    counts: dict[tuple[str, Budget], tuple[int, Strata]]
    """Images and strata."""

    @classmethod
    def read(cls, attack: StudyAttack, folder: RunFolder) -> "Outcomes":
        """Read the outcomes of a run whose attacks differ from the given one in the audit's share at most."""
        counts = {}
        for record in _read_records(attack, folder):
            for budget in record.budgets:
                if budget.audit and budget.eps.exact > 0:
                    strata = count_strata(budget.audit, budget.verdicts)
                    counts[record.pair.model.name, budget.eps] = (len(record.images), strata)
        return cls(counts)

    @property
    def expectations(self) -> list[Expectation]:
        """The expected results of each model and budget.

        The broken share of a stratum is that of all models at the budget, with half a broken image added: the
        share of one model's small sample says little, and the choice must not depend on single models.
        """
        pooled: dict[tuple[Budget, Stratum], list[StratumCounts]] = defaultdict(list)
        for (_, eps), (_, strata) in self.counts.items():
            for stratum in STRATA:
                pooled[eps, stratum].append(strata[stratum])
        broken = {
            key: (sum(one.broken for one in all_models) + 0.5) / (sum(one.audited for one in all_models) + 1)
            for key, all_models in pooled.items()
        }
        return [
            Expectation(
                sum(one.survivors for one in strata.values()) / images, {one: broken[eps, one] for one in STRATA}
            )
            for (_, eps), (images, strata) in self.counts.items()
            if images
        ]


def _read_records(attack: StudyAttack, folder: RunFolder) -> Iterator[Record]:
    wanted = _without_share(attack.to_pair_attack())
    for path in sorted(folder.outcomes.glob(f"*--{slug(attack.name)}--*.json")):
        try:
            record = outcome_file.read(path)
        except (OSError, DamagedOutcomeError):
            continue
        if not isinstance(record, Record) or record.pair.attack.audit is None:
            continue
        if _without_share(record.pair.attack) == wanted:
            yield record


def _without_share(attack: Attack) -> Attack:
    """Return an attack whose audit has the largest share and which keeps no examples."""
    targets = attack.audit.targets if attack.audit else 0
    return attack.model_copy(update={"audit": Audit(share=SHARES[-1], targets=targets), "keep": None})
