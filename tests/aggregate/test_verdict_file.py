"""A CSV file of another tool's verdicts is compared with a run, and its errors are reported with their lines."""

from pathlib import Path

import pytest

from aggregate import compare
from aggregate.comparison import agreement, runs, verdict_file
from alignsec.errors import ConfigErrors
from tests.aggregate.synthetic_run import write_run

HEADER = "model,attack,eps,image,robust"


def write(folder: Path, lines: list[str], header: str = HEADER) -> Path:
    path = folder / "other.csv"
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return path


@pytest.fixture
def run(tmp_path: Path):
    made = write_run(tmp_path / "x", models=["a"])
    made.write_record("a", "autoattack-Linf", "RRRRRRRRRW", "RRccctfscW")
    return made


def test_verdicts_of_another_tool_are_compared(run, tmp_path: Path, capsys):
    """2/510 is 1/255. Image 0 is broken there; an unknown component is no other component."""
    lines = [f"a,autoattack-Linf,2/510,{at}.png,{int(at == 1)},{at < 9}" for at in range(10)]
    path = write(tmp_path, lines, f"{HEADER},clean_correct")
    assert compare.main([str(run.folder.root), str(path), "--out", str(tmp_path / "out")]) == 1
    output = capsys.readouterr().out
    assert "1 of 10 verdicts differ" in output
    assert "1 robust → broken" in output
    assert "by another component" not in output
    assert "none of the recorded ones" in output
    assert (tmp_path / "out" / "compare.html").exists()


def test_a_component_and_a_label_are_compared_if_they_are_known(run, tmp_path: Path):
    header = f"{HEADER},broken_by,label"
    lines = [f"a,autoattack-Linf,1/255,{at}.png,{str(at < 2).lower()},square,{1 if at else ''}" for at in range(9)]
    compared = agreement.compare_runs(
        runs.read_run(run.folder.root), verdict_file.read_verdict_file(write(tmp_path, lines, header))
    )
    (row,) = compared.rows
    assert (row.images, row.only_in_a, row.other_component, row.other_label) == (9, 1, 6, 8)


def test_all_errors_are_reported_with_their_lines(tmp_path: Path):
    lines = ["a,x,8/255,0.png,maybe", "a,x,eight,0.png,1", ",x,0.1,0.png,1", "a,x,0.1,0.png,1", "a,x,0.1,0.png,0",
             "a,x,0.2,0.png,"]  # fmt: skip
    with pytest.raises(ConfigErrors) as caught:
        verdict_file.read_verdict_file(write(tmp_path, lines))
    assert [str(one).partition("other.csv: ")[2] for one in caught.value.errors] == [
        "line 2: robust is maybe; expected true or false",
        "line 3: eps is eight; expected a number or a fraction in pixels of [0,1], such as 8/255",
        "line 4: model is empty; fill it in",
        "line 6: repeats image 0.png of this model, attack and eps; keep one row per image",
        "line 7: robust is empty; expected true or false",
    ]


@pytest.mark.parametrize(
    ("header", "lines", "remedy"),
    [
        ("model,attack", [], "has no column eps, image, robust"),
        (HEADER, [], "has no verdicts"),
        (HEADER, ["a,x,0.1,0.png,1", "a,x,0.2,1.png,1"], "has other images at eps 0.2"),
        (f"{HEADER},label", ["a,x,0.1,0.png,1,cat"], "label is cat; expected an integer"),
    ],
)
def test_an_unusable_file_is_an_error(tmp_path: Path, header: str, lines: list[str], remedy: str):
    with pytest.raises(ConfigErrors, match=remedy):
        verdict_file.read_verdict_file(write(tmp_path, lines, header))
