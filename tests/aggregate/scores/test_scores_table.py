"""Tests of the scores table: today's leaderboard, small ones, and invalid ones."""

import math
from collections import Counter

import pytest

from aggregate.scores import scores
from alignsec.errors import ConfigErrors
from tests.paths import SHARED_DATA

LEADERBOARD = SHARED_DATA / "brainscore/leaderboard_20250908.csv"


def test_todays_format():
    text = (
        "# Generated on 2025-09-08\n"
        '"Rank","Model","Filtered Score","average_vision","neural_vision","V1","behavior_vision","Baker2022"\n'
        '"1","a","0.467",".467","0.379","","X","1.1"\n'
        '"2","b","","-0.01","1e-3",".5",".25","nan"\n'
    )
    read = scores.parse_scores(text.encode())
    assert [(c.name, c.level, c.category, c.label) for c in read.columns if c.level != "recomputed"] == [
        ("average_vision", "average", "", "average"),
        ("neural_vision", "category", "neural_vision", "neural"),
        ("V1", "benchmark", "neural_vision", "V1"),
        ("behavior_vision", "category", "behavior_vision", "behavior"),
        ("Baker2022", "benchmark", "behavior_vision", "Baker2022"),
    ]
    rows = {
        model: {name: value for name, value in row.items() if not name.endswith("_recomputed")}
        for model, row in read.rows.items()
    }
    assert rows == {
        "a": {"average_vision": 0.467, "neural_vision": 0.379, "Baker2022": 1.1},
        "b": {"average_vision": -0.01, "neural_vision": 0.001, "V1": 0.5, "behavior_vision": 0.25},
    }
    assert read.remarks[0].startswith("average_vision is not the mean of the scores below it")


def test_identical_rows_count_once_and_contradicting_rows_are_left_out():
    read = scores.parse_scores(
        b"Rank,Model,V1\n1,same,.5\n2,same,0.5\n3,torn,.1\n4,torn,.2\n5,torn,.1\n6,gap,.1\n7,gap,\n"
    )
    assert read.rows == {"same": {"V1": 0.5}}
    assert read.contradicting == ("torn", "gap")


def test_a_trailing_space_is_part_of_a_name():
    """Today's leaderboard has three pairs of models whose names differ only in a trailing space."""
    assert scores.parse_scores(b"Model,V1\na,1\na ,2\n").rows == {"a": {"V1": 1.0}, "a ": {"V1": 2.0}}


def test_names_match_exactly_and_each_counts_once():
    read = scores.parse_scores(b"model,V1\na,1\nB,1\ntorn,1\ntorn,2\nelse,1\n")
    found = scores.match_models(["a", "a", "b", "torn"], read)
    assert found == scores.Matching(("a",), ("b",), ("torn",), ("B", "else"))


@pytest.mark.parametrize(
    ("data", "remark"),
    [
        (b"", "has no column named Model"),
        (b"title,V1\na,1\n", "has no column named Model"),
        (b"\xff\xfeM\x00o\x00", "is not a CSV file in UTF-8"),
        (b"Model,V1\n,1\na,2\n", "Rows without a model's name, left out: 1."),
        (
            b"Model,V1\na,2,3\nb\n",
            "Rows with more or fewer cells than the header has columns, left out: line 2 (“a”), line 3 (“b”).",
        ),
        (b"Model,V1,V2\na,high,inf\n", "taken as missing: 2; the first is “high” (a, V1)."),
        (b"Model,V1,V1\na,1,2\n", "only the leftmost is read: V1."),
    ],
)
def test_unreadable_content_gives_a_remark(data, remark):
    read = scores.parse_scores(data)
    assert remark in " ".join(read.remarks)
    assert all(math.isfinite(value) for row in read.rows.values() for value in row.values())


def test_the_leftmost_of_two_equal_columns_counts():
    assert scores.parse_scores(b"Model,V1,V1\na,1,2\n").rows == {"a": {"V1": 1.0}}


def test_scores_changed_after_submission_raise(make_run):
    run = make_run(scores="Model,V1\na,1\n")
    read = scores.read_run_scores(run.folder, run.plan)
    assert read is not None
    assert read.rows == {"a": {"V1": 1.0}}
    run.folder.scores.write_text("Model,V1\na,2\n")
    with pytest.raises(ConfigErrors, match="was changed after submission"):
        scores.read_run_scores(run.folder, run.plan)
    run.folder.scores.unlink()
    with pytest.raises(ConfigErrors, match=r"cannot be read .*copy scores\.csv here"):
        scores.read_run_scores(run.folder, run.plan)


