"""The command that joins Brain-Score's registry to alignment scores."""

import csv

import pytest

from aggregate.registry import join_scores, main
from aggregate.scores import scores
from alignsec.catalogue.brainscore_registry import read_registrations
from tests.alignsec.catalogue.registry_package import write_package

SCORES = "Model,average_vision,V1\ntwo,.5,.25\nlate,.1,\nmine,1,1\nb-one,1,1\nb-one,2,2\n"


@pytest.fixture
def package(tmp_path):
    return write_package(tmp_path)


def test_the_table_has_the_scores_of_unambiguous_names(package):
    table = join_scores(read_registrations(package), scores.parse_scores(SCORES.encode()))
    assert table[["registry_name", "state"]].to_numpy().tolist() == [
        ["two", "ambiguous"],
        ["f'x_{n}'", "unread"],
        ["late", "scored"],
        ["two", "ambiguous"],
        ["b-one", "left out: its rows differ"],
        ["is not valid Python: invalid syntax (<unknown>, line 1)", "unread"],
    ]
    assert table["average_vision"].notna().tolist() == [False, False, True, False, False, False]


def test_a_name_registered_twice_in_a_folder_keeps_its_scores(tmp_path):
    package = write_package(tmp_path, {"a": "model_registry['two'] = f\nmodel_registry['two'] = g\n"})
    table = join_scores(read_registrations(package), scores.parse_scores(SCORES.encode()))
    assert table["state"].tolist() == ["scored", "registered before"]
    assert table[["average_vision", "V1"]].to_numpy().tolist() == [[0.5, 0.25]] * 2


def test_the_command(package, tmp_path, capsys):
    given = tmp_path / "scores.csv"
    given.write_text(SCORES, encoding="utf-8")
    out = tmp_path / "registry.csv"
    assert main([str(package), "--scores", str(given), "--out", str(out)]) == 0
    output = capsys.readouterr().out
    assert "6 registrations of 3 folders" in output
    assert "Names in the scores file that no folder registers: 1" in output
    assert "unread: models/a_folder/__init__.py, line 4: f'x_{n}'" in output
    assert "ambiguous: models/b_folder/__init__.py, line 2: two" in output
    assert scores.parse_scores(out.read_bytes()).rows["late"] == {"average_vision": 0.1}
    assert next(csv.reader(out.open(encoding="utf-8")))[:4] == ["folder", "registry_name", "state", "line"]


def test_all_invalid_arguments_are_reported_and_nothing_is_written(tmp_path, capsys):
    assert main([str(tmp_path / "no"), "--scores", str(tmp_path / "no.csv"), "--out", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 3
    (tmp_path / "s.csv").write_text(SCORES, encoding="utf-8")
    (tmp_path / "no.whl").write_bytes(b"no zip")
    for package in (tmp_path, tmp_path / "no.whl"):
        out = tmp_path / "out.csv"
        assert main([str(package), "--scores", str(tmp_path / "s.csv"), "--out", str(out)]) == 2
        assert "PACKAGE" in capsys.readouterr().err
        assert not out.exists()
