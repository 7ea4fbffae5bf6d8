"""Study files: validated as a whole, every mistake in one go, each with file, field, value and remedy."""

from pathlib import Path
from typing import Any

import pytest

from alignsec.mistake import Mistake, Mistakes
from alignsec.pair import File, Published
from alignsec.study import Study

FILE = File(name="f", sha256="1" * 64)
GOOD = """
name = "good"
seed = 3
[images]
folder = "images"
[[models]]
name = "resnet"
source = "timm:resnet18.a1_in1k"
[[attacks]]
method = "clean"
[[attacks]]
method = "autoattack"
norm = "Linf"
eps = ["1/255", "0.001"]
"""

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
    """A folder with the images folder of the studies here."""
    (tmp_path / "images").mkdir()
    return tmp_path


def load(folder: Path, text: str) -> Study:
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return Study.load(path)


def mistakes(folder: Path, text: str) -> tuple[Mistake, ...]:
    with pytest.raises(Mistakes) as caught:
        load(folder, text)
    return caught.value.mistakes


def one(folder: Path, old: str, new: str) -> Mistake:
    """The one mistake of the good study after a replacement."""
    assert GOOD.count(old) == 1
    (found,) = mistakes(folder, GOOD.replace(old, new))
    return found


def test_a_good_study(folder: Path):
    study = load(folder, GOOD)
    assert (study.name, study.seed, [attack.name for attack in study.attacks]) == (
        "good",
        3,
        ["clean", "autoattack-Linf"],
    )
    assert study.models[0].class_count == 1000


def test_every_mistake_in_one_go(folder: Path):
    """A user mends all of them at once instead of meeting one a try."""
    found = {mistake.field: mistake for mistake in mistakes(folder, MANY)}
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
        assert found[field].file == str(folder / "study.toml")
        assert found[field].given == given
        assert remedy in found[field].remedy, field


def test_a_mistake_reads_as_a_line(folder: Path):
    assert str(one(folder, '"1/255"', "4")) == (
        f'{folder}/study.toml: attacks[1].eps[0]: 4 is not a budget; write it as text, such as "4/255" or "0.001"'
    )


CODE = """
import torch
def build(width=8):
    return torch.nn.Linear(width, 5)
"""
STATED = (
    "preprocessing = { input_size = [3, 32, 32], mean = [0, 0, 0], std = [1, 1, 1], "
    'interpolation = "bilinear", crop_pct = 1 }'
)


@pytest.mark.parametrize(
    ("model", "remedy"),
    [
        ('source = "timm:resnet50.a1_in1"', "did you mean resnet50.a1_in1k"),
        ('source = "timm:resnet50.zzzzzzzz"', "did you mean resnet50."),
        ('source = "timm:vit_small_patch14_dinov2.lvd142m"', "has no classifier; give options"),
        (
            'source = "timm:convnext_base.clip_laion2b_augreg_ft_in12k"',
            "gives 11821 classes in an order",
        ),
        (
            'source = "timm:resnet18.a1_in1k"\noptions = { num_classes = 10 }',
            "has weights for 1000 classes;",
        ),
        ('source = "torchvision:resnet50"', "a name with weights: resnet50.IMAGENET1K_V1, resnet50.IMAGENET1K_V2"),
        ('source = "torchvision:resnet50.IMAGENET1K_V3"', "did you mean resnet50.IMAGENET1K_V"),
        ('source = "torchvision:vgg16.IMAGENET1K_FEATURES"', "has no classifier"),
        ('source = "torchvision:fcn_resnet50"', "is not a classification model of torchvision"),
        ('source = "checkpoint:timm/resnet50"', "is a checkpoint without a file; give weights = FILE"),
        ('source = "checkpoint:resnet50"', 'write "checkpoint:timm/resnet50"'),
        ('source = "checkpoint:timm/resnet5000"', "is not a model of timm; did you mean"),
        ('source = "brainscore:resnet50_tutorail"', "did you mean resnet50_tutorial"),
        ('source = "brainscore:hmax"', "has no preprocessing of its own; state it"),
        ('source = "python:build"', 'write "python:my_models.py:build"'),
        ('source = "python:code.py:build"', "has no preprocessing of its own; state it"),
        (f'source = "python:code.py:bulid"\n{STATED}', "defines no bulid; did you mean build?"),
        (f'source = "python:broken.py:build"\n{STATED}', "is not Python: "),
        (f'source = "python:gone.py:build"\n{STATED}', "does not exist (looked for"),
        ('source = "timm:resnet18.a1_in1k"\ncode = "code.py"', "code is not given apart"),
        ('source = "timm:resnet18.a1_in1k"\nconversion = "torch"', "is not one of none, timm, torchvision"),
        ('source = "timm:resnet18.a1_in1k"\nclasses = 1', "greater than or equal to 2"),
        ('source = "timm:resnet18.a1_in1k"\npublished = { top1 = 71.5 }', "less than or equal to 1"),
    ],
)
def test_one_mistake_of_a_source(folder: Path, model: str, remedy: str):
    (folder / "code.py").write_text(CODE)
    (folder / "broken.py").write_text("def build(:")
    found = one(folder, 'source = "timm:resnet18.a1_in1k"', model)
    assert found.field.startswith("models[0]")
    assert remedy in found.remedy


