"""Tables for papers: the frames of the analysis as LaTeX, one file per table, for `\\input`."""

import re
from collections.abc import Callable

import pandas as pd

from aggregate.report import table_rows
from aggregate.report.latex import (
    GAP,
    NO_NUMBER,
    RowGroup,
    escape,
    format_interval,
    format_name,
    format_number,
    format_p,
    format_percent,
    format_table,
    measure,
    stack,
)
from aggregate.scores.labels import score_label
from aggregate.statistics.tables import Tables
from alignsec.spec.custom import is_custom

_WIDEST = 180.0
"""Width of the budgets in one table of accuracies, in pt; a study with more budgets has several tables."""
_COVERAGE = stack("cov.", r"\%")
_HEADING_LETTERS = 10
"""Length of the lines of an attack's name in a heading, in letters."""


def format_tables(frame: pd.DataFrame, statistics: Tables) -> dict[str, bytes]:
    """Format every table that has rows.

    Args:
        frame: Rows of table.csv.
        statistics: All tables of statistics.

    Returns:
        The contents of each file by file name.
    """
    texts = {name: format_one(frame, statistics) for name, format_one in _TABLES.items()}
    return {f"{name}.tex": text.encode() for name, text in texts.items() if text}


def _format_accuracies(frame: pd.DataFrame) -> str:
    if frame.empty:
        return ""
    attacked = frame[frame["method"] != "clean"]
    budgets = attacked.drop_duplicates(["attack", "eps"])[["attack", "eps"]].itertuples(index=False)
    columns = [(attack, eps) for attack, eps in budgets]
    cells = {
        (row.model, row.attack, row.eps): format_percent(row.robust_accuracy) for row in attacked.itertuples()
    }
    clean = frame.drop_duplicates("model").set_index("model")
    caption = "Clean accuracy, and robust accuracy at each budget, in per cent of all images."
    several = len({attack for attack, _ in columns}) > 1
    custom = set(attacked.loc[attacked["method"].map(is_custom), "attack"])
    labels = {attack: [*_split_name(attack), *(["(custom)"] if attack in custom else [])] for attack, _ in columns}
    # A custom attack is labelled also if it is the only attack.
    names = [stack(*labels[attack], escape(eps)) if several or custom else escape(eps) for attack, eps in columns]
    parts = _split_columns(names)
    texts: list[str] = []
    for part in parts:
        rows = tuple(
            (format_name(model), str(row["images"]), format_percent(row["clean_accuracy"]),
             *(cells.get((model, *columns[at]), NO_NUMBER) for at in part))
            for model, row in clean.iterrows()
        )  # fmt: skip
        headings = ["Model", "images", "clean", *(names[at] for at in part)]
        label = "tab:robust-accuracy" + (f"-{len(texts) + 1}" if len(parts) > 1 else "")
        texts.append(format_table(caption, label, "l" + "r" * (len(headings) - 1), headings, [RowGroup("", rows)]))
    return "".join(texts)


def _split_columns(headings: list[str]) -> list[list[int]]:
    """Return the columns of each table of accuracies, so that no table is too wide; one empty table for none."""
    parts: list[list[int]] = [[]]
    used = 0.0
    for at, heading in enumerate(headings):
        width = max(measure(heading), measure("100.0")) + GAP
        if parts[-1] and used + width > _WIDEST:
            parts.append([])
            used = 0.0
        parts[-1].append(at)
        used += width
    return parts


def _split_name(name: str) -> list[str]:
    """Return the name of an attack in lines of about ten letters."""
    lines = [""]
    for part in re.findall(r"[^-_ ]{1,12}[-_ ]?", name):
        if lines[-1] and len(lines[-1]) + len(part) > _HEADING_LETTERS:
            lines.append("")
        lines[-1] += part
    return [escape(line.rstrip()) for line in lines if line]


def _format_aggregates(correlations: pd.DataFrame) -> str:
    rows = correlations[correlations["level"] != "benchmark"]
    return _format_correlations(rows, "the average and the categories", "tab:correlations")


def _format_benchmarks(correlations: pd.DataFrame) -> str:
    return _format_correlations(
        correlations[correlations["level"] == "benchmark"], "each benchmark", "tab:benchmarks"
    )


def _format_correlations(correlations: pd.DataFrame, scores: str, label: str) -> str:
    if correlations.empty:
        return ""
    groups = [
        RowGroup(heading, tuple(
            (format_name(score_label(row.score)), str(row.n), format_percent(row.coverage),
             stack(format_number(row.spearman_r), format_interval(row.spearman_low, row.spearman_high)),
             format_p(row.spearman_p),
             format_p(row.spearman_q), format_number(row.partial_r), format_p(row.partial_q),
             format_number(row.pearson_r), format_p(row.pearson_q))
            for row in rows
        ))
        for heading, rows in table_rows.group_by_budget(correlations)
    ]  # fmt: skip
    caption = (
        f"Correlations of {scores} with robust accuracy over models: mean coverage of the neural and behavioural "
        r"benchmarks (\%), Spearman's $r$ with bootstrap interval (95\,\%) and $p$ of Spearman's test, partial "
        "rank correlation given clean accuracy ($t$ test), and Pearson's $r$ ($t$ test). Each $q$ is $p$ after "
        "the correction of Benjamini and Hochberg. Models count as independent."
    )
    headings = ["Score", "$n$", _COVERAGE, stack("$r_s$", r"95\,\%"), "$p$", "$q$",
                stack("$r_s$ given", "clean"), "$q$", "$r$", "$q$"]  # fmt: skip
    return format_table(caption, label, "lr" + "r" * 8, headings, groups)


