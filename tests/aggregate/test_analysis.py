"""Tests of the whole analysis: its files, its content, and equal bytes on repetition."""

import csv
import io

import pandas as pd
import pytest
from rich.console import Console

from aggregate import analysis
from aggregate.analysis import analyse
from aggregate.figures import gallery, robustness
from alignsec import display
from alignsec.display import Display
from alignsec.run import outcome_file
from alignsec.run.event_log import EventLog
from alignsec.run.outcome import Record
from alignsec.spec.attack import Attack
from tests.aggregate.complete_run import SCORES, analyse_run, read_contents, write_complete_run

ALWAYS = ("broken-by", "comparison", "coverage", "ranking", "robust-accuracy", "robustness-curves")
"""The figures that need no scores."""


def _read(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_a_complete_run(make_run):
    run = write_complete_run(make_run, scores=SCORES)
    done = analyse_run(run)
    assert (done.planned, done.not_ok, done.report) == (8, 0, run.folder.analysis / "report.html")
    rows = _read(run.folder.analysis / "table.csv")
    assert [(r["model"], r["attack"], r["eps"], r["robust"]) for r in rows][:3] == [
        ("a", "clean", "0", "9"),
        ("a", "autoattack-Linf", "0.5/255", "8"),
        ("a", "autoattack-Linf", "1/255", "2"),
    ]
    assert len(rows) == 12
    kinds = {kind.name for kind in gallery.KINDS} - {
        "answer",
        "examples",
        "landscape",
        "benchmark-extremes",
        "confound",
        "importance",
        "dimensions",
        "specifications",
    }  # too few models for these
    drawn = {f"{name}.{ending}" for name in kinds for ending in ("pdf", "png")}
    assert {path.name for path in (run.folder.analysis / "figures").iterdir()} == drawn
    links = {(r["attack"], r["eps"], r["score"]): r for r in _read(run.folder.analysis / "correlations.csv")}
    average = links["autoattack-Linf", "0.5/255", "average_vision"]
    assert (average["n"], float(average["spearman_r"])) == ("4", pytest.approx(1.0))
    assert float(average["slope"]) == pytest.approx(0.5)
    assert float(average["spearman_p"]) == pytest.approx(2 / 24)
    same = links["autoattack-Linf", "1/255", "V1"]
    assert (same["pearson_r"], same["note"]) == ("", "robust accuracy is the same for all 4 models")
    flat = links["autoattack-Linf", "0.5/255", "behavior_vision"]
    assert (flat["r2"], flat["note"]) == ("", "the score is the same for all 4 models")
    assert {r["model"]: r["state"] for r in _read(run.folder.analysis / "matching.csv")} == {
        **dict.fromkeys("abcd", "matched"),
        "z": "not in the study",
    }


def test_pairs_that_are_not_ok_are_listed_and_not_counted(make_run):
    run = write_complete_run(make_run)
    run.write_failure("a", "autoattack-Linf", "CUDA out of memory")
    run.folder.outcome(run.pair("b", "autoattack-Linf").id).unlink()
    edited = run.folder.outcome(run.pair("c", "autoattack-Linf").id)
    edited.write_bytes(edited.read_bytes().replace(b"RR", b"RT", 1))
    cut = run.folder.outcome(run.pair("d", "clean").id)
    cut.write_bytes(cut.read_bytes()[:200])
    stale = run.write_outcome(run.make_record(run.pair_with_other_seed("a", "clean"), "R" * 10))
    done = analyse_run(run)
    assert (done.planned, done.not_ok) == (8, 4)
    pairs = _read(run.folder.analysis / "pairs.csv")
    assert list(pairs[0]) == analysis.PAIR_COLUMNS
    found = {(p["model"], p["attack"], p["state"]): p["reason"] for p in pairs}
    assert len(pairs) == 9
    assert found["a", "autoattack-Linf", "failed"] == "CUDA out of memory"
    assert found["b", "autoattack-Linf", "missing"] == "no outcome file"
    assert "was changed after it was written" in found["c", "autoattack-Linf", "failed"]
    assert "the transfer may have truncated it" in found["d", "clean", "failed"]
    assert pairs[-1]["id"] == stale.stem
    assert "no longer contains this pair" in found["a", "clean", "stale"]
    assert [(r["model"], r["attack"]) for r in _read(run.folder.analysis / "table.csv")] == [
        ("a", "clean"),
        ("b", "clean"),
        ("c", "clean"),
        ("d", "autoattack-Linf"),
        ("d", "autoattack-Linf"),
    ]


def test_a_second_analysis_gives_the_same_bytes(make_run, tmp_path):
    run = write_complete_run(make_run, scores=SCORES)
    analyse_run(run)
    first = read_contents(run.folder.analysis)
    analyse_run(run)
    assert read_contents(run.folder.analysis) == first
    analyse_run(run, out=tmp_path / "elsewhere")
    assert read_contents(tmp_path / "elsewhere") == first


def test_without_scores_there_is_no_alignment_figure_and_an_old_one_is_removed(make_run):
    run = write_complete_run(make_run)
    drawn = run.folder.analysis / "figures"
    drawn.mkdir(parents=True)
    (drawn / "alignment.pdf").write_bytes(b"of an earlier submission")
    (drawn / "mine.png").write_bytes(b"not ours")
    analyse_run(run)
    assert {path.name for path in drawn.iterdir()} == {
        *(f"{kind}.{ending}" for kind in ALWAYS for ending in ("pdf", "png")),
        "mine.png",
    }
    assert _read(run.folder.analysis / "correlations.csv") == []


def test_scores_of_other_models_only(make_run):
    run = write_complete_run(make_run, scores="Model,average_vision,V1\nx,1,2\ny,3,4\n")
    analyse_run(run)
    links = _read(run.folder.analysis / "correlations.csv")
    assert {r["note"] for r in links} == {"no model has both a score and an outcome"}
    assert not (run.folder.analysis / "figures/alignment.pdf").exists()


def test_a_run_without_ok_pairs_has_a_report(make_run):
    run = make_run(scores=SCORES)
    run.write_failure("a", "clean", "no such weights")
    done = analyse_run(run)
    assert (done.planned, done.not_ok) == (8, 8)
    assert "No results: " in done.report.read_text(encoding="utf-8")
    assert _read(run.folder.analysis / "table.csv") == []
    assert list((run.folder.analysis / "figures").iterdir()) == []


def test_a_run_with_clean_accuracy_only_is_drawn(make_run):
    run = make_run(attacks=[Attack(method="clean", name="clean")])
    for model in "abcd":
        run.write_record(model, "clean", "R" * 9 + "W")
    analyse_run(run)
    assert (run.folder.analysis / "figures/robust-accuracy.png").exists()
    assert "Median clean accuracy of 4 models" in (run.folder.analysis / "report.html").read_text(encoding="utf-8")


def test_many_budgets_and_attacks_are_drawn(make_run):
    many = Attack.model_validate(
        {"name": "many", "method": "square", "norm": "L2", "eps": [str(at) for at in range(1, 9)]}
    )
    run = make_run(models=["a"], attacks=[many, many.model_copy(update={"name": "again"})])
    for attack in ("many", "again"):
        run.write_record("a", attack, *["RRsW"] * 8)
    assert analyse_run(run).not_ok == 0


def test_the_table_can_be_read_back(make_run):
    """A budget such as "1/255" and a model named "NA" remain text."""
    run = make_run(models=["NA", "1e5"], attacks=[Attack(method="clean", name="clean")])
    for model in ("NA", "1e5"):
        run.write_record(model, "clean", "R")
    analyse_run(run)
    back = pd.read_csv(run.folder.analysis / "table.csv", dtype={"model": str, "eps": str}, keep_default_na=False)
    assert list(back["model"]) == ["NA", "1e5"]
    assert list(back["eps"]) == ["0", "0"]


def test_an_outcome_under_the_name_of_another_pair_is_not_counted(make_run):
    run = write_complete_run(make_run)
    a, b = (run.folder.outcome(run.pair(model, "clean").id) for model in "ab")
    b.write_bytes(a.read_bytes())
    assert isinstance(outcome_file.read(b), Record)
    assert analyse_run(run).not_ok == 1
    assert "that of another pair" in (run.folder.analysis / "pairs.csv").read_text(encoding="utf-8")


def test_a_figure_of_very_many_models_shows_the_most_robust(monkeypatch):
    monkeypatch.setattr(robustness, "MOST", 3)
    rows = [
        {"model": f"m{at}", "attack": "a", "method": "autoattack", "eps": "1/255", "eps_value": 1 / 255,
         "robust_accuracy": at / 10}
        for at in range(9)
    ]  # fmt: skip
    (drawing,) = robustness.make_drawings(pd.DataFrame(rows))
    assert drawing.panels[0].summary.startswith("Robust accuracy of 3 models")
    assert "Of 9 models, only the 3 most robust are drawn" in drawing.description
    (all_of_them,) = robustness.make_drawings(pd.DataFrame(rows[:3]))
    assert all_of_them.description == robustness.KIND.description


def test_the_display_shows_each_step_and_every_outcome(make_run, monkeypatch):
    """A log without a pause between lines has the outcomes, the figures, and the titles of the other steps."""
    monkeypatch.setattr(display, "PLAIN_EVERY_SECONDS", 0.0)
    run = make_run(models=["a", "b"])
    run.write_record("a", "clean", "R" * 10)
    out = io.StringIO()
    with Display(Console(file=out, soft_wrap=True)) as shown:
        analyse(run.folder, run.folder.outcomes, EventLog(run.folder.events), run.folder.analysis, display=shown)
    lines = out.getvalue().splitlines()
    assert any(line.startswith("reading outcomes, 4/4 outcomes") for line in lines)
    assert [line for line in lines if "/" not in line] == ["statistics", "report"]
    assert any(line.startswith("figures, ") for line in lines)


def test_long_and_combining_names_are_drawn(make_run):
    """Labels are shortened; names are no part of file names."""
    names = ["m" * 110, "e" + "\u0301" * 100, "\u05e9\u05dc\u05d5\u05dd" * 25, "$\\frac{$"]
    run = make_run(models=names)
    for place, model in enumerate(names):
        run.write_record(model, "clean", "R" * 9 + "W")
        run.write_record(
            model, "autoattack-Linf", "R" * (8 - place) + "c" * (place + 1) + "W", "RR" + "t" * 7 + "W"
        )
    done = analyse_run(run)
    assert done.failed == ()
    assert {row["model"] for row in _read(run.folder.analysis / "table.csv")} == set(names)
