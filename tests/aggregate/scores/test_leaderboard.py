"""Tests of the file formats of leaderboards: the same scores give the same table."""

import io
import zipfile

import pytest

from aggregate.scores import hierarchy, scores
from alignsec import leaderboard
from tests.paths import CASES, SHARED_DATA

LEADERBOARD = SHARED_DATA / "brainscore/leaderboard_20250908.csv"
ROWS = {
    "a": {"average_vision": 0.4, "neural_vision": 0.3, "V1": 0.3, "behavior_vision": 0.5, "Hebart2023-match": 0.5},
    "b": {"average_vision": 0.1, "neural_vision": 0.1, "V1": 0.1},
}
TODAY = (
    "# Generated on 2025-09-08T13:44:24.041Z (GMT+2)\n"
    '"Rank","Model","Filtered Score","average_vision","neural_vision","V1","behavior_vision","Hebart2023-match"\n'
    '"1","a","0.400",".4","0.3","0.3","0.5",".5"\n"2","b","0.1","0.1","0.1",".1","",""\n'
)
LEGACY = (
    "model_name,layers,average_vision,neural_vision,V1,behavior_vision,Hebart2023-match\n"
    "a,\"{'V1': 'layer1'}\",0.4,0.3,0.3,0.5,0.5\nb,,0.1,0.1,0.1,X,X\n"
)
MERGED = (
    "og_model_name,model_registry_name,model_name,layers,average_vision,neural_vision,V1,behavior_vision,"
    "Hebart2023-match\nfolder,a,a,x,0.4,0.3,0.3,0.5,0.5\nfolder,b,b,,0.1,0.1,0.1,X,X\n"
)
NEWER = (
    "# Generated on 2026-03-01T08:00:00.000Z (CET)\n"
    "# Date from 2020-08-27T00:00:00.000Z to 2026-03-01T08:00:00.000Z\n"
    '"Rank","Model","Model ID","average_vision","neural_vision_v0","behavior_vision_v0",'
    '"V1_v0","Hebart2023-match_v1"\n'
    '"1","a","42","0.4","0.3","0.5","0.3","0.5"\n"2","b","7","0.1","0.1","","0.1",""\n'
)
TIDY = "model,benchmark,score\n" + "".join(
    f"{model},{name},{value}\n" for model, row in ROWS.items() for name, value in row.items()
)


def _zipped(*members):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members:
            # Without a time: parallel test workers must collect the same parameters.
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return data.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        TODAY.encode(),
        LEGACY.encode(),
        MERGED.encode(),
        _zipped(("plugin-info.csv", "plugin_name\na\n"), ("leaderboard.csv", NEWER)),
        NEWER.encode(),
        TIDY.encode(),
        b"\xef\xbb\xbf" + TODAY.replace("\n", "\r\n").encode(),
    ],
    ids=["today", "legacy", "merged", "zip", "newer", "tidy", "windows"],
)
def test_all_formats_give_the_same_table(data):
    board = leaderboard.read_leaderboard(data)
    assert board.rows == ROWS
    assert set(board.columns) == set(ROWS["a"])
    assert (board.remarks, board.contradicting) == ((), ())
    levels = {column.name: (column.level, column.category) for column in scores.parse_scores(data).columns}
    assert levels["V1"] == ("benchmark", "neural_vision")
    assert levels["Hebart2023-match"] == ("benchmark", "behavior_vision")
    assert levels["average_vision"] == ("average", "")


def test_generation_time():
    assert leaderboard.read_leaderboard(TODAY.encode()).generated == "2025-09-08T13:44:24.041Z"
    assert leaderboard.read_leaderboard(NEWER.encode()).generated == "2026-03-01T08:00:00.000Z"
    assert leaderboard.read_leaderboard(LEGACY.encode()).generated == ""


