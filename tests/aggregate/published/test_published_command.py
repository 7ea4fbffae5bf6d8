"""Tests of `python -m aggregate.published`."""

import subprocess
import sys

import numpy as np
import pandas as pd

from aggregate.published.__main__ import main


def _files(tmp_path, models=24):
    """Write accuracies and scores; robust accuracy depends on V1 only."""
    rng = np.random.default_rng(1)
    v1, it = rng.normal(size=(2, models))
    clean = 70 + 5 * rng.normal(size=models)
    robust = np.clip(40 + 8 * v1 + 2 * rng.normal(size=models), 0, 100)
    scores = "Model,average_vision,neural_vision,V1-a,IT-b\n" + "".join(
        f"m{at},{(v1 + it)[at]:.4f},{(v1 + it)[at]:.4f},{v1[at]:.4f},{it[at]:.4f}\n" for at in range(models)
    )
    accuracies = "id,name,arch,eps,clean,aa\n" + "".join(
        f"m{at},<b>t</b>,ResNet-50,4/255,{clean[at]:.2f},{robust[at]:.2f}\n" for at in range(models)
    )
    (tmp_path / "scores.csv").write_text(scores, encoding="utf-8")
    (tmp_path / "accuracies_linf.csv").write_text(accuracies, encoding="utf-8")
    return [str(tmp_path / "accuracies_linf.csv"), "--scores", str(tmp_path / "scores.csv")]


def test_tables_figures_and_page(tmp_path, capsys):
    assert main(_files(tmp_path)) == 0
    assert "24 of 24 models have a row" in capsys.readouterr().out
    out = tmp_path / "analysis-accuracies_linf"
    links = pd.read_csv(out / "correlations.csv").set_index("score")
    assert links.loc["V1-a", "spearman_r"] > 0.9
    assert links.loc["V1-a", "partial_q"] < 0.001
    assert links.loc["IT-b", "spearman_p"] > 0.05
    drawn = {path.name for path in (out / "figures").glob("*.png")}
    assert {"alignment.png", "robust-accuracy.png", "benchmark-heatmap.png"} <= drawn
    assert not {"broken-by.png", "coverage.png"} & drawn
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "unknown for all 24 accuracies: these have no interval" in page
    assert "<b>t</b>" not in page


def test_no_joined_model_is_an_error_with_proposed_names(tmp_path, capsys):
    """A names file is proposed, and the command succeeds with it."""
    command = _files(tmp_path)
    scores = tmp_path / "scores.csv"
    scores.write_text(scores.read_text(encoding="utf-8").replace("\nm", "\nM_"), encoding="utf-8")
    assert main(command) == 2
    message = capsys.readouterr().err
    proposal = tmp_path / "accuracies_linf-names.csv"
    assert "0 of 24 models have a row in scores.csv: the names differ" in message
    assert str(proposal) in message
    assert not (tmp_path / "analysis-accuracies_linf").exists()
    lines = proposal.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "model,score_name,near_1,near_2,near_3"
    assert lines[1].startswith("m0,M_0,M_0,")
    assert main([*command, "--names", str(proposal)]) == 0
    assert "24 of 24 models have a row" in capsys.readouterr().out


def test_names_join_single_models(tmp_path, capsys):
    """Models that are left out are proposed; the others are analysed."""
    command = _files(tmp_path)
    scores = tmp_path / "scores.csv"
    scores.write_text(scores.read_text(encoding="utf-8").replace("\nm3,", "\nother,"), encoding="utf-8")
    assert main(command) == 0
    assert "To join 1 more model, complete the column score_name" in capsys.readouterr().out
    names = tmp_path / "names.csv"
    names.write_text("model,score_name\nm3,other\nm4,\n", encoding="utf-8")
    assert main([*command, "--names", str(names)]) == 0
    assert "24 of 24 models have a row" in capsys.readouterr().out


def test_all_invalid_arguments_are_reported_together(tmp_path, capsys):
    missing = [str(tmp_path / "no.csv"), "--scores", str(tmp_path / "neither.csv"), "--images", "0"]
    assert main(missing) == 2
    message = capsys.readouterr().err
    assert message.count("is not a file") == 2
    assert "--images: 0 must be a number of images" in message
    assert list(tmp_path.iterdir()) == []


def test_help():
    done = subprocess.run(
        [sys.executable, "-m", "aggregate.published", "--help"], capture_output=True, text=True, check=True
    )
    assert "RobustBench's" in done.stdout
