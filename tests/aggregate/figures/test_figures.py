"""Figures: the numbers and labels they show, the cases they leave out, and their size on a page."""

import io
import math
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from aggregate.figures import (
    breakage,
    comparison,
    coverage,
    curves,
    examples,
    gallery,
    heatmap,
    importance,
    partial,
    robustness,
    shortening,
    split,
    style,
    top_benchmarks,
    tsne,
)
from aggregate.formatting import format_budget
from aggregate.scores.scores import ScoreColumn, Scores

PAGE_HEIGHT = 9.6
"""Height of the text of a journal page, in inches."""


@pytest.fixture
def axes():
    with style.apply_style():
        yield Figure(figsize=(5, 5)).subplots()


def _list_texts(axes):
    return [text.get_text() for text in axes.findobj(Text) if text.get_text()]


def _correlations(r, **more):
    """Return rows of correlations.csv, one per benchmark, at one budget."""
    count = len(r)
    frame = pd.DataFrame({
        "attack": "aa", "norm": "Linf", "eps": "1/255", "eps_value": 1 / 255, "level": "benchmark",
        "score": [f"b{at:03}" for at in range(count)], "category": "neural_vision", "n": 9,
        "spearman_r": r, "spearman_low": np.array(r) - 0.1, "spearman_high": np.array(r) + 0.1,
        "spearman_p": 0.01, "spearman_q": 0.01, "partial_r": r, "partial_p": 0.5, "partial_q": 0.5, "note": "",
    })  # fmt: skip
    return frame.assign(**more)


def test_every_figure_fits_a_page_and_no_text_leaves_it(paper_inputs):
    """At the size of the paper's study: no wider than the text, no taller than a page, no text cut off."""
    drawings = paper_inputs.drawings
    assert {drawing.kind for drawing in drawings} == set(gallery.KINDS) - {importance.KIND, examples.KIND}
    for drawing in drawings:
        figure = _draw_figure(drawing)
        width, height = figure.get_size_inches()
        assert width <= style.PAGE + 0.03, drawing.name
        assert height <= PAGE_HEIGHT, drawing.name
        for axes in figure.axes:
            box = axes.get_tightbbox()
            spare = (box.x0, box.y0, figure.bbox.x1 - box.x1, figure.bbox.y1 - box.y1)
            assert min(spare) >= -1, f"{drawing.name}: space at left, bottom, right and top in dots: {spare}"


def _draw_figure(drawing):
    """Return the matplotlib figure of a drawing."""
    kept = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda figure, *_, **__: kept.append(figure))
        drawing.files()
    with style.apply_style():
        kept[0].draw_without_rendering()
    return kept[0]


def test_files_are_reproducible_and_fit_for_print(paper_inputs):
    drawing = next(d for d in paper_inputs.drawings if d.kind is coverage.KIND)
    files = drawing.files()
    assert files == drawing.files()
    assert set(files) == {"coverage.pdf", "coverage.png"}
    assert b"/Type0" in files["coverage.pdf"], "TrueType fonts, as journals require"
    assert b"/Type3" not in files["coverage.pdf"]
    dots = Image.open(io.BytesIO(files["coverage.png"])).info["dpi"]
    assert dots == pytest.approx((300, 300), abs=1)


def test_svg_of_each_panel_is_small(paper_inputs):
    """With 144 models and two attacks, the SVG of a panel is below 160 kB."""
    for drawing in paper_inputs.drawings:
        for at, panel in enumerate(drawing.panels):
            assert len(drawing.svg(panel, f"x{at}-")) < 160_000, panel.title