@pytest.mark.parametrize(
    ("data", "remark"),
    [
        (_zipped(("other.csv", TODAY)), "is a zip without a leaderboard.csv"),
        (_zipped(("leaderboard.csv", NEWER))[:100], "is a zip that cannot be unpacked"),
        (b"#\n#\n", "has no column named Model"),
        (b'Model,V1\n"a,1\n', "Rows with more or fewer cells"),
        (
            b"model,benchmark,score\na,V1\n,V1,.3\nb,V1,.1\n",
            "Rows without a model or a benchmark, left out: 1.",
        ),
        (b"model,benchmark,score\na,V1,high\n", "the first is “high” (a, V1)"),
    ],
)
def test_unreadable_content_gives_a_remark(data, remark):
    assert remark in " ".join(leaderboard.read_leaderboard(data).remarks)


SHIFTED = (
    "Model,average_vision,neural_vision,V1,behavior_vision\nm0,0.10,0.20,0.30,0.40\n"
    "vgg16, retrained,0.11,0.21,0.31,0.41\nm2,0.12,0.22,0.32\nm3,,0.13,0.23,0.33\n"
)


def test_rows_of_another_length_are_left_out_by_name():
    """A cell too many or too few may shift the others: the model has no score instead of a wrong one."""
    board = leaderboard.read_leaderboard(SHIFTED.encode())
    assert set(board.rows) == {"m0", "m3"}
    assert board.rows["m0"]["neural_vision"] == 0.2
    assert board.remarks == (
        "Rows with more or fewer cells than the header has columns, left out: line 3 (“vgg16”), line 4 (“m2”).",
    )
    right_of_the_model = leaderboard.read_leaderboard(b"Model,mine,V1\na,1,.1\nb,2,.2\nc,3,.3\n")
    assert right_of_the_model.columns == ("mine", "V1"), "a named column can be a score"
    tidy = leaderboard.read_leaderboard(b"model,benchmark,score\na,V1,.1\nb,x,V1,.2\nc,V1\n")
    assert tidy.rows == {"a": {"V1": 0.1}}
    assert "left out: line 3 (“b”), line 4 (“c”)" in tidy.remarks[0]


def test_shared_case_of_a_shifted_row():
    board = leaderboard.read_leaderboard((CASES / "13b-shifted-row/scores.csv").read_bytes())
    assert set(board.rows) == {"m0"}
    assert all(name in board.remarks[0] for name in ("vgg16", "m2", "m3"))


FACTS = (
    "Unnamed: 0", "index", "id", "Year", "Release date", "Params", "Params (M)", "#params", "param_count",
    "num_params", "Parameters", "GFLOPs", "FLOPs (G)", "flops_g", "MACs", "GMACs", "Input size", "img_size",
    "Number of layers", "Training data", "source", "Params in millions",
)  # fmt: skip
BENCHMARKS = ("V1", "MajajHong2015.IT-pls", "Geirhos2021silhouette-top1", "ImageNet-top1", "BMD2024.texture_1")


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_about_a_model_is_no_benchmark(name):
    board = leaderboard.read_leaderboard(f'Model,"{name}",V1\na,2019,.1\nb,2020,.2\n'.encode())
    assert board.columns == ("V1",)
    assert board.remarks == (f"Columns that are not benchmarks, ignored: {name}.",)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_is_no_fact(name):
    assert leaderboard.read_leaderboard(f"Model,{name}\na,.1\n".encode()).columns == (name,)


def test_an_index_column_is_no_benchmark_whatever_its_name():
    """pandas writes an index without a name; spreadsheets count rows from 1."""
    data = b",place,Model,V1\n0,1,a,.1\n1,2,b,.2\n2,3,c,.3\n"
    board = leaderboard.read_leaderboard(data)
    assert board.columns == ("V1",)
    assert board.remarks == ("Columns that are not benchmarks, ignored: column 1, which has no name, place.",)
    right_of_the_model = leaderboard.read_leaderboard(b"Model,mine,V1\na,1,.1\nb,2,.2\nc,3,.3\n")
    assert right_of_the_model.columns == ("mine", "V1"), "a named column can be a score"
    tidy = leaderboard.read_leaderboard(b"model,benchmark,score\na,Year,2019\na,V1,.1\n")
    assert (tidy.columns, tidy.remarks) == (("V1",), ("Rows that are not about benchmarks, ignored: Year.",))


