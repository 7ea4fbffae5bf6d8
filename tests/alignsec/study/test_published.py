"""Results tables of published accuracies in timm's layout."""

from pathlib import Path

import pytest

from alignsec.errors import ConfigErrors
from alignsec.study.published import ResultsTable

TIMM = """model,top1,top1_err,top5,top5_err,param_count,img_size,crop_pct,interpolation
resnet18.a1_in1k,71.498,28.502,90.08,9.92,11.69,224,0.95,bicubic
tiny.a_in1k,0.5,99.5,1,99,1,224,1,bicubic
"""


def read(path: Path, text: str) -> ResultsTable:
    path.write_text(text, encoding="utf-8")
    return ResultsTable.read(path)


def test_values_of_timms_tables_are_per_cent(tmp_path: Path):
    found = read(tmp_path / "r.csv", TIMM).top1
    assert found == {"resnet18.a1_in1k": pytest.approx(0.71498), "tiny.a_in1k": pytest.approx(0.005)}


def test_fractions_are_kept(tmp_path: Path):
    assert read(tmp_path / "r.csv", "\ufefftop1,model\n0.5,a\n1,b\n0.5,a\n").top1 == {"a": 0.5, "b": 1}


def test_every_invalid_row_is_reported(tmp_path: Path):
    text = "model,top1\na,70\nb,\nc,high\nd,101\ne,nan\na,71\nf,0\n"
    with pytest.raises(ConfigErrors) as caught:
        read(tmp_path / "r.csv", text)
    messages = [str(error).split(": ", 1)[1] for error in caught.value.errors]
    invalid = ((3, ""), (4, "high"), (5, "101"), (6, "nan"))
    expected = [
        *(f'line {line}: "{given}" is not a top-1' for line, given in invalid),
        'line 7: "a" has two accuracies',
        'line 8: "0" is not a top-1',
    ]
    assert [one.startswith(start) for one, start in zip(messages, expected, strict=True)] == [True] * 6


@pytest.mark.parametrize("text", ["", "name,acc\na,1\n", "model\na\n"])
def test_a_table_without_the_columns_is_rejected(tmp_path: Path, text: str):
    with pytest.raises(ConfigErrors, match=r"has no column .*; expected the columns model and top1"):
        read(tmp_path / "r.csv", text)
