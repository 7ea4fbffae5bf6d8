"""Extensions: outcomes of a run whose audited share is smaller than that of a planned pair.

The job of the pair takes over their verdicts, so that no audited image is searched twice.
"""

from fractions import Fraction
from pathlib import Path

from alignsec import digest
from alignsec.run import outcome_file
from alignsec.run.folder import RunFolder
from alignsec.run.outcome import Record
from alignsec.run.outcome_file import DamagedOutcomeError
from alignsec.spec.pair import File, Pair


def extend_pair(pair: Pair, folder: RunFolder) -> tuple[Pair, Path | None]:
    """Return a pair with the outcome that it extends, and the path of that outcome.

    Args:
        pair: A pair of the plan.
        folder: The run folder. Among its outcomes of the same pair with smaller shares, the largest share counts.

    Returns:
        The pair as it is, and None, without such an outcome, or if adversarial examples are kept: those of the
        earlier job would be missing.
    """
    if pair.attack.audit is None or pair.attack.keep is not None:
        return pair, None
    share, key = pair.attack.audit.resolved_share.exact, pair.audit_key
    best: tuple[Fraction, Path] | None = None
    for path in folder.outcomes.glob(f"{pair.id.rpartition('--')[0]}--*.json"):
        found = _read_share(path, key)
        if found is not None and found < share and (best is None or found > best[0]):
            best = found, path
    if best is None:
        return pair, None
    extends = File(name=best[1].name, sha256=digest.sha256_of_file(best[1]))
    return pair.model_copy(update={"extends": extends}), best[1]


def _read_share(path: Path, key: str) -> Fraction | None:
    """Return the audited share of an outcome of the pair with this audit key; None for any other file."""
    try:
        record = outcome_file.read(path)
    except (OSError, DamagedOutcomeError):
        return None
    if not isinstance(record, Record) or record.pair.attack.audit is None or record.pair.audit_key != key:
        return None
    return record.pair.attack.audit.resolved_share.exact