MODELS = [
    'source = "torchvision:resnet50.IMAGENET1K_V2"',
    f'source = "checkpoint:torchvision/resnet50"\nweights = "w.pt"\n{STATED}',
    f'source = "python:code.py:build"\nclasses = 5\n{STATED}\npublished = {{ top1 = 0.5, where = "here" }}',
    'source = "timm:convnext_base.clip_laion2b_augreg_ft_in12k"\nclasses = 11821',
    'source = "timm:densenet121.tv_in1k"\nweights = "w.pt"\nconversion = "timm"',
    'source = "brainscore:resnet50_tutorial"\nweights = "w.pt"',
]


def test_a_model_of_each_source(folder: Path):
    """What the source knows is taken over, what only the study knows is kept."""
    (folder / "code.py").write_text(CODE)
    (folder / "w.pt").touch()
    models = "".join(f'[[models]]\nname = "{number}"\n{text}\n' for number, text in enumerate(MODELS))
    own, checkpoint, python, other_labels, converted, plugin = load(folder, GOOD + models).models[1:]
    assert own.preprocessing.crop_pct == 224 / 232
    assert (own.class_count, own.wants_weights) == (1000, True)
    stated, table = own.held_to({}), Published(top1=0.7, where="a table")
    assert stated is not None
    assert (stated.top1, stated.where) == (0.80858, "torchvision's own figure for these weights")
    assert own.held_to({"resnet50.IMAGENET1K_V2": table}) == table
    assert own.in_pair(FILE, None).conversion == "torchvision"
    assert (checkpoint.source, checkpoint.wants_weights) == ("torchvision:resnet50", False)
    assert checkpoint.held_to({"resnet50": table}) is None, "nobody published it"
    assert checkpoint.in_pair(FILE, None).conversion == "none"
    assert (python.code, python.class_count, python.wants_weights) == (folder / "code.py", 5, False)
    assert python.in_pair(None, FILE).source == "python:build", "a renamed file is the same model"
    assert python.held_to({"build": table}) == Published(top1=0.5, where="here")
    assert other_labels.class_count == 11821
    assert converted.in_pair(FILE, None).conversion == "timm"
    assert plugin.in_pair(FILE, None).conversion == "brainscore", "an archive, whoever packed it"
    assert (plugin.preprocessing.crop_mode, plugin.class_count) == ("squash", None), (
        "the registry tells no classes"
    )


@pytest.mark.parametrize("text", ["name = ", "[[models]", 'name = "a"\nname = "b"', "= 1", 'x = "\\q"'])
def test_broken_toml_says_where(folder: Path, text: str):
    (found,) = mistakes(folder, text)
    assert found.remedy.startswith("is not TOML")
    assert "(at " in found.remedy