def test_the_heatmap_sorts_benchmarks_and_marks_significance(axes):
    table = _correlations([0.25, float("nan"), -0.004, -0.91], spearman_q=[0.01, float("nan"), 0.5, 0.05])
    heatmap.draw_panel(table, heatmap.group_by_source(heatmap.rank_benchmarks(table)), axes)
    texts = _list_texts(axes)
    assert [text for text in texts if text.startswith("b0")] == ["b000", "b002", "b003", "b001"]
    assert {".25", ".00", "−.91", "–", "1/255"} <= set(texts)
    bold = [text.get_text() for text in axes.findobj(Text) if text.get_weight() == "bold" and text.get_text()]
    assert bold == [".25"], "q below 0.05, not at it"


def test_the_heatmap_groups_benchmarks_by_source():
    """Names leave out the source of their heading; single benchmarks are last; a divided group repeats it."""
    ranked = ["Marques2020_a-max_dc", "Hebart2023-match", "Marques2020_b-max_dc", "ImageNet-top1"]
    rows = heatmap.group_by_source(ranked)
    expected = ["Marques2020", "a-max_dc", "b-max_dc", "other sources", "Hebart2023-match", "ImageNet-top1"]
    assert [row.label for row in rows] == expected
    assert [row.benchmark for row in rows if row.benchmark] == [ranked[at] for at in (0, 2, 1, 3)]
    many = heatmap.group_by_source([f"Geirhos2021{at:03}-top1" for at in range(100)])
    first, second = heatmap.split_rows(many)
    assert (first[0].label, second[0].label) == ("Geirhos2021", "Geirhos2021, continued")
    assert [row.benchmark for row in (*first, *second) if row.benchmark] == [row.benchmark for row in many[1:]]


def test_labels_of_different_names_differ():
    """Names that differ only in the middle keep their difference."""
    names = [f"Marques2020_{'x' * 30}{at}{'y' * 30}-ratio" for at in range(12)]
    labels = shortening.shorten_all(names, 20)
    assert len(set(labels)) == 12
    assert shortening.shorten_all(["same", "same"]) == ["same", "same"]


def test_the_heatmap_has_one_drawing_per_attack_with_clean_as_first_column():
    clean = _correlations([0.1, 0.2], attack="clean", eps="0", eps_value=0.0)
    drawings = list(
        heatmap.make_drawings(
            pd.concat([clean, _correlations([0.1, 0.2]), _correlations([0.3, 0.4], attack="other")])
        )
    )
    assert [d.name for d in drawings] == ["benchmark-heatmap--aa", "benchmark-heatmap--other"]
    assert "from 0.10 (b000, clean) to 0.40 (b001, eps 1/255)" in drawings[1].panels[0].summary
    assert list(heatmap.make_drawings(_correlations([float("nan")]))) == []


def test_top_benchmarks_are_the_ten_highest_and_ten_lowest(axes):
    shown = top_benchmarks.select_highest_and_lowest(_correlations(np.linspace(-0.9, 0.9, 25)))
    assert list(shown["score"]) == [f"b{at:03}" for at in [*range(24, 14, -1), *range(9, -1, -1)]]
    top_benchmarks.draw_panel(_correlations([0.5, -0.5]), axes, style.category_styles(["neural_vision"]))
    assert {"b000", "b001", "neural"} <= set(_list_texts(axes))
    assert list(top_benchmarks.make_drawings(_correlations([0.5]))) == [], (
        "one benchmark has no highest and lowest"
    )


def test_curves_begin_at_clean_accuracy_and_name_selected_models(axes):
    accuracy = {f"m{at}": (0.9 - 0.01 * at, 0.8 - 0.05 * at, 0.7 - 0.05 * at) for at in range(12)}
    accuracy["sharp"] = (0.99, 0.5, 0.4)
    table = pd.DataFrame([
        {"model": name, "clean_accuracy": clean, "attack": "aa", "norm": "Linf", "eps": eps, "eps_value": value,
         "robust_accuracy": robust, "method": "autoattack"}
        for name, (clean, *at_eps) in accuracy.items()
        for (eps, value), robust in zip([("1/255", 1 / 255), ("2/255", 2 / 255)], at_eps, strict=True)
    ])  # fmt: skip
    assert curves.select_named_models(table) == ["m0", "m1", "m2", "m3", "sharp", "m11"]
    curves.draw_panel(table, axes)
    lines = {tuple(np.round(line.get_ydata(), 3)) for line in axes.get_lines() if len(line.get_xdata()) == 3}
    assert (0.99, 0.5, 0.4) in lines
    assert {"clean", "1/255", "2/255", "sharp", "m11", "eps (Linf)"} <= set(_list_texts(axes))


