"""Names files: all errors are reported together, and proposals prefer names that differ in punctuation."""

from pathlib import Path

import pytest

from aggregate.published import names
from aggregate.scores.scores import ScoreColumn, Scores
from alignsec.errors import ConfigErrors

SCORES = Scores(
    (ScoreColumn("V1", "benchmark", ""),),
    {"resnet50_linf_8": {"V1": 1.0}, "ResNet-18": {"V1": 2.0}, "vit_b": {"V1": 3.0}},
)


def write(folder: Path, text: str) -> Path:
    path = folder / "names.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_score_is_renamed_to_the_model(tmp_path: Path):
    path = write(tmp_path, "model,score_name,near_1\nSalman2020,resnet50_linf_8,x\nOther,,vit_b\n")
    read = names.read_names(path, ["Salman2020", "Other"], SCORES)
    assert read == {"Salman2020": "resnet50_linf_8"}
    assert dict(names.rename_scores(SCORES, read).rows) == {
        "ResNet-18": {"V1": 2.0}, "vit_b": {"V1": 3.0}, "Salman2020": {"V1": 1.0},
    }  # fmt: skip


def test_all_errors_are_reported_together(tmp_path: Path):
    path = write(tmp_path, "model,score_name\na,vit_c\nb,vit_b\na,vit_b\nz,ResNet-18\n")
    with pytest.raises(ConfigErrors) as caught:
        names.read_names(path, ["a", "b"], SCORES)
    text = str(caught.value)
    assert 'line 2: "vit_c" is not the name of a score; did you mean vit_b?' in text
    assert 'line 4: "a" has more than one line' in text
    assert 'line 5: "z" is not the name of a model of the table' in text
    assert 'score_name: "vit_b" is the score name of 2 models' in text


@pytest.mark.parametrize("text", ["", "model\na\n", "model,score_name\n"])
def test_a_file_without_lines_is_an_error(tmp_path: Path, text: str):
    with pytest.raises(ConfigErrors, match="has no lines with the columns"):
        names.read_names(write(tmp_path, text), ["a"], SCORES)


def test_proposals():
    """Only a difference in punctuation fills in a name; the architecture adds similar names."""
    found = names.propose_names(
        ["vit_b", "resnet_18", "Salman2020", "zzz"], {"Salman2020": "ResNet-50 Linf"}, SCORES
    )
    assert found == [
        ("resnet_18", "ResNet-18", ("ResNet-18", "resnet50_linf_8")),
        ("Salman2020", "", ("resnet50_linf_8", "ResNet-18")),
        ("zzz", "", ()),
    ]
