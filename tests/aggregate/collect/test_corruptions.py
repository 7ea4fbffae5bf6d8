"""Tests of corruptions in the analysis: severities as levels of one attack, and the mean over corruptions."""

import pandas as pd
import pytest

from aggregate import analysis
from aggregate.collect import corruptions, table, tally
from aggregate.figures import gallery, split
from aggregate.formatting import format_budget
from aggregate.report import findings, matrix
from aggregate.statistics import tables
from aggregate.statistics.networks import Networks
from alignsec.run.event_log import EventLog
from alignsec.spec import corruption
from alignsec.spec.attack import Attack

LISTED = {"method": "corruption", "corruption": ["fog", "snow"], "severity": [5, 1]}
CORRUPTIONS = [
    Attack.model_validate(entry) for _, entry in corruption.expand_corruptions([LISTED], from_set=False)
]
CLEAN = Attack(method="clean", name="clean")


@pytest.fixture
def run(make_run):
    """Two models; one pair of the second failed and others are missing."""
    run = make_run(models=("a", "b"), attacks=[CLEAN, *CORRUPTIONS])
    for model in ("a", "b"):
        run.write_record(model, "clean", "RRRRRRWWWW")
        run.write_record(model, "fog-1", "RRRRRxmmWW")
    run.write_record("a", "fog-5", "RxxxxxmWWW")
    run.write_record("a", "snow-1", "RRRRRRmmmm")
    run.write_record("a", "snow-5", "xxxxxxWWWW")
    run.write_failure("b", "fog-5", "ModelError: no")
    return run


@pytest.fixture
def found(run):
    return tally.read_tally(run.plan, run.folder.outcomes, EventLog(run.folder.events))


def test_severities_are_levels_of_one_attack(found):
    rows = table.make_frame(found.rows)
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


def test_matrix_has_one_column_per_severity_and_all_states(run, found):
    rows = table.make_frame(found.rows)
    laid = matrix.build_matrix(
        run.plan, found.pairs, rows, corruptions.average_corruptions(run.plan, found.pairs, rows)
    )
    *attacks, over_all = laid.attacks
    assert attacks == [("fog", ("severity 1", "severity 5")), ("snow", ("severity 1", "severity 5"))]
    assert over_all == (corruptions.ATTACK, ("severity 1, 5",))
    b, a = laid.rows  # by the mean of the first attack
    assert [cell.count for cell in a.cells] == [7, 2, 10, 0, None]
    assert a.cells[-1].share == 0.475
    assert [cell.state for cell in b.cells] == ["ok", "failed", "missing", "missing", "missing"]
    assert [bool(cell.note) for cell in b.cells] == [False] * 4 + [True]
    assert a.top5 is None


def test_no_text_calls_a_severity_eps(run, found):
    """Findings, titles and summaries contain "severity", never "eps"."""
    rows = table.make_frame(found.rows)
    means = corruptions.average_corruptions(run.plan, found.pairs, rows)
    rows = corruptions.append_means(rows, means)
    statistics = tables.compute_tables(rows, None, Networks(), found.robust, means)
    sentences = [sentence for one in findings.summarize_attacks(rows, statistics) for sentence in one.sentences]
    text = " ".join(sentences).replace("\N{NO-BREAK SPACE}", " ")
    assert "median accuracy 70.0 % at severity 1" in text
    assert "Mean accuracy under 2 corruptions in 4 settings" in text
    assert "median 47.5 % over 1 model" in text
    assert "No mean over corruptions for 1 model: b (3 settings missing: fog-5 (failed), snow-5" in text
    assert "eps" not in text
    pairs = pd.DataFrame([{"model": one.model, "attack": one.attack, "state": one.state} for one in found.pairs])
    for drawing in gallery.draw_all(rows, pairs, statistics, None):
        for panel in drawing.panels:
            assert "eps" not in panel.title + panel.summary


def test_mean_weights_settings_equally_and_needs_all_of_them(run, found):
    rows = table.make_frame(found.rows)
    a, b = corruptions.average_corruptions(run.plan, found.pairs, rows).itertuples()
    assert (a.types, a.settings, a.answered, a.severities, a.images) == (2, 4, 4, "severity 1, 5", 10)
    assert (a.mean_accuracy, a.clean_accuracy, a.note) == (pytest.approx((0.7 + 0.2 + 1.0 + 0.0) / 4), 0.6, "")
    assert a.low < a.mean_accuracy < a.high
    assert (b.settings, b.answered) == (4, 1)
    assert pd.isna(b.mean_accuracy)
    assert b.note == "3 settings missing: fog-5 (failed), snow-5 (missing), snow-1 (missing)"


def test_mean_is_a_row_of_the_table_without_counts(run, found):
    counted = table.make_frame(found.rows)
    rows = corruptions.append_means(counted, corruptions.average_corruptions(run.plan, found.pairs, counted))
    assert table.to_csv(rows.iloc[:-1]) == table.to_csv(counted)
    (row,) = rows[rows["attack"] == corruptions.ATTACK].itertuples()
    assert (row.model, row.method, row.eps, row.eps_value) == ("a", "corruption", "severity 1, 5", 3)
    assert (row.robust_accuracy, row.clean_correct, row.images) == (0.475, 6, 10)
    assert all(pd.isna(getattr(row, name)) for name in ("robust", "mended", "broken_by_corruption", "severity"))


def test_one_type_of_corruption_has_no_mean(make_run):
    run = make_run(models=("a",), attacks=[CLEAN, *CORRUPTIONS[:2]])
    run.write_record("a", "fog-1", "RRRRRxmmWW")
    run.write_record("a", "fog-5", "RRRRRxmmWW")
    found = tally.read_tally(run.plan, run.folder.outcomes, EventLog(run.folder.events))
    rows = table.make_frame(found.rows)
    means = corruptions.average_corruptions(run.plan, found.pairs, rows)
    assert means.empty
    assert corruptions.append_means(rows, means) is rows


def test_analysis_treats_the_mean_as_an_attack(make_run):
    names = [*"abcdefgh"]
    scores = "Model,average_vision\n" + "".join(f"{name},0.{at + 1}\n" for at, name in enumerate(names))
    run = make_run(models=names, attacks=[CLEAN, *CORRUPTIONS], scores=scores)
    for at, name in enumerate(names):
        for attack in run.plan:
            if attack.model.name == name:
                run.write_record(name, attack.attack.name, "R" * (at + 2) + "W" * (8 - at))
    out = run.folder.analysis
    analysis.analyse(run.folder, run.folder.outcomes, EventLog(run.folder.events), out)
    links = pd.read_csv(out / "correlations.csv").set_index("attack").loc[corruptions.ATTACK]
    assert (links["n"], links["spearman_r"]) == (8, pytest.approx(1))
    assert len(pd.read_csv(out / "corruptions.csv")) == 8
    assert (out / "figures" / "alignment--mean-over-corruptions.png").is_file()
    assert not (out / "figures" / "robustness-curves--mean-over-corruptions.png").exists()
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Mean accuracy under 2 corruptions in 4 settings" in page
    assert '<th scope="colgroup" colspan="1">mean over corruptions</th>' in page
    assert "mean over\\\\{}corruptions" in (out / "tables" / "robust-accuracy.tex").read_text(encoding="utf-8")


def test_text_of_budgets_and_severities():
    rows = pd.DataFrame({"eps": ["severity 5", "severity 1"], "eps_value": [5, 1], "method": "corruption"})
    assert split.format_budgets_of(rows) == "severity 1 and 5"
    assert format_budget("severity 3") == "severity 3"
    assert format_budget("1/255", "autoattack") == "eps 1/255"