def test_tsne_needs_enough_models_and_is_reproducible():
    rng = np.random.default_rng(0)
    columns = tuple(ScoreColumn(f"b{at}", "benchmark", "neural_vision") for at in range(6))
    rows = {f"m{m}": {c.name: float(v) for c, v in zip(columns, rng.random(6), strict=True)} for m in range(14)}
    few = Scores(columns, {name: rows[name] for name in list(rows)[: tsne.FEWEST - 1]})
    assert tsne.embed_models(few, list(rows)) is None
    del rows["m3"]["b2"]
    rows["gaps"] = {"b0": 0.1}
    embedding = tsne.embed_models(Scores(columns, rows), list(rows))
    again = tsne.embed_models(Scores(columns, rows), list(rows))
    assert embedding.coordinates.equals(again.coordinates)
    assert list(embedding.coordinates.index) == [f"m{m}" for m in range(14)], "a model with few scores is left out"
    assert embedding.imputed == pytest.approx(1 / (14 * 6))
    assert tsne.embed_models(Scores(columns, {name: {"b0": 1.0, "b1": 2.0} for name in rows}), list(rows)) is None


@pytest.mark.parametrize(("models", "apart"), [(144, True), (1000, False)])
def test_gaps_of_coverage_are_at_least_one_pixel_or_absent(axes, models, apart):
    """A narrower gap would be drawn for some pairs only and look like a missing pair."""
    pairs = pd.DataFrame({"model": [f"m{at}" for at in range(models)], "attack": "aa", "state": "ok"})
    coverage.draw_panel(pairs, axes)
    (boxes,) = axes.collections[-1:]
    first, second = (path.vertices[:, 0] for path in boxes.get_paths()[:2])
    assert (second.min() - first.max() > 0.1) == apart
    assert second.min() - first.max() > -1e-9


def test_coverage_counts_planned_pairs_by_state(axes):
    pairs = pd.DataFrame(
        [("a", "x", "ok"), ("b", "x", "failed"), ("a", "y", "ok"), ("b", "y", "missing"), ("c", "y", "stale")],
        columns=["model", "attack", "state"],
    )
    coverage.draw_panel(pairs[pairs["state"] != "stale"], axes)
    assert {"ok (2)", "failed (1)", "missing (1)", "1 of 2"} <= set(_list_texts(axes))
    (drawing,) = coverage.make_drawings(pairs)
    assert drawing.panels[0].summary.startswith("2 of 4 pairs of 2 models and 2 attacks are ok")


def test_verdicts_add_up_to_all_images(paper_inputs):
    table = paper_inputs.table
    parts = breakage.count_verdicts(table)
    assert np.array_equal(sum(parts.values()), table["images"].to_numpy(dtype=float))
    corrupted = table.head(1).assign(robust=7, mended=2, clean_correct=6, images=10, broken_by_corruption=1)
    found = breakage.count_verdicts(corrupted)
    assert (found["robust"][0], found["right only when corrupted"][0], found["wrong when clean"][0]) == (5, 2, 2)