def test_every_wrong_byte_of_a_zip_gives_a_reason_or_scores():
    """zipfile raises ten kinds of exceptions, depending on the byte."""
    data = _zipped(("leaderboard.csv", NEWER))
    for at in range(4, len(data)):
        for wrong in (data[at] ^ 0xFF, data[at] ^ 1):
            board = leaderboard.read_leaderboard(data[:at] + bytes([wrong]) + data[at + 1 :])
            assert board.rows == ROWS or board.unusable, at


@pytest.mark.parametrize("name", ["EOFError", "ValueError", "error"])
def test_shared_cases_of_damaged_zips(name):
    board = leaderboard.read_leaderboard((CASES / f"scores-damaged-zip/scores_deflate_{name}.zip").read_bytes())
    assert "is a zip that cannot be unpacked" in board.unusable


@pytest.mark.parametrize("data", [b"", b"Model,V1\n", b"Model,V1\na,X\n", b"Model,Year\na,2019\n", b"\x00\x01"])
def test_a_file_without_a_score_is_unusable(data):
    assert leaderboard.read_leaderboard(data).unusable


def test_a_guarded_name_is_read_as_it_was():
    board = leaderboard.read_leaderboard(b"Model,V1\n'=cmd|x,.1\n'quoted,.2\n")
    assert set(board.rows) == {"=cmd|x", "'quoted"}


def test_contradiction_in_a_tidy_table():
    """0.50 and .5 are the same number; a row with a different number leaves the model out."""
    board = leaderboard.read_leaderboard(b"score,Model,Benchmark\n.5,a,V1\n0.50,a,V1\n.1,b,V1\n.2,b,V1\n")
    assert (board.rows, board.contradicting) == ({"a": {"V1": 0.5}}, ("b",))


def test_an_unknown_benchmark_has_no_category_if_categories_are_adjacent():
    """In breadth-first order, a column right of engineering_vision is not always an engineering benchmark."""
    deep = hierarchy.build_hierarchy(["neural_vision", "New2027-x", "behavior_vision", "Other2027-y"])
    broad = hierarchy.build_hierarchy(
        ["neural_vision", "behavior_vision", "V1", "New2027-x", "Gifford2022.IT-ridge"]
    )
    assert [deep.category(name) for name in ("New2027-x", "Other2027-y")] == ["neural_vision", "behavior_vision"]
    assert [broad.category(name) for name in ("New2027-x", "Gifford2022.IT-ridge")] == ["", "neural_vision"]


def test_mean_of_means():
    """V1 counts as one child of neural_vision: (0.2 + mean(0.4, 0.8)) / 2, or with V4 as 0."""
    tree = hierarchy.build_hierarchy(
        ["neural_vision", "V1", "A.V1-pls", "B.V1-pls", "V2", "A.V2-pls", "V4", "A.V4-pls"]
    )
    row = {"A.V1-pls": 0.4, "B.V1-pls": 0.8, "A.V2-pls": 0.2}
    assert tree.mean("neural_vision", row) == pytest.approx(0.4)
    assert tree.mean("neural_vision", row, missing=0.0) == pytest.approx(0.8 / 3)
    assert tree.mean("neural_vision", {}) is None


@pytest.mark.skipif(not LEADERBOARD.exists(), reason="shared/data/brainscore is not here")
def test_means_of_todays_leaderboard_equal_those_of_the_tree():
    """All means below the average agree to three decimals for every model, with a missing score counted as 0."""
    board = leaderboard.read_leaderboard(LEADERBOARD.read_bytes())
    tree = hierarchy.build_hierarchy(board.columns)
    means = [name for name in board.columns if name in tree.children and name != "average_vision"]
    assert len(means) == 23
    for name in means:
        for row in board.rows.values():
            if name in row:
                children = [row.get(child, 0.0) for child in tree.children[name]]
                assert row[name] == pytest.approx(sum(children) / len(children), abs=0.0015), name
