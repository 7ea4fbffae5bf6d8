"""The text of a valid study, and helpers that load variants of it."""

from pathlib import Path

import pytest

from alignsec.errors import ConfigError, ConfigErrors
from alignsec.study.study import Study

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


def load(folder: Path, text: str) -> Study:
    """Load a study with this text from a folder that has a folder of images."""
    (folder / "images").mkdir(exist_ok=True)
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return Study.load(path)


def errors(folder: Path, text: str) -> tuple[ConfigError, ...]:
    """Return all errors of a study with this text."""
    with pytest.raises(ConfigErrors) as caught:
        load(folder, text)
    return caught.value.errors


def one(folder: Path, old: str, new: str) -> ConfigError:
    """Return the only error of the valid study after a replacement."""
    assert GOOD.count(old) == 1
    (found,) = errors(folder, GOOD.replace(old, new))
    return found
