"""Tests of scores and studies without results: each missing number has a reason, and the analysis is written."""

import csv

import pytest

from aggregate.analysis import analyse
from aggregate.figures import gallery
from alignsec.run.event_log import EventLog
from alignsec.spec.attack import Attack

ATTACK = Attack.model_validate({"name": "square", "method": "square", "norm": "Linf", "eps": ["1/255"]})
HEADER = "Model,average_vision,neural_vision,V1\n"
GOOD = HEADER + "".join(f"m{at},.{at + 1},.{at + 2},.{at + 1}\n" for at in range(6))


def _analyse(make_run, scores, counts=(1, 2, 3, 4, 5, 6), models=None):
    models = models or [f"m{at}" for at in range(len(counts))]
    run = make_run(models=models, attacks=[ATTACK], scores=scores)
    for model, robust in zip(models, counts, strict=True):
        run.write_record(model, "square", "R" * robust + "s" * (9 - robust) + "W")
    analysis = analyse(run.folder, run.folder.outcomes, EventLog(run.folder.events), run.folder.analysis)
    links = list(csv.DictReader((run.folder.analysis / "correlations.csv").open(encoding="utf-8")))
    return analysis.report.read_text(encoding="utf-8"), links


@pytest.fixture
def without_figures(monkeypatch):
    """Skip the figures, which take most of the time; the other tests draw them."""
    monkeypatch.setattr(gallery, "draw_all", lambda *_: [])


CASES = [
    ("no overlap", HEADER + "x,.1,.2,.3\ny,.2,.3,.4\n", (1, 2, 3, 4, 5, 6),
     "no model has both a score and an outcome"),
    ("one model", GOOD, (3,), "only 1 model has both a score and an outcome; at least 4 are needed"),
    ("a constant column", HEADER + "".join(f"m{at},.5,.5,.5\n" for at in range(6)), (1, 2, 3, 4, 5, 6),
     "the score is the same for all 6 models"),
    ("all robust", GOOD, (9,) * 6, "robust accuracy is the same for all 6 models"),
    ("all broken", GOOD, (0,) * 6, "robust accuracy is the same for all 6 models"),
    ("NaN and infinities", HEADER + "".join(f"m{at},nan,inf,-inf\n" for at in range(6)), (1, 2, 3, 4, 5, 6),
     "no model has this score"),
    ("rows that contradict", GOOD + "".join(f"m{at},9,9,9\n" for at in range(3)), (1, 2, 3, 4, 5, 6),
     "only 3 models have both a score and an outcome; at least 4 are needed"),
]  # fmt: skip


@pytest.mark.parametrize(("scores", "counts", "note"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_a_missing_correlation_has_a_reason(make_run, scores, counts, note):
    page, links = _analyse(make_run, scores, counts)
    numbers = [name for name in links[0] if name.endswith(("_r", "_p", "_q", "_low", "_high")) or name == "slope"]
    assert {row["note"] for row in links} == {note}
    assert {row[name] for row in links for name in numbers} == {""}
    assert f"No correlation with alignment could be computed at eps 1/255: {note}" in page.replace("\xa0", " ")


@pytest.mark.parametrize(
    ("scores", "remark"),
    [
        ("", "has no column named Model"),
        ("alignment\n.5\n", "has no column named Model"),
        ("Model\nm0\n", "the scores file has no scores"),
        ("\x00\x01\x02", "no score was read"),
    ],
)
def test_unreadable_scores_give_a_remark(make_run, scores, remark, without_figures):
    page, links = _analyse(make_run, scores, (1, 2, 3, 4))
    assert remark in page
    assert links == []


def test_contradicting_rows_and_invalid_cells_are_reported_and_the_rest_is_used(make_run, without_figures):
    scores = GOOD + "m0,.1,.2,.1\nm1,.2,.3,high\n"
    page, links = _analyse(make_run, scores)
    assert {row["n"] for row in links} == {"5"}
    assert "“high” (m1, V1)" in page
    assert "Models left out because the scores file has different rows for them (1): m1." in page
