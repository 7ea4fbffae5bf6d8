"""The answer of a report: are more human-like models more robust? One verdict per attack and what it rests on.

A relation is claimed only by the rule of `adjusted_correlations.claims`; docs/validation.md gives its error rate.
"""

from dataclasses import dataclass

import pandas as pd

from aggregate.formatting import NO_BREAK, format_budget, format_decimal, format_p, format_percent, join_list
from aggregate.scores.labels import score_label
from aggregate.statistics.adjusted_correlations import ALL, COMPLETE, GIVEN_CLEAN, GIVEN_COVERAGE, claims
from aggregate.statistics.clean_accuracy import MEASURED
from aggregate.statistics.primary import choose_budget, choose_score
from aggregate.statistics.tables import Tables

_NAMED = 3


@dataclass(frozen=True)
class Answer:
    """The answer under one attack.

    Attributes:
        attack: The attack.
        verdict: The answer in one sentence.
        numbers: The numbers that carry it, at most three sentences.
        basis: What they rest on.
    """

    attack: str
    verdict: str
    numbers: tuple[str, ...] = ()
    basis: str = ""


def answer_question(table: pd.DataFrame, statistics: Tables) -> list[Answer]:
    """Return the answer under each attack that has scores.

    Args:
        table: Rows of table.csv.
        statistics: All tables of statistics.
    """
    found = []
    for attack, part in statistics.adjusted.groupby("attack", sort=False):
        rows = table[(table["attack"] == attack) & (table["method"] != "clean")]
        if rows.empty:
            continue
        eps = choose_budget(rows, statistics.sampling)
        found.append(_answer(str(attack), eps, part[part["eps"] == eps], statistics))
    return found


def _answer(attack: str, eps: str, part: pd.DataFrame, statistics: Tables) -> Answer:
    at = format_budget(eps).replace(" ", NO_BREAK)
    given = part[(part["given"] == GIVEN_CLEAN) & (part["models"] == ALL)]
    score = choose_score(part)
    if score is None:
        return Answer(attack, "The scores have no average or category, so the question has no single answer.")
    row = given[given["score"] == score].iloc[0]
    plain = part[(part["given"] == "") & (part["score"] == score)].iloc[0]
    unadjusted = f"Without the adjustment for clean accuracy, at {at}: {_estimate(plain)}."
    if pd.isna(row["p"]):
        verdict = f"This study cannot answer whether more human-like models are more robust: {row['note']}."
        return Answer(attack, verdict, (unadjusted,) if pd.notna(plain["low"]) else ())
    claimed = claims(part)
    numbers = (
        f"Correlation of {score_label(score)} with robust accuracy at {at} among models of equal clean accuracy: "
        f"{_estimate(row)}, {_p('p', row['p'])} (jackknife over families, Student’s t), "
        f"{_p('family-wise p', row['p_familywise'])} (wild bootstrap over families).",
        f"{unadjusted}{_coverage(part[part['score'] == score])}",
        *_added(statistics.added, attack, eps),
    )
    return Answer(attack, _verdict(row, at, claimed, score), numbers, _basis(row, attack, eps, statistics))


def _verdict(row: pd.Series, at: str, claimed: pd.DataFrame, score: str) -> str:
    names = set(claimed["score"])
    others = [score_label(name) for name in claimed["score"] if name != score]
    more = ""
    if others:
        shown = join_list(others[:_NAMED]) if len(others) <= _NAMED else f"{len(others)} scores"
        more = f" Related given clean accuracy: {shown}."
    if score in names:
        word = "more" if row["r"] > 0 else "less"
        return f"At {at}, more human-like models are {word} robust than others of the same clean accuracy.{more}"
    excluded = ""
    if pd.notna(row["high"]):
        limit = max(abs(row["low"]), abs(row["high"]))
        excluded = f" A correlation beyond ±{format_decimal(limit)} is excluded."
    return (
        f"At {at}, this study does not show that more human-like models are more or less robust than others of "
        f"the same clean accuracy.{excluded}{more}"
    )


def _estimate(row: pd.Series) -> str:
    if pd.isna(row["low"]):
        return f"none ({row['note']})"
    return (
        f"r{NO_BREAK}={NO_BREAK}{format_decimal(row['r'])}, 95 % interval {format_decimal(row['low'])} to "
        f"{format_decimal(row['high'])}"
    )


def _p(name: str, value: float) -> str:
    text = format_p(value)
    return f"{name}{NO_BREAK}{text if text.startswith('<') else f'={NO_BREAK}{text}'}"


def _coverage(rows: pd.DataFrame) -> str:
    """Return the correlation given coverage and among complete cases; empty if every model has all scores."""
    text = ""
    for _, row in rows.iterrows():
        if row["models"] == ALL and row["given"] == GIVEN_COVERAGE and row["coverage"] < 1:
            text += f" Given clean accuracy and the share of benchmarks with a score: {_estimate(row)}."
        elif row["models"] == COMPLETE and len(set(rows["n"])) > 1 and pd.notna(row["low"]):
            text += f" Among the {row['n']} models with 90 % of the scores: {_estimate(row)}."
    return text


def _added(added: pd.DataFrame, attack: str, eps: str) -> tuple[str, ...]:
    rows = added[(added["attack"] == attack) & (added["eps"] == eps) & added["added"].notna()]
    if rows.empty:
        return ()
    row = rows.iloc[0]
    low, high, alone = (format_decimal(row[name]) for name in ("low", "high", "r2_clean"))
    return (
        f"The {row['benchmarks']} neural and behavioural benchmarks change the R² of predictions for held-out "
        f"families by {format_decimal(row['added'])} beyond clean accuracy (95 % interval {low} to {high}; R² of "
        f"clean accuracy alone {alone}).",
    )


def _clean_source(source: str) -> str:
    """Return a sentence about the clean accuracies that the correlation is adjusted for."""
    if source == MEASURED:
        return "Clean accuracy is measured on the study’s images, and its sampling error is subtracted."
    return f"Clean accuracy is {source}."


def _basis(row: pd.Series, attack: str, eps: str, statistics: Tables) -> str:
    text = (
        f"Based on {row['n']} models of {row['families']} architecture families, which count as "
        f"{row['effective_models']:.0f} independent models. {_clean_source(row['clean'])}"
    )
    sampling = statistics.sampling
    share = sampling[(sampling["attack"] == attack) & (sampling["eps"] == eps)]["share"]
    if share.notna().any():
        text += f" The sample of images causes {format_percent(share.iloc[0])} of the variance between models."
    summary = statistics.specification_summary
    rows = summary[(summary["attack"] == attack) & summary["p"].notna()]
    if not rows.empty:
        one = rows.iloc[0]
        text += (
            f" Of {one['specifications']} analyses, {format_percent(one['same_sign'])} agree in sign "
            f"and {format_percent(one['excluding_0'])} have an interval without 0 (joint {_p('p', one['p'])})."
        )
    return text
