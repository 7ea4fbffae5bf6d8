"""Corruptions in the analysis: severities side by side, accuracy counted as on ImageNet-C, never called an eps."""

import pandas as pd
import pytest

from aggregate import matrix, summary, table, tally
from aggregate.figures import gallery, split
from aggregate.statistics import tables
from alignsec import corruption
from alignsec.attack import Attack
from alignsec.event_log import EventLog

LISTED = {"method": "corruption", "corruption": ["fog", "snow"], "severity": [5, 1]}
CORRUPTIONS = [Attack.model_validate(entry) for _, entry in corruption.expanded([LISTED], from_set=False)]
CLEAN = Attack(method="clean", name="clean")


@pytest.fixture
def run(make_run):
    """Two models; of the second one pair failed and one is missing."""
    made = make_run(models=("a", "b"), attacks=[CLEAN, *CORRUPTIONS])
    for model in ("a", "b"):
        made.answer(model, "clean", "RRRRRRWWWW")
        made.answer(model, "fog-1", "RRRRRxmmWW")
    made.answer("a", "fog-5", "RxxxxxmWWW")
    made.answer("a", "snow-1", "RRRRRRmmmm")
    made.answer("a", "snow-5", "xxxxxxWWWW")
    made.fail("b", "fog-5", "BadModel: no")
    return made


@pytest.fixture
def found(run):
    return tally.take(run.plan, run.folder.outcomes, EventLog(run.folder.events))


def test_severities_are_the_budgets_of_one_attack(found):
    rows = table.frame(found.rows)
    fog = rows[(rows["attack"] == "fog") & (rows["model"] == "a")].sort_values("eps_value")
    assert list(fog["eps"]) == ["severity 1", "severity 5"]
    assert list(fog["eps_value"]) == [1, 5]
    assert list(fog["severity"]) == [1, 5]
    assert list(fog["robust_accuracy"]) == [0.7, 0.2]
    assert list(fog["broken_by_corruption"]) == [1, 5]
    assert list(fog["mended"]) == [2, 1]
    assert set(fog["clean_correct"]) == {6}
    assert ("a", "fog", "severity 5") in found.robust
    assert set(found.costs) == {"clean", "fog", "snow"}


def test_the_matrix_has_a_column_a_severity_and_every_state(run, found):
    laid = matrix.of(run.plan, found.pairs, table.frame(found.rows))
    assert laid.attacks == (("fog", ("severity 1", "severity 5")), ("snow", ("severity 1", "severity 5")))
    b, a = laid.rows  # by the mean of the first attack
    assert [cell.count for cell in a.cells] == [7, 2, 10, 0]
    assert [cell.state for cell in b.cells] == ["ok", "failed", "missing", "missing"]
    assert a.top5 is None


def test_words(run, found):
    """No sentence and no figure calls a severity an eps."""
    rows = table.frame(found.rows)
    statistics = tables.of(rows, None, {}, found.robust)
    told = [sentence for one in summary.findings(rows, statistics) for sentence in one.sentences]
    text = " ".join(told).replace("\N{NO-BREAK SPACE}", " ")
    assert "median accuracy 70.0 % at severity 1" in text
    assert "Mean accuracy under 2 corruptions in 4 settings" in text
    assert "the median of 1 model is 47.5 %" in text
    assert "eps" not in text
    pairs = pd.DataFrame([{"model": one.model, "attack": one.attack, "state": one.state} for one in found.pairs])
    for drawing in gallery.of(rows, pairs, statistics, None):
        for panel in drawing.panels:
            assert "eps" not in panel.title + panel.summary


def test_budgets_in_words():
    rows = pd.DataFrame({"eps": ["severity 5", "severity 1"], "eps_value": [5, 1], "method": "corruption"})
    assert split.budgets(rows) == "severity 1 and 5"
    assert split.called("severity 3") == "severity 3"
    assert split.called("1/255", "autoattack") == "eps 1/255"
