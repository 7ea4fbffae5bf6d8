"""Custom attacks in a study file: the callable is found and checked without running its file."""

from pathlib import Path

import pytest

from tests.alignsec.study.study_text import GOOD, errors, load

CODE = """
import no_such_library
from elsewhere import imported

def pgd(classifier, images, labels, norm, eps, steps, rate=0.1):
    raise AssertionError("submission runs no code")

def smallest(classifier, images, labels, norm, **options):
    raise AssertionError

def positional(classifier, images, /, labels, norm, eps):
    raise AssertionError

def short(classifier, images):
    raise AssertionError
"""


def table(method: str, more: str = "") -> str:
    return f'{GOOD}\n[[attacks]]\nmethod = "{method}"\nnorm = "Linf"\neps = ["1/255"]\n{more}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "attack.py").write_text(CODE, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "more"),
    [("pgd", "options = { steps = 5 }"), ("smallest", "options = { any = [1, 2] }"), ("imported", "")],
)
def test_a_custom_attack_is_named_after_its_callable(folder: Path, name: str, more: str):
    attack = load(folder, table(f"python:attack.py:{name}", more)).attacks[-1]
    assert (attack.name, attack.code, attack.is_custom) == (f"{name}-Linf", folder / "attack.py", True)
    assert attack.to_pair_attack().method == f"python:{name}"


@pytest.mark.parametrize(
    ("method", "more", "message"),
    [
        ("python:gone.py:pgd", "", "does not exist"),
        ("python:attack.py", "", 'is not a callable in a file; write "python:my_attacks.py:attack"'),
        ("python:attack.py:pdg", "", "does not define pdg; did you mean pgd"),
        ("python:broken.py:pgd", "", "is not valid Python"),
        ("python:attack.py:pgd", "", "pgd needs steps; set options = { steps = ... }"),
        ("python:attack.py:pgd", "options = { step = 5 }", "pgd has no parameter step; did you mean steps"),
        ("python:attack.py:pgd", "options = { steps = 5, eps = 1 }", "options name eps"),
        ("python:attack.py:pgd", "options = { steps = 2026-01-01 }", "found a date, a time, nan or inf"),
        ("python:attack.py:pgd", "options = { steps = nan }", "found a date, a time, nan or inf"),
        ("python:attack.py:positional", "", "positional-only"),
        ("python:attack.py:short", "", "short has no parameter labels, norm"),
        ("python:attack.py:smallest", "steps = 5", "has steps, which python:attack.py:smallest does not use"),
        ("python:attack.py:smallest", 'search = "bf16"', "has search, which"),
        ("python:attack.py:smallest", 'implementation = "reference"', "which a custom attack does not have"),
        ("python:attack.py:smallest", 'code = "attack.py"', "code must not be given"),
        ("apgd-ce", "options = { steps = 5 }", "has options, which apgd-ce does not use"),
    ],
)
def test_an_error_of_a_custom_attack(folder: Path, method: str, more: str, message: str):
    (folder / "broken.py").write_text("def pgd(:\n", encoding="utf-8")
    (error,) = errors(folder, table(method, more))
    assert message in str(error)
    assert "attacks[2]" in str(error)


def test_an_unknown_method_names_custom_attacks(folder: Path):
    (error,) = errors(folder, table("pyton:attack.py:pgd"))
    assert "python:FILE:CALLABLE" in str(error)
