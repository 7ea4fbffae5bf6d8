"""Reading the outcome that a pair with a larger audited share extends."""

from pathlib import Path

import pytest

from alignsec import digest
from alignsec.run import outcome_file
from alignsec.spec.pair import File, Pair
from jobs import pair_evaluation
from tests import tiny


def _pair(share: str, **more: object) -> Pair:
    attack = tiny.attack(method="autoattack", eps=["1/255"], steps=100, audit={"share": share}, **more)
    return tiny.pair(attack=attack)


def _extend(folder: Path, earlier: Pair) -> Pair:
    """Write the outcome of a pair; return a pair with a larger share that extends it."""
    path = folder / f"{earlier.id}.json"
    record = tiny.record(earlier, ["RRRt"])
    budget = record.budgets[0].model_copy(update={"verdicts": "URRt", "audit": "faab"})
    outcome_file.write(path, record.model_copy(update={"budgets": [budget]}))
    extends = File(name=path.name, sha256=digest.sha256_of_file(path))
    return _pair("0.5").model_copy(update={"extends": extends})


def test_the_verdicts_of_the_smaller_share_are_read(tmp_path: Path):
    (budget,) = pair_evaluation._read_earlier(_extend(tmp_path, _pair("0.1")), tmp_path)
    assert (budget.verdicts, budget.audit) == ("URRt", "faab")
    assert pair_evaluation._read_earlier(_pair("0.5"), tmp_path) == ()


def test_an_outcome_of_another_pair_is_refused(tmp_path: Path):
    """Expect an error if more than the audited share differs."""
    pair = _extend(tmp_path, _pair("0.1", queries=99))
    with pytest.raises(ValueError, match="not an outcome of the same pair"):
        pair_evaluation._read_earlier(pair, tmp_path)