def test_a_study_without_scores(make_run):
    run = make_run(scores="Model,V1\na,1\n")
    assert scores.read_run_scores(run.folder, run.plan.model_copy(update={"scores": None})) is None


@pytest.mark.skipif(not LEADERBOARD.exists(), reason="shared/data/brainscore not found")
def test_todays_leaderboard():
    """471 rows and 459 names; alexnet, resnet50, RN50 and my-model have several different rows."""
    read = scores.parse_scores(LEADERBOARD.read_bytes())
    assert len([column for column in read.columns if column.level != "recomputed"]) == 130
    assert set(read.contradicting) == {"alexnet", "resnet50", "RN50", "my-model"}
    assert len(read.rows) == 455
    labels = ["average", "neural", "behavior", "engineering"]
    assert [column.label for column in read.select_columns("average", "category")] == labels
    # The file's averages count missing scores as 0, so the recomputed ones replace them and come first.
    assert [column.label.removesuffix(" (recomputed)") for column in read.aggregates] == labels
    assert read.columns[0].label == read.aggregates[0].label == "average (recomputed)"
    assert (min(read.coverage.values()), max(read.coverage.values())) == (0, 1)
    by_name = {column.name: column.category for column in read.columns}
    assert by_name["MajajHong2015.IT-pls"] == "neural_vision"
    assert by_name["Rajalingham2018-i2n"] == "behavior_vision"
    assert by_name["Hermann2020cueconflict-shape_match"] == "engineering_vision"
    assert read.generated == "2025-09-08T13:44:24.041Z"
    assert [remark.split(":")[0] for remark in read.remarks] == [
        f"{name} counts a missing score as 0"
        for name in ("average_vision", "neural_vision", "behavior_vision", "engineering_vision")
    ]


@pytest.mark.skipif(not LEADERBOARD.exists(), reason="shared/data/brainscore not found")
def test_study_has_105_benchmarks():
    """They are the 130 columns without the 24 means and Kar2019-ost, and each has a category."""
    read = scores.parse_scores(LEADERBOARD.read_bytes())
    means = read.select_columns("average", "category", "group")
    assert (len(read.benchmarks), len(means)) == (105, 24)
    assert [column.name for column in read.select_columns("set aside")] == ["Kar2019-ost"]
    counted = Counter(column.category for column in read.benchmarks)
    assert counted == {"neural_vision": 37, "behavior_vision": 43, "engineering_vision": 25}


def test_an_average_that_counts_missing_scores_as_zero_is_recomputed():
    """Model b has no score for V2, so its neural average is half of its V1 score."""
    read = scores.parse_scores(
        b"Model,average_vision,neural_vision,V1,V2,behavior_vision,x-i2n\n"
        b"a,.5,.6,.6,.6,.4,.4\nb,.3,.2,.4,,.4,.4\nc,.3,.5,.5,.5,.1,.1\n"
    )
    assert [column.name for column in read.select_columns("recomputed")] == [
        "average_vision_recomputed",
        "neural_vision_recomputed",
    ]
    assert read.rows["b"]["neural_vision_recomputed"] == pytest.approx(0.4)
    assert read.rows["b"]["average_vision_recomputed"] == pytest.approx(0.4)
    assert read.rows["a"]["neural_vision_recomputed"] == read.rows["a"]["neural_vision"]
    assert read.remarks[1] == (
        "neural_vision counts a missing score as 0: the mean of the scores that a model has differs for 1 of 3 "
        "models, by up to 0.200. The report also shows this mean, labelled “neural (recomputed)”."
    )


def test_an_average_that_differs_for_another_reason_has_another_remark():
    read = scores.parse_scores(b"Model,neural_vision,V1,V2\na,.9,.2,.4\nb,.8,.4,.4\n")
    assert read.remarks[0].startswith("neural_vision is not the mean of the scores below it: ")


def test_equal_averages_are_not_recomputed():
    read = scores.parse_scores(b"Model,neural_vision,V1,V2\na,.3,.2,.4\nb,.333,.333,.3333\n")
    assert (read.remarks, read.select_columns("recomputed")) == ((), ())