def test_bytes_that_are_no_text(folder: Path):
    (folder / "study.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(Mistakes, match="is not TOML"):
        Study.load(folder / "study.toml")


@pytest.mark.parametrize("name", ["none.toml", "images"])
def test_a_file_that_cannot_be_read(folder: Path, name: str):
    with pytest.raises(Mistakes, match=f"{name}: cannot be read"):
        Study.load(folder / name)


def test_an_empty_study_lacks_everything(folder: Path):
    assert {mistake.field for mistake in mistakes(folder, "")} == {"name", "images", "models", "attacks"}


@pytest.mark.parametrize(
    ("old", "new", "field", "remedy"),
    [
        ('"1/255"', '"1001/255"', "attacks[1]", "further apart than 1"),
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
        ("resnet18.a1_in1k", "zzzzzzzzzzzzzzzz", "models[0]", "known names is near it"),
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
            "not a whole",
        ),
        ('name = "resnet"', 'name = "resnet"\noptions = { drop_rate = nan }', "models[0].options", "nan"),
        ('name = "resnet"', 'name = "resnet"\noptions = { when = 2020-01-01 }', "models[0].options", "a date"),
    ],
)
def test_one_mistake(folder: Path, old: str, new: str, field: str, remedy: str):
    found = one(folder, old, new)
    assert found.field == field
    assert remedy in found.remedy


def test_a_model_is_a_table_of_its_own(folder: Path):
    (found,) = mistakes(folder, GOOD.replace("[[models]]", "[models]"))
    assert (found.field, found.remedy) == ("models", "is one table, not a list of them; write [[models]]")


def test_an_architecture_needs_weights_and_preprocessing(folder: Path):
    """The nearest tags are told; with a checkpoint, how it wants its images must be told."""
    assert "resnet18.a1_in1k" in one(folder, "resnet18.a1_in1k", "resnet18").remedy
    (folder / "w.pt").touch()
    with_weights = GOOD.replace("resnet18.a1_in1k", "resnet18").replace("source", 'weights = "w.pt"\nsource')
    (found,) = mistakes(folder, with_weights)
    assert "no preprocessing of its own; state it" in found.remedy


def test_preprocessing_is_the_tags_own(folder: Path):
    """resnet18.a1_in1k was trained at 224 pixels with ImageNet's mean and std, bicubic, 0.95."""
    found = load(folder, GOOD).models[0].preprocessing
    assert (found.input_size, found.interpolation, found.crop_pct) == ((3, 224, 224), "bicubic", 0.95)
    assert (found.mean, found.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_the_studys_word_goes_first(folder: Path):
    """One field stated in the study; the others stay the tag's."""
    text = GOOD.replace(
        "[[attacks]]", "preprocessing = { crop_pct = 0.875, mean = [0.5, 0.5, 0.5] }\n[[attacks]]", 1
    )
    found = load(folder, text).models[0].preprocessing
    assert (found.crop_pct, found.mean, found.std) == (0.875, (0.5, 0.5, 0.5), (0.229, 0.224, 0.225))


def test_paths_are_relative_to_the_study(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any):
    """Wherever the command is typed."""
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert load(folder, GOOD).images.folder == folder / "images"


def test_default_names_count_as_names(folder: Path):
    """An attack without a name is called by method and norm; a second one like it, or named so, is a double."""
    double = '[[attacks]]\nmethod = "square"\nnorm = "L2"\neps = ["1"]\nname = "autoattack-Linf"\n'
    (found,) = mistakes(folder, GOOD + double)
    assert (found.field, found.given) == ("attacks.name", '"autoattack-Linf"')
    assert "attacks[1], attacks[2]" in found.remedy


def test_the_studies_that_come_with_alignsec_are_sound(house: Path, shared: Path):
    study = Study.load(house / "studies" / "imagenet-sample.toml")
    assert [model.name for model in study.models] == ["mobilenet_v1_1.0_224", "mobilenet_v2_1.0_224"]
    assert [str(budget) for budget in study.attacks[1].budgets] == ["0.001", "0.5/255", "1/255"]
    assert study.images.folder == (shared / "imagenet_sample").resolve()
