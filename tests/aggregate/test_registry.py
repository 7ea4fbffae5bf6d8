"""Names that folders register, read from source that would fail if it were imported."""

import csv
import zipfile

import pytest

from aggregate import registry
from aggregate.registry import main
from aggregate.scores import scores

SOURCES = {
    "b_folder": "raise SystemExit\nmodel_registry['two'] = lambda: 1\nmodel_registry[\"b-one\"] = lambda: 2\n",
    "a_folder": "import brainscore_vision as b\nb.model_registry['two'] = f\n"
    "for n in names:\n    model_registry[f'x_{n}'] = f\nmodel_registry.update({'late': f})\n",
    "broken": "def (:\n",
    "other": "data_registry['no model'] = f\nx = model_registry['read']\n",
}
SCORES = "Model,average_vision,V1\ntwo,.5,.25\nlate,.1,\nmine,1,1\nb-one,1,1\nb-one,2,2\n"


@pytest.fixture
def package(tmp_path):
    for folder, source in SOURCES.items():
        path = tmp_path / "brainscore_vision/models" / folder / "__init__.py"
        path.parent.mkdir(parents=True)
        path.write_text(source, encoding="utf-8")
    return tmp_path / "brainscore_vision"


def test_every_registration_is_read_without_running_it(package):
    assert [(r.folder, r.name, r.line, r.constant) for r in registry.read(package)] == [
        ("a_folder", "two", 2, True),
        ("a_folder", "f'x_{n}'", 4, False),
        ("a_folder", "late", 5, True),
        ("b_folder", "two", 2, True),
        ("b_folder", "b-one", 3, True),
        ("broken", "is not Python: invalid syntax (<unknown>, line 1)", 1, False),
    ]
    assert registry.read(package.parent) == registry.read(package)


def test_a_wheel_says_what_its_folder_says(package, tmp_path):
    wheel = tmp_path / "b.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in package.rglob("*.py"):
            archive.write(path, path.relative_to(package.parent))
        archive.writestr("brainscore_vision/models/a_folder/deeper/__init__.py", "model_registry['deep'] = 1")
        archive.writestr("tests/models/t/__init__.py", "model_registry['test'] = 1")
    assert registry.read(wheel) == registry.read(package)


def test_the_table_has_scores_where_they_are_known(package):
    table = registry.translation(registry.read(package), scores.parse(SCORES.encode()))
    assert table[["registry_name", "state"]].to_numpy().tolist() == [
        ["two", "scored"],
        ["f'x_{n}'", "unread"],
        ["late", "scored"],
        ["two", "registered before"],
        ["b-one", "left out: its rows differ"],
        ["is not Python: invalid syntax (<unknown>, line 1)", "unread"],
    ]
    assert table.loc[0, ["average_vision", "V1"]].tolist() == [0.5, 0.25]
    assert table["V1"].notna().tolist() == [True, False, False, True, False, False]


def test_the_command(package, tmp_path, capsys):
    given = tmp_path / "scores.csv"
    given.write_text(SCORES, encoding="utf-8")
    out = tmp_path / "registry.csv"
    assert main([str(package), "--scores", str(given), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "6 registrations of 3 folders" in said
    assert "Names in the scores file that no folder registers: 1" in said
    assert "unread: models/a_folder/__init__.py, line 4: f'x_{n}'" in said
    assert scores.parse(out.read_bytes()).rows["two"] == {"average_vision": 0.5, "V1": 0.25}
    assert next(csv.reader(out.open(encoding="utf-8")))[:4] == ["folder", "registry_name", "state", "line"]


def test_mistakes_are_told_together_and_nothing_is_written(tmp_path, capsys):
    assert main([str(tmp_path / "no"), "--scores", str(tmp_path / "no.csv"), "--out", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 3
    (tmp_path / "s.csv").write_text(SCORES, encoding="utf-8")
    (tmp_path / "no.whl").write_bytes(b"no zip")
    for package in (tmp_path, tmp_path / "no.whl"):
        out = tmp_path / "out.csv"
        assert main([str(package), "--scores", str(tmp_path / "s.csv"), "--out", str(out)]) == 2
        assert "PACKAGE" in capsys.readouterr().err
        assert not out.exists()
