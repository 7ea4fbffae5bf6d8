"""Study files: validation as a whole; all errors are reported together with file, field, value and remedy."""

from pathlib import Path
from typing import Any

import pytest

from alignsec.errors import ConfigErrors
from alignsec.study.study import Study
from tests.alignsec.study.study_text import GOOD, errors, load, one

MANY = """
name = "two words"
sead = 1
seed = -1
[images]
folder = "nowhere"
count = 0
[scores]
file = 7
sha256 = "ABC"
date = "8.9.2025"
[[models]]
name = "a"
source = "timm:resnet50.a1_in1"
[[models]]
name = "a"
source = "timm:resnet50"
[[models]]
name = "b"
source = "torch:resnet50"
preprocesing = {}
[[attacks]]
method = "autoatack"
norm = "Linf"
eps = ["1/255"]
[[attacks]]
method = "apgd-ce"
norm = "Linf"
eps = [0.00392, "4", "x"]
[[attacks]]
method = "fab-t"
norm = "Linf"
eps = ["8"]
[[attacks]]
method = "fab-t"
norm = "Linf"
eps = ["1/255", "2/510"]
step = 3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a folder of images."""
    (tmp_path / "images").mkdir()
    return tmp_path


def test_a_valid_study(folder: Path):
    study = load(folder, GOOD)
    assert (study.name, study.seed, [attack.name for attack in study.attacks]) == (
        "good",
        3,
        ["clean", "autoattack-Linf"],
    )
    assert study.models[0].class_count == 1000


def test_all_errors_are_reported_together(folder: Path):
    found = {error.field: error for error in errors(folder, MANY)}
    expected = {
        "sead": ("1", "did you mean seed"),
        "name": ('"two words"', "use letters, digits, - and _"),
        "seed": ("-1", "greater than or equal to 0"),
        "images.folder": ('"nowhere"', str(folder / "nowhere")),
        "images.count": ("0", "greater than or equal to 1"),
        "scores.file": ("7", "put the path in quotes"),
        "scores.sha256": ('"ABC"', "as sha256sum prints it"),
        "scores.date": ('"8.9.2025"', 'such as "2025-09-08"'),
        "models[0]": ("", "did you mean resnet50.a1_in1k"),
        "models[1]": ("", "give weights = FILE, or a name with weights: resnet50."),
        "models[2].source": ('"torch:resnet50"', 'write "timm:"'),
        "models[2].preprocesing": ("", "did you mean preprocessing"),
        "attacks[0].method": ('"autoatack"', "did you mean autoattack?"),
        "attacks[1].eps[0]": ("0.00392", 'write it as text, such as "4/255"'),
        "attacks[1].eps[2]": ('"x"', "write a number or a fraction"),
        "attacks[2]": ("", 'write 8 of 255 as "8/255"'),
        "attacks[3].step": ("3", "did you mean steps"),
        "models.name": ('"a"', "names 2 entries (models[0], models[1])"),
        "attacks.name": ('"fab-t-Linf"', "names 2 entries (attacks[2], attacks[3])"),
    }
    for field, (given, remedy) in expected.items():
        assert field in found, f"{field} is not among {sorted(found)}"
        assert found[field].path == str(folder / "study.toml")
        assert found[field].given == given
        assert remedy in found[field].remedy, field


def test_an_error_is_one_line(folder: Path):
    assert str(one(folder, '"1/255"', "4")) == (
        f'{folder}/study.toml: attacks[1].eps[0]: 4 is not a budget; write it as text, such as "4/255" or "0.001"'
    )


@pytest.mark.parametrize("text", ["name = ", "[[models]", 'name = "a"\nname = "b"', "= 1", 'x = "\\q"'])
def test_invalid_toml_is_reported_with_its_position(folder: Path, text: str):
    (found,) = errors(folder, text)
    assert found.remedy.startswith("is not valid TOML")
    assert "(at " in found.remedy