def _format_regressions(frame: pd.DataFrame) -> str:
    if frame.empty:
        return ""
    groups = [
        RowGroup(heading, tuple(
            (format_name(score_label(row.score)), str(row.n), format_percent(row.coverage),
             stack(format_number(row.slope), format_interval(row.slope_low, row.slope_high)),
             format_number(row.r2), format_p(row.f_p),
             stack(format_number(row.slope_given_clean),
                   format_interval(row.slope_given_clean_low, row.slope_given_clean_high)),
             format_p(row.slope_given_clean_p), format_number(row.r2_of_clean_alone),
             format_number(row.r2_with_clean))
            for row in rows
        ))
        for heading, rows in table_rows.group_by_budget(frame)
    ]  # fmt: skip
    caption = (
        r"Least squares of robust accuracy (from 0 to 1) on each score, alone and together with clean accuracy: "
        r"mean coverage of the neural and behavioural benchmarks (\%), slopes with 95\,\% intervals, $R^2$, "
        "$p$ of the $F$ test of the score alone, and $p$ of the $t$ test of the slope given clean accuracy. "
        "Models count as independent."
    )
    headings = ["Score", "$n$", _COVERAGE, stack("slope", r"95\,\%"), "$R^2$", "$p$",
                stack("slope given", r"clean, 95\,\%"), "$p$", stack("$R^2$", "clean"),
                stack("$R^2$", "both")]  # fmt: skip
    return format_table(caption, "tab:regressions", "lr" + "r" * 8, headings, groups)


def _format_families(frame: pd.DataFrame, correlations: pd.DataFrame) -> str:
    rows = tuple(
        (format_name(row.budget), format_name(row.score), str(row.n), format_number(row.spearman_r),
         format_number(row.lowest), format_name(row.without_lowest), format_number(row.highest),
         format_name(row.without_highest))
        for row in table_rows.summarize_families(frame, correlations)
    )  # fmt: skip
    if not rows:
        return ""
    caption = "Lowest and highest Spearman's $r$ when one family of architectures is left out."
    headings = ["Budget", "Score", "$n$", "$r_s$", "lowest", "without", "highest", "without"]
    return format_table(caption, "tab:families", "llrrrlrl", headings, [RowGroup("", rows)])


def _format_prediction(frame: pd.DataFrame) -> str:
    rows = tuple(
        (format_name(heading), str(row.n), str(row.benchmarks), format_number(row.r2_cv),
         format_number(row.r2_cv_of_alignment), format_number(row.r2_cv_of_alignment_with_clean),
         format_number(row.r2_cv_of_clean_alone), format_number(row.r2_cv_with_clean),
         format_number(row.r2_cv_new_families))
        for heading, rows_at_budget in table_rows.group_by_budget(frame)
        for row in rows_at_budget
    )  # fmt: skip
    if not rows:
        return ""
    caption = "Cross-validated $R^2$ of predictions of robust accuracy for held-out models."
    headings = ["Budget", "$n$", stack("bench-", "marks"), stack("$R^2$ of", "all"),
                stack("neural,", "behav."), stack("neural, behav.", "and clean"), "clean",
                stack("all and", "clean"), stack("all, new", "families")]  # fmt: skip
    return format_table(caption, "tab:prediction", "lrrrrrrrr", headings, [RowGroup("", rows)])


def _format_importance(frame: pd.DataFrame) -> str:
    groups = [
        RowGroup(heading, tuple(
            (format_name(row.benchmark), format_name(score_label(row.category)), format_number(row.importance, 3),
             format_interval(row.low, row.high, 3))
            for row in rows
        ))
        for heading, rows in table_rows.select_most_important(frame)
    ]  # fmt: skip
    if not groups:
        return ""
    caption = (
        "Benchmarks with the largest permutation importance: the $R^2$ lost when its scores are shuffled, with "
        r"the middle 95\,\% over folds and shuffles (a spread, not a confidence interval)."
    )
    headings = ["Benchmark", "Category", "$R^2$ lost", "spread"]
    return format_table(caption, "tab:importance", "llrr", headings, groups)


_TABLES: dict[str, Callable[[pd.DataFrame, Tables], str]] = {
    "robust-accuracy": lambda frame, _: _format_accuracies(frame),
    "correlations": lambda _, statistics: _format_aggregates(statistics.correlations),
    "benchmarks": lambda _, statistics: _format_benchmarks(statistics.correlations),
    "regressions": lambda _, statistics: _format_regressions(statistics.regressions),
    "families": lambda _, statistics: _format_families(statistics.families, statistics.correlations),
    "prediction": lambda _, statistics: _format_prediction(statistics.prediction),
    "importance": lambda _, statistics: _format_importance(statistics.importance),
}
NAMES = tuple(_TABLES)
"""Names of all tables. Files of an earlier analysis with these names are removed if the table has no rows now."""
