"""A paper's tables: the frames of the analysis as LaTeX, one file a table, for `\\input`."""

import pandas as pd

from aggregate.report import table_rows
from aggregate.report.latex import NO_NUMBER, Group, chance, escaped, interval, number, percent, table
from aggregate.scores.labels import score_label
from aggregate.statistics.tables import Tables

NAMES = ("robust-accuracy", "correlations", "benchmarks", "regressions", "families", "prediction", "importance")
"""Of every table there can be: what an earlier analysis wrote and this one does not is removed."""


def files(frame: pd.DataFrame, statistics: Tables) -> dict[str, bytes]:
    """Every table by its file name; one without any row is left out."""
    links = statistics.correlations
    found = {
        "robust-accuracy": _accuracy(frame) if not frame.empty else "",
        "correlations": _correlations(links[links["level"] != "benchmark"], "the average and the categories"),
        "benchmarks": _correlations(links[links["level"] == "benchmark"], "each benchmark"),
        "regressions": _regressions(statistics.regressions),
        "families": _families(statistics.families, links),
        "prediction": _prediction(statistics.prediction),
        "importance": _importance(statistics.importance),
    }
    return {f"{name}.tex": text.encode() for name, text in found.items() if text}


def _name(score: str) -> str:
    return escaped(score_label(score))


def _accuracy(frame: pd.DataFrame) -> str:
    attacked = frame[frame["method"] != "clean"]
    budgets = attacked.drop_duplicates(["attack", "eps"])[["attack", "eps"]].itertuples(index=False)
    columns = [(attack, eps) for attack, eps in budgets]
    cells = {(row.model, row.attack, row.eps): percent(row.robust_accuracy) for row in attacked.itertuples()}
    clean = frame.drop_duplicates("model").set_index("model")
    rows = tuple(
        (escaped(model), str(row["images"]), percent(row["clean_accuracy"]),
         *(cells.get((model, *column), NO_NUMBER) for column in columns))
        for model, row in clean.iterrows()
    )  # fmt: skip
    several = len({attack for attack, _ in columns}) > 1
    names = [escaped(f"{attack} {eps}" if several else eps) for attack, eps in columns]
    caption = "Clean and robust accuracy in per cent at each budget, of all images."
    headings = ["Model", "images", "clean", *names]
    return table(caption, "tab:robust-accuracy", "l" + "r" * (len(headings) - 1), headings, [Group("", rows)])


def _correlations(links: pd.DataFrame, what: str) -> str:
    if links.empty:
        return ""
    groups = [
        Group(heading, tuple(
            (_name(row.score), str(row.n), number(row.spearman_r), interval(row.spearman_low, row.spearman_high),
             chance(row.spearman_p), chance(row.spearman_q), number(row.partial_r), chance(row.partial_q),
             number(row.pearson_r), chance(row.pearson_q))
            for row in rows
        ))
        for heading, rows in table_rows.by_budget(links)
    ]  # fmt: skip
    caption = (
        f"Correlations of {what} with robust accuracy over models: Spearman's $r$ with its bootstrap interval "
        r"(95\,\%), $p$ and $q$ (Benjamini, Hochberg), the rank correlation given clean accuracy, Pearson's $r$."
    )
    headings = ["Score", "$n$", "$r_s$", r"95\,\%", "$p$", "$q$", "$r_s$ given clean", "$q$", "$r$", "$q$"]
    label = "tab:benchmarks" if what.startswith("each") else "tab:correlations"
    return table(caption, label, "lr" + "r" * 8, headings, groups)


def _regressions(frame: pd.DataFrame) -> str:
    if frame.empty:
        return ""
    groups = [
        Group(heading, tuple(
            (_name(row.score), str(row.n), number(row.slope), interval(row.slope_low, row.slope_high),
             number(row.r2), chance(row.f_p), number(row.slope_given_clean),
             interval(row.slope_given_clean_low, row.slope_given_clean_high), chance(row.slope_given_clean_p),
             number(row.r2_of_clean_alone), number(row.r2_with_clean))
            for row in rows
        ))
        for heading, rows in table_rows.by_budget(frame)
    ]  # fmt: skip
    caption = (
        r"Robust accuracy (a share) on each score by least squares, alone and beside clean accuracy: slopes with "
        r"95\,\% intervals, $R^2$ and the F-test's $p$."
    )
    headings = ["Score", "$n$", "slope", r"95\,\%", "$R^2$", "$p$", "slope given clean", r"95\,\%", "$p$",
                "$R^2$ clean", "$R^2$ both"]  # fmt: skip
    return table(caption, "tab:regressions", "lr" + "r" * 9, headings, groups)


def _families(frame: pd.DataFrame, links: pd.DataFrame) -> str:
    rows = tuple(
        (escaped(row.budget), escaped(row.score), str(row.n), number(row.spearman_r), number(row.lowest),
         escaped(row.without_lowest), number(row.highest), escaped(row.without_highest))
        for row in table_rows.families(frame, links)
    )  # fmt: skip
    if not rows:
        return ""
    caption = "Spearman's $r$ as one family of architectures is left out: its lowest and highest value."
    headings = ["Budget", "Score", "$n$", "$r_s$", "lowest", "without", "highest", "without"]
    return table(caption, "tab:families", "llrrrlrl", headings, [Group("", rows)])


def _prediction(frame: pd.DataFrame) -> str:
    rows = tuple(
        (escaped(heading), str(row.n), str(row.benchmarks), number(row.r2_cv), number(row.r2_cv_of_clean_alone),
         number(row.r2_cv_with_clean), number(row.r2_cv_new_families))
        for heading, part in table_rows.by_budget(frame)
        for row in part
    )  # fmt: skip
    if not rows:
        return ""
    caption = "Cross-validated $R^2$ of predictions of robust accuracy for models that were held out."
    headings = ["Budget", "$n$", "benchmarks", "benchmarks' $R^2$", "clean alone", "both", "new families"]
    return table(caption, "tab:prediction", "lrrrrrr", headings, [Group("", rows)])


def _importance(frame: pd.DataFrame) -> str:
    groups = [
        Group(heading, tuple(
            (escaped(row.benchmark), _name(row.category), number(row.importance, 3),
             interval(row.low, row.high, 3))
            for row in rows
        ))
        for heading, rows in table_rows.importance(frame)
    ]  # fmt: skip
    if not groups:
        return ""
    caption = (
        "The benchmarks that the prediction leans on most: $R^2$ lost when a benchmark's scores are shuffled."
    )
    return table(caption, "tab:importance", "llrr", ["Benchmark", "Category", "$R^2$ lost", r"95\,\%"], groups)