def test_invalid_utf8_is_reported(folder: Path):
    (folder / "study.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(ConfigErrors, match="is not valid TOML"):
        Study.load(folder / "study.toml")


@pytest.mark.parametrize("name", ["none.toml", "images"])
def test_an_unreadable_file_is_reported(folder: Path, name: str):
    with pytest.raises(ConfigErrors, match=f"{name}: cannot be read"):
        Study.load(folder / name)


def test_an_empty_study_lacks_all_required_fields(folder: Path):
    assert {error.field for error in errors(folder, "")} == {"name", "images", "models", "attacks"}


@pytest.mark.parametrize(
    ("old", "new", "field", "remedy"),
    [
        ('"1/255"', '"1001/255"', "attacks[1]", "differ by at most 1"),
        ('"1/255"', '"-1/255"', "attacks[1].eps[0]", "out of range"),
        ('"1/255"', '"2/2000"', "attacks[1]", "names one budget twice"),
        ('"Linf"', '"linf"', "attacks[1].norm", "is not one of Linf, L2, L1; did you mean Linf?"),
        ('eps = ["1/255", "0.001"]', 'eps = "1/255"', "attacks[1].eps", "is not a list; write [ ... ]"),
        ('eps = ["1/255", "0.001"]', "eps = []", "attacks[1]", 'add eps = ["1/255"]'),
        ('norm = "Linf"', "", "attacks[1]", 'add norm = "Linf"'),
        ('name = "resnet"', 'name = ""', "models[0].name", "is empty"),
        ('name = "resnet"', 'name = "a\\nb"', "models[0].name", "control character"),
        ('name = "resnet"', "", "models[0].name", "is missing; add it"),
        ('method = "clean"', 'method = "clean"\nname = "a\\tb"', "attacks[0].name", "control character"),
        ("resnet18.a1_in1k", "resnet18.a9_in1k", "models[0]", "did you mean"),
        ("resnet18.a1_in1k", "zzzzzzzzzzzzzzzz", "models[0]", "known names is similar"),
        ('source = "timm', 'weights = "w.pt"\nsource = "timm', "models[0].weights", "does not exist (looked for"),
        ('folder = "images"', 'folder = "~nobody-at-all/x"', "images.folder", "home directory"),
        ('folder = "images"', f'folder = "{"x" * 5000}"', "images.folder", ""),
        ('folder = "images"', 'folder = "images"\nlabels = "l.csv"', "images.labels", "does not exist"),
        ('folder = "images"', 'folder = "study.toml"', "images.folder", "is a file; give a folder"),
        ('folder = "images"', 'folder = "images"\nlabels = "images"', "images.labels", "is a folder; give a file"),
        ("seed = 3", 'seed = 3\nscores = { file = "images" }', "scores.file", "is a folder; give a file"),
        ('source = "timm', 'weights = "images"\nsource = "timm', "models[0].weights", "is a folder; give a file"),
        ("seed = 3", "seed = 3.5", "seed", "is not a whole number"),
        ("seed = 3", 'seed = 3\nscores = "s.csv"', "scores", "is not a table"),
        (
            'name = "resnet"',
            'name = "resnet"\noptions = { num_classes = "five" }',
            "models[0].options",
            "must have a whole",
        ),
        ('name = "resnet"', 'name = "resnet"\noptions = { drop_rate = nan }', "models[0].options", "nan"),
        ('name = "resnet"', 'name = "resnet"\noptions = { when = 2020-01-01 }', "models[0].options", "a date"),
    ],
)
def test_one_error(folder: Path, old: str, new: str, field: str, remedy: str):
    found = one(folder, old, new)
    assert found.field == field
    assert remedy in found.remedy


def test_models_must_be_a_list_of_tables(folder: Path):
    (found,) = errors(folder, GOOD.replace("[[models]]", "[models]"))
    assert (found.field, found.remedy) == ("models", "is one table, expected a list of tables; write [[models]]")


def test_paths_are_relative_to_the_study(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any):
    """The current folder does not matter."""
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert load(folder, GOOD).images.folder == folder / "images"


def test_a_default_name_can_be_a_duplicate(folder: Path):
    """An attack without a name has the name METHOD-NORM, which another attack must not have."""
    duplicate = '[[attacks]]\nmethod = "square"\nnorm = "L2"\neps = ["1"]\nname = "autoattack-Linf"\n'
    (found,) = errors(folder, GOOD + duplicate)
    assert (found.field, found.given) == ("attacks.name", '"autoattack-Linf"')
    assert "attacks[1], attacks[2]" in found.remedy


def test_the_sample_study_is_valid(checkout: Path, shared: Path):
    study = Study.load(checkout / "studies" / "imagenet-sample.toml")
    assert [model.name for model in study.models] == ["mobilenet_v1_1.0_224", "mobilenet_v2_1.0_224"]
    assert [str(budget) for budget in study.attacks[1].budgets] == ["0.001", "0.5/255", "1/255"]
    assert study.images.folder == (shared / "imagenet_sample").resolve()
