"""Units of published accuracies: per column, and by the sign."""

from pathlib import Path

import pytest

from aggregate.published.accuracies import read_accuracies
from alignsec.errors import ConfigErrors
from tests.paths import CASES as ALL_CASES

CASES = ALL_CASES / "14-robust-accuracy-files"


def read(path: Path, text: str):
    path.write_text(text, encoding="utf-8")
    return read_accuracies(path)


def test_a_small_value_with_a_sign_is_per_cent(tmp_path: Path):
    """0.4 % was once read as 40 %."""
    text = "model,attack,eps,robust_accuracy\na,AA,4/255,0.4%\nb,AA,4/255,0.7 %\nc,AA,4/255,0.0%\n"
    assert read(tmp_path / "linf.csv", text).table["robust_accuracy"].tolist() == pytest.approx([0.004, 0.007, 0])


def test_clean_in_per_cent_beside_robust_in_shares(tmp_path: Path):
    found = read(tmp_path / "x.csv", "id,eps,clean,aa\na,4/255,76.1,0.349\nb,4/255,70.0,0.300\n")
    assert found.table["robust_accuracy"].tolist() == pytest.approx([0.349, 0.3])
    assert found.table["clean_accuracy"].tolist() == pytest.approx([0.761, 0.7])
    assert found.unit == "per cent in clean accuracy and shares elsewhere"


def test_signs_in_a_part_of_a_column_are_an_error(tmp_path: Path):
    text = "id,eps,clean,aa\na,4/255,76.1,34.9%\nb,4/255,70.0,0.3\n"
    with pytest.raises(ConfigErrors, match=r'line 3, aa: "0\.3" has no % sign'):
        read(tmp_path / "x.csv", text)


@pytest.mark.parametrize(
    ("name", "robust"),
    [
        ("percent-sign-small", [0.004, 0.007, 0.0]),
        ("mixed-units-columns", [0.349, 0.3]),
        ("plain", [0.349, 0.3]),
        ("l2-lower", [0.34]),
    ],
)
def test_files_that_were_misread(name: str, robust: list[float]):
    assert read_accuracies(CASES / f"{name}.csv").table["robust_accuracy"].tolist() == pytest.approx(robust)


@pytest.mark.parametrize("name", ["eps-8", "eps-huge-exp"])
def test_files_with_an_impossible_budget_are_refused(name: str):
    with pytest.raises(ConfigErrors, match="at most 1 in Linf"):
        read_accuracies(CASES / f"{name}.csv")


def test_a_number_of_images_of_thousands_of_digits_is_an_error(tmp_path: Path):
    """Python refuses to convert it; a fuzzer found this."""
    text = f"model,attack,eps,robust_accuracy,images\na,AA,4/255,0.4,{'9' * 5000}\n"
    with pytest.raises(ConfigErrors, match="must be a number of images"):
        read(tmp_path / "x.csv", text)
