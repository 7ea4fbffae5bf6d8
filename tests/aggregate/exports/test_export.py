"""`python -m aggregate.export`: a row per image, RobustBench's JSON per model and budget, and BibTeX."""

import csv
import json

import pytest

from aggregate import compare, export
from aggregate.exports import robustbench, verdict_table
from alignsec.spec.attack import Attack
from tests.aggregate.synthetic_run import CLEAN, STANDARD, write_run
from tests.paths import CHECKOUT

SHORT = Attack.model_validate({"method": "apgd-ce", "norm": "L2", "eps": ["1/2"], "steps": 5})


@pytest.fixture
def run(tmp_path):
    """A run of two models, of which one pair is missing."""
    made = write_run(tmp_path / "x", models=["a", "=b/c"], attacks=(CLEAN, STANDARD, SHORT))
    for model in ("a", "=b/c"):
        made.write_record(model, "clean", "RRRRRRRRRW")
        made.write_record(model, "autoattack-Linf", "RRRRRctfsW", "RRccctfscW")
    made.write_record("a", "apgd-ce-L2", "cccccccccW")
    return made


def export_run(run, capsys):
    assert export.main([str(run.folder.root)]) == 0
    return capsys.readouterr().out


def read_rows(run):
    with (run.folder.root / "export" / "verdicts.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_verdict_has_a_row(run, capsys):
    output = export_run(run, capsys)
    assert "70 rows of 5 pairs, 5 model_info files; 1 pair not ok, left out" in output
    rows = read_rows(run)
    assert tuple(rows[0]) == verdict_table.COLUMNS
    assert len(rows) == 70
    chosen = [
        row for row in rows if (row["model"], row["attack"], row["eps"]) == ("a", "autoattack-Linf", "1/510")
    ]
    assert [row["robust"] for row in chosen] == ["true"] * 5 + ["false"] * 5
    assert [row["clean_correct"] for row in chosen] == ["true"] * 9 + ["false"]
    assert [row["broken_by"] for row in chosen[5:]] == ["apgd-ce", "apgd-t", "fab-t", "square", ""]
    assert {row["level"] for row in chosen} == {"0.5/255"}
    assert "'=b/c" in {row["model"] for row in rows}, "a spreadsheet would run it as a formula"


def test_model_info_has_the_fields_of_robustbench(run, capsys):
    """Standard AutoAttack sets autoattack_acc; any other attack sets external, and says how it differs."""
    export_run(run, capsys)
    folder = run.folder.root / "export" / "robustbench"
    path = folder / "autoattack-Linf" / "eps-1_255" / "other" / "Linf" / "a.json"
    info = json.loads(path.read_text(encoding="utf-8"))
    assert tuple(info)[: len(robustbench.FIELDS)] == robustbench.FIELDS
    assert (info["name"], info["eps"], info["clean_acc"], info["autoattack_acc"]) == (
        "a",
        "1/255",
        "90.00",
        "20.00",
    )
    assert "external" not in info
    short = json.loads((folder / "apgd-ce-L2" / "eps-1_2" / "other" / "L2" / "a.json").read_text(encoding="utf-8"))
    assert (short["external"], short["autoattack_acc"]) == ("0.00", None)
    assert "not standard AutoAttack: steps = 5 (standard: 100)" in short["footnote"]
    assert (folder / "autoattack-Linf" / "eps-1_255" / "other" / "Linf" / "_b_c.json").exists()


def test_bibtex_names_the_run_and_its_attacks(run, capsys):
    export_run(run, capsys)
    text = (run.folder.root / "export" / "citation.bib").read_text(encoding="utf-8")
    assert text.startswith("@misc{made,\n  title = {A study made by hand},\n  year = {2025},")
    assert "2 models, 10 images, attacks: clean, autoattack-Linf, apgd-ce-L2; seed 7" in text
    assert "@inproceedings{croce2020," in text
    assert "hendrycks2019" not in text
    assert text.count("{") == text.count("}")


def test_a_run_without_results_is_an_error(tmp_path, capsys):
    empty = write_run(tmp_path / "empty")
    assert export.main([str(empty.folder.root)]) == 2
    assert "has no pair that is ok" in capsys.readouterr().err
    assert not list((empty.folder.root / "export").iterdir())
    assert export.main([str(tmp_path)]) == 2


def test_an_export_agrees_with_its_run(run, capsys):
    """The comparison reads the export as it reads the run."""
    export_run(run, capsys)
    file = run.folder.root / "export" / "verdicts.csv"
    assert compare.main([str(run.folder.root), str(file)]) == 0
    assert "All 70 verdicts agree" in capsys.readouterr().out


def test_an_export_keeps_the_outcomes_of_an_old_run(tmp_path, capsys):
    folder = CHECKOUT / "tests" / "fixtures" / "run-2026-11"
    assert export.main([str(folder), "--out", str(tmp_path)]) == 0
    assert (tmp_path / "verdicts.csv").stat().st_size > 1000
