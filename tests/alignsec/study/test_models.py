"""The models of a study: fields taken from the source, fields that the study must state, and errors."""

from pathlib import Path

import pytest

from alignsec.spec.pair import File, Published
from tests.alignsec.study.study_text import GOOD, errors, load, one

FILE = File(name="f", sha256="1" * 64)
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
            "has 11821 classes in a different order",
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
        ('source = "brainscore:hmax"', "has no published preprocessing; state it"),
        ('source = "python:build"', 'write "python:my_models.py:build"'),
        ('source = "python:code.py:build"', "has no published preprocessing; state it"),
        (f'source = "python:code.py:bulid"\n{STATED}', "does not define bulid; did you mean build?"),
        (f'source = "python:broken.py:build"\n{STATED}', "is not valid Python: "),
        (f'source = "python:gone.py:build"\n{STATED}', "does not exist (looked for"),
        ('source = "timm:resnet18.a1_in1k"\ncode = "code.py"', "code must not be given"),
        (
            'source = "timm:resnet18.a1_in1k"\nconversion = "torch"',
            "is unknown; choose one of none, timm, torchvision",
        ),
        ('source = "timm:resnet18.a1_in1k"\nclasses = 1', "greater than or equal to 2"),
        ('source = "timm:resnet18.a1_in1k"\npublished = { top1 = 71.5 }', "less than or equal to 1"),
    ],
)
def test_an_error_of_a_source(tmp_path: Path, model: str, remedy: str):
    (tmp_path / "code.py").write_text(CODE)
    (tmp_path / "broken.py").write_text("def build(:")
    found = one(tmp_path, 'source = "timm:resnet18.a1_in1k"', model)
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


def test_a_model_of_each_source(tmp_path: Path):
    """Published properties are taken from the source; stated ones are kept."""
    (tmp_path / "code.py").write_text(CODE)
    (tmp_path / "w.pt").touch()
    models = "".join(f'[[models]]\nname = "{number}"\n{text}\n' for number, text in enumerate(MODELS))
    own, checkpoint, python, other_labels, converted, plugin = load(tmp_path, GOOD + models).models[1:]
    assert own.preprocessing.crop_pct == 224 / 232
    assert (own.class_count, own.needs_published_weights) == (1000, True)
    stated, table = own.find_published_accuracy({}), Published(top1=0.7, where="a table")
    assert stated is not None
    assert (stated.top1, stated.where) == (0.80858, "torchvision's own figure for these weights")
    assert own.find_published_accuracy({"resnet50.IMAGENET1K_V2": table}) == table
    assert own.to_pair_model(FILE, None).conversion == "torchvision"
    assert (checkpoint.source, checkpoint.needs_published_weights) == ("torchvision:resnet50", False)
    assert checkpoint.find_published_accuracy({"resnet50": table}) is None, "there is no published accuracy"
    assert checkpoint.to_pair_model(FILE, None).conversion == "none"
    assert (python.code, python.class_count, python.needs_published_weights) == (tmp_path / "code.py", 5, False)
    assert python.to_pair_model(None, FILE).source == "python:build", "the file name is not part of the source"
    assert python.find_published_accuracy({"build": table}) == Published(top1=0.5, where="here")
    assert other_labels.class_count == 11821
    assert converted.to_pair_model(FILE, None).conversion == "timm"
    assert plugin.to_pair_model(FILE, None).conversion == "brainscore", (
        "every weights file of this source is an archive"
    )
    assert (plugin.preprocessing.crop_mode, plugin.class_count) == ("squash", None), (
        "the registry does not list the number of classes"
    )


def test_an_architecture_needs_weights_and_preprocessing(tmp_path: Path):
    """The error lists similar tags. With a checkpoint, preprocessing must be stated."""
    assert "resnet18.a1_in1k" in one(tmp_path, "resnet18.a1_in1k", "resnet18").remedy
    (tmp_path / "w.pt").touch()
    with_weights = GOOD.replace("resnet18.a1_in1k", "resnet18").replace("source", 'weights = "w.pt"\nsource')
    (found,) = errors(tmp_path, with_weights)
    assert "no published preprocessing; state it" in found.remedy


def test_preprocessing_is_that_of_the_tag(tmp_path: Path):
    """resnet18.a1_in1k was trained at 224 pixels with ImageNet's mean and std, bicubic, 0.95."""
    found = load(tmp_path, GOOD).models[0].preprocessing
    assert (found.input_size, found.interpolation, found.crop_pct) == ((3, 224, 224), "bicubic", 0.95)
    assert (found.mean, found.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_stated_preprocessing_takes_precedence(tmp_path: Path):
    """Fields that the study does not state are those of the tag."""
    text = GOOD.replace(
        "[[attacks]]", "preprocessing = { crop_pct = 0.875, mean = [0.5, 0.5, 0.5] }\n[[attacks]]", 1
    )
    found = load(tmp_path, text).models[0].preprocessing
    assert (found.crop_pct, found.mean, found.std) == (0.875, (0.5, 0.5, 0.5), (0.229, 0.224, 0.225))
