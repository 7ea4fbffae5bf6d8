"""LaTeX tables: names are escaped, numbers have fixed digits, and pdflatex compiles every table."""

import re
import shutil
import subprocess

import pytest

from aggregate.report import latex, paper_tables
from aggregate.report.latex import RowGroup

HOSTILE = r"\input{/etc/passwd} 100% & $x_1^2$ #1 ~a~ <b> |c| \"d\" `e` -- [f] *g*"
DOCUMENT = r"""\documentclass{article}
\usepackage{array,booktabs,longtable}
\begin{document}
%s
\end{document}
"""


def test_special_characters_are_escaped():
    assert latex.escape("a_b & 50% #1 {x}$") == r"a\_b \& 50\% \#1 \{x\}\$"
    assert latex.escape("\\") == r"\textbackslash{}"
    assert latex.escape("a--b\x07") == "a-{}-{}b "
    assert latex.escape("[1]") == "{[}1{]}", "after \\\\ a bracket would start an optional argument"


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "0.50"), (-0.125, "$-$0.12"), (-0.001, "0.00"), (None, "--"), (float("nan"), "--")]
)
def test_numbers_have_fixed_digits_and_a_math_minus(value, text):
    assert latex.format_number(value) == text


def test_p_values_shares_and_intervals():
    assert [latex.format_p(p) for p in (0.0004, 0.04, None)] == ["$<$0.001", "0.040", "--"]
    assert [latex.format_percent(share) for share in (0.625, None)] == ["62.5", "--"]
    assert latex.format_interval(-0.1, 0.5) == "[$-$0.10, 0.50]"
    assert latex.format_interval(None, 0.5) == ""


def test_a_table_has_booktabs_rules_and_its_groups():
    text = latex.format_table(
        "Caption", "tab:x", "lr", ["a", "b"], [RowGroup("g_1", (("x", "1"),)), RowGroup("", (("y", "2"),))]
    )
    assert text.count(r"\toprule") == text.count(r"\midrule") == 2, (
        "once for the first page and once for the others"
    )
    assert r"\multicolumn{2}{@{}l}{\textit{g\_1}} \\*" in text
    assert text.index(r"x & 1 \\") < text.index(r"\addlinespace") < text.index(r"y & 2 \\")


def test_names_break_after_separators_and_in_long_words():
    assert latex.format_name("a_b.c") == r"a\_\allowbreak{}b.\allowbreak{}c"
    assert latex.format_name("x" * 30) == "x" * 12 + r"\allowbreak{}" + "x" * 12 + r"\allowbreak{}" + "x" * 6


def test_widths_are_those_of_computer_modern():
    """Of cmr8: a digit has 4.25 pt, a period 2.36 pt, a minus sign of cmsy8 6.61 pt."""
    assert latex.measure("0.50") == pytest.approx(3 * 4.25 + 2.36, abs=0.05)
    assert latex.measure("$-$0.50") == pytest.approx(3 * 4.25 + 2.36 + 6.61, abs=0.05)
    assert latex.measure(latex.stack("1", "1234")) == pytest.approx(4 * 4.25, abs=0.05)


def test_text_columns_share_what_numbers_leave():
    """A narrow text column keeps its width, the wide one gets the rest of 345 pt and is wrapped."""
    spec = latex.fit_columns("lrl", [("ab", "1" * 40, "x" * 100)])
    width = float(re.fullmatch(r"lr>\{\\raggedright\\arraybackslash\}p\{(.+)pt\}", spec)[1])
    total = latex.measure("ab") + latex.measure("1" * 40) + width + 2 * latex.GAP
    assert total == pytest.approx(latex.TEXT_WIDTH, abs=4.1)
    assert latex.fit_columns("lr", [("ab", "1")]) == "lr"


def test_tables_are_complete_and_reproducible(paper_inputs):
    files = paper_tables.format_tables(paper_inputs.table, paper_inputs.statistics)
    assert files == paper_tables.format_tables(paper_inputs.table, paper_inputs.statistics)
    assert set(files) == {f"{name}.tex" for name in set(paper_tables.NAMES) - {"importance", "prediction"}}
    accuracy = files["robust-accuracy.tex"].decode()
    first = paper_inputs.table.iloc[0]
    clean = latex.format_percent(first["clean_accuracy"])
    assert f"\n{latex.format_name(first['model'])} & 200 & {clean} & " in accuracy
    benchmarks = files["benchmarks.tex"].decode()
    assert benchmarks.count(r" \\" + "\n") > 105 * 6
    assert "nan" not in benchmarks.lower().replace("finance", "")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not on PATH")
def test_pdflatex_compiles_every_table_in_345_pt(paper_inputs, tmp_path):
    hostile = paper_inputs.table.replace({"model": {paper_inputs.table["model"].iloc[0]: HOSTILE}})
    files = paper_tables.format_tables(hostile, paper_inputs.statistics)
    text = "".join(part.decode() for part in files.values())
    (tmp_path / "all.tex").write_text(DOCUMENT % text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    too_wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)", done.stdout)]
    assert max(too_wide, default=0) < 0.5, done.stdout[-2000:]