def test_pairwise_comparison_is_antisymmetric(axes):
    table = pd.DataFrame({
        "model_a": ["a", "a", "b"], "model_b": ["b", "c", "c"], "only_a": [9, 0, 4], "only_b": [0, 9, 4],
        "q": [0.01, 0.01, 0.9], "eps": "1/255", "eps_value": 1 / 255, "attack": "aa", "norm": "Linf",
    })  # fmt: skip
    result = comparison.compare_pairwise(table)
    assert list(result.index) == ["c", "a", "b"]
    assert result.loc["a", "b"] == 1
    assert result.loc["b", "a"] == -1
    assert result.loc["b", "c"] == 0
    assert math.isnan(result.loc["a", "a"])
    comparison.draw_panel(table, axes)
    (drawing,) = comparison.make_drawings(table)
    assert "2 of 3 pairs of models differ" in drawing.panels[0].summary


def test_importance_and_partial_correlation_leave_out_missing_numbers(axes):
    table = pd.DataFrame({
        "attack": "aa", "norm": "Linf", "eps": "1/255", "eps_value": 1 / 255, "category": "neural_vision",
        "benchmark": ["small", "large"], "importance": [0.01, 0.2], "low": [0.0, 0.1], "high": [0.1, 0.3],
    })  # fmt: skip
    importance.draw_panel(table, axes, style.category_styles(["neural_vision"]))
    assert [text for text in _list_texts(axes) if text in {"small", "large"}] == ["large", "small"]
    assert [d.name for d in importance.make_drawings(table)] == ["importance"]
    assert list(importance.make_drawings(table.iloc[:0])) == []
    assert list(partial.make_drawings(_correlations([0.5], partial_r=float("nan")))) == []
    assert "Correlations of 1 benchmarks" in next(partial.make_drawings(_correlations([0.5]))).panels[0].summary


def test_attacks_with_equal_slugs_have_different_files():
    table = pd.DataFrame({"attack": ["a b", "a-b", "c"]})
    assert [part.file_name for part in split.split_by_attack(table, "x")] == ["x--a-b", "x--a-b-2", "x--c"]
    assert [part.file_name for part in split.split_by_attack(table.tail(1), "x")] == ["x"]


@pytest.mark.parametrize(
    ("eps", "method", "label"),
    [("1/255", "autoattack", "eps 1/255"), ("severity 3", "corruption", "severity 3"), ("0", "clean", "clean")],
)
def test_labels_of_budgets(eps, method, label):
    assert format_budget(eps, method) == label


@pytest.mark.parametrize(
    ("count", "step", "last"), [(144, 20, 140), (1000, 50, 1000), (9999, 500, 9500), (30_000, 30_000, 30_000)]
)
def test_an_index_axis_has_at_most_25_ticks(axes, count, step, last):
    style.set_index_axis(axes, count)
    numbers = [int(label.get_text()) for label in axes.get_xticklabels()]
    assert (numbers[0], numbers[-1]) == (step, last)
    assert list(axes.get_xticks()) == [number - 1 for number in numbers]


def test_labels_that_would_be_equal_keep_more_of_the_beginning():
    names = ["Author2021-with-a-long-name-first_metric", "Author2021-with-a-long-name-other_metric", "short"]
    labels = shortening.shorten_all([f"{name}-error_consistency" for name in names], 34)
    assert len(set(labels)) == 3
    assert all(len(label) <= 34 for label in labels)
    assert shortening.shorten("\x1b[31m$x^2$\n") == "�[31m$x^2$�"


def test_models_with_equal_accuracy_are_sorted_by_name():
    table = pd.DataFrame({"model": ["b", "a", "c"], "robust_accuracy": [0.5, 0.5, 0.9]})
    assert robustness.rank_models(table) == ["c", "a", "b"]


def test_colours_of_svg_are_css_variables(paper_inputs):
    """Light and dark pages set different values."""
    drawing = next(d for d in paper_inputs.drawings if d.kind is coverage.KIND)
    svg = drawing.svg(drawing.panels[0], "p-")
    assert f"var(--ink, {style.INK})" in svg
    assert not re.search(r"(?<!, )" + re.escape(style.INK), svg)
    assert 'role="img"' in svg
