"""Tests of published accuracies: four layouts, and all errors of a file."""

import pytest

from aggregate.collect import table
from aggregate.published import accuracies
from alignsec.errors import ConfigErrors

LONG = (
    "Model Name,Epsilon,Threat Model,Top-1 Subset Clean Accuracy,Top-5 Subset Clean Accuracy,"
    "Top-1 Accuracy,Top-5 Accuracy\n"
    "a,0.00392156862745098,Linf,80,95,40.5,70\na,0.001,Linf,80,95,60,85\nb,0.001,Linf,70,90,0.5,20\n"
)
WIDE = (
    "Model Name,Top-1 Accuracy Linf 0.001,Top-1 Accuracy Linf 0.00392,Top-5 Accuracy Linf 0.001\n"
    "a,60,40.5,85\nb,0.5,,20\n"
)
TIDY = (
    "model,attack,norm,eps,robust_accuracy,clean_accuracy,images\n"
    "a,AutoAttack Linf,Linf,0.001,0.6,0.8,200\na,AutoAttack Linf,Linf,1/255,0.405,0.8,200\n"
    "b,AutoAttack Linf,Linf,0.001,0.005,0.7,\n"
)
ROBUSTBENCH = "id,name,arch,eps,clean,aa\nA2024,A paper’s title,Swin-L,4/255,78.80,62.12\n"


def _read(tmp_path, text, images=None, name="accuracies.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return accuracies.read_accuracies(path, images)


def _cells(found, attack="AutoAttack Linf"):
    rows = found.table[found.table["attack"] == attack]
    return list(zip(rows["model"], rows["eps"], rows["robust_accuracy"].round(6), strict=True))


@pytest.mark.parametrize("text", [LONG, WIDE, TIDY])
def test_three_layouts_give_the_same_table(tmp_path, text):
    """0.00392 is a rounded 1/255; blank cells are left out; per cent and shares are distinguished."""
    found = _read(tmp_path, text)
    assert _cells(found) == [("a", "0.001", 0.6), ("a", "1/255", 0.405), ("b", "0.001", 0.005)]
    assert found.table["eps_value"].max() == 1 / 255


def test_top5_is_a_separate_attack_with_its_own_clean_accuracy(tmp_path):
    found = _read(tmp_path, LONG)
    rows = found.table[found.table["attack"] == "AutoAttack Linf top-5"]
    assert rows["clean_accuracy"].tolist() == [0.95, 0.95, 0.90]
    assert rows["robust_accuracy"].tolist() == [0.85, 0.70, 0.20]


def test_layout_of_robustbench(tmp_path):
    found = _read(tmp_path, ROBUSTBENCH, name="imagenet_linf.csv")
    (row,) = found.table.itertuples()
    assert (row.model, row.attack, row.norm, row.eps) == ("A2024", "AutoAttack", "Linf", "4/255")
    assert (row.clean_accuracy, row.robust_accuracy) == pytest.approx((0.788, 0.6212))
    assert found.architectures == {"A2024": "Swin-L"}


def test_intervals_need_numbers_of_images(tmp_path):
    found = _read(tmp_path, TIDY)
    counted = found.table.dropna(subset=["images"])
    assert counted["robust"].tolist() == [120, 81]
    assert (counted["robust_low"].iloc[1], counted["robust_high"].iloc[1]) == table.exact_interval(81, 200)
    rest = found.table[found.table["images"].isna()]
    assert rest[["robust", "robust_low", "clean_high"]].isna().all().all()
    assert any("unknown for 1 of the 3 accuracies" in remark for remark in found.remarks)
    assert _read(tmp_path, WIDE, images=200).table["robust_low"].notna().all()


def test_repeated_rows_count_once(tmp_path):
    found = _read(tmp_path, ROBUSTBENCH + ROBUSTBENCH.splitlines()[1] + "\n")
    assert len(found.table) == 1
    assert any("left out: 1" in remark for remark in found.remarks)


def test_l2_budgets_are_not_rounded(tmp_path):
    found = _read(tmp_path, "model,attack,norm,eps,robust_accuracy\na,x,L2,0.5,0.1\na,x,L2,0.00392,0.2\n")
    assert sorted(found.table["eps"]) == ["0.00392", "0.5"]
    assert any("Clean accuracy is unknown for 1 model," in remark for remark in found.remarks)


def test_all_errors_are_reported_together(tmp_path):
    text = (
        "model,attack,eps,robust_accuracy,clean_accuracy,images\n"
        "a,x,1/255,high,0.9,10\n"
        "b,x,1/0,0.5,190,10\n"
        "c,x,1/255,0.5,0.9,-3\n"
        ",x,1/255,0.5,0.9,10\n"
        "d,x,1/255,0.5,0.9\n"
        "e,x,1/255,0.5,0.9,10\ne,x,1/255,0.6,0.9,10\n"
        "f,x,-1/255,nan,0.9,10\ng,x,-1/255,0.5,0.9,10\n"
    )
    with pytest.raises(ConfigErrors) as caught:
        _read(tmp_path, text)
    lines = [(error.field, error.given) for error in caught.value.errors]
    assert lines == [
        ("line 6", "5 cells"),
        ("line 2, robust_accuracy", '"high"'),
        ("line 3, clean accuracy", '"190"'),
        ("line 3, eps", '"1/0"'),
        ("line 4, images", '"-3"'),
        ("line 5, model", '""'),
        ("line 10, eps", '"-1/255"'),
        ("line 8", '"e"'),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "no column names the model"),
        ("model,accuracy\na,0.5\n", "unknown layout"),
        ("model,attack,eps,robust_accuracy,eps\n", "occurs more than once"),
        ("model,attack,eps,robust_accuracy\na,x,1/255,\n", "has no robust accuracy"),
        ("model,attack,eps,robust_accuracy\n\0", "has no robust accuracy|is not a CSV|cells"),
    ],
)
def test_invalid_files_raise(tmp_path, text, why):
    with pytest.raises(ConfigErrors, match=why):
        _read(tmp_path, text)


def test_many_equal_errors_are_counted(tmp_path):
    text = "model,attack,eps,robust_accuracy\n" + "".join(f"m{at},x,1/255,bad\n" for at in range(100))
    with pytest.raises(ConfigErrors) as caught:
        _read(tmp_path, text)
    assert len(caught.value.errors) == 21
    assert "and 80 more" in str(caught.value)


@pytest.mark.parametrize("eps", ["8.0", "1e99999999", "1e-99999999", "inf", "nan", "9" * 5000, "256/255"])
def test_a_budget_that_is_none_is_refused_at_once(tmp_path, eps):
    with pytest.raises(ConfigErrors, match="eps"):
        _read(tmp_path, f"id,eps,clean,aa\na,{eps},76.1,34.9\n")


@pytest.mark.parametrize("norm", ["l2", "L2", "l_2", "ℓ2", "L-2"])
def test_spellings_of_a_norm_are_one_norm(tmp_path, norm):
    found = _read(tmp_path, f"model,attack,norm,eps,robust_accuracy\na,AA,{norm},0.00784,34\n")
    assert (found.table["norm"].iloc[0], found.table["eps"].iloc[0]) == ("L2", "0.00784")
