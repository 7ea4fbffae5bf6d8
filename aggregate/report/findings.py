"""The summary of a report: completeness, results in sentences with their n, and cautions about comparability."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from aggregate.collect import corruptions
from aggregate.collect.tally import Tally
from aggregate.formatting import (
    NO_BREAK,
    format_budget,
    format_count,
    format_decimal,
    format_interval,
    format_p,
    format_percent,
    format_quantity,
    join_list,
)
from aggregate.report.audit_findings import describe_audit, is_estimated
from aggregate.scores.labels import RECOMPUTED, score_label
from aggregate.statistics.tables import Tables
from alignsec.run.plan import Plan
from alignsec.spec.level import find_kind

SIGNIFICANT = 0.05
_NAMED = 3
"""Number of models that a sentence names."""


def describe_completeness(plan: Plan, tally: Tally) -> str:
    """Return a sentence that says how many planned pairs are ok, failed and missing."""
    models = len({pair.model.name for pair in plan})
    attacks = len({pair.attack.series for pair in plan})
    counts = ((models, "model"), (attacks, "attack"), (plan.image_count, "image"))
    size = ", ".join(format_quantity(number, noun) for number, noun in counts)
    planned, states = format_quantity(len(tally.planned), "pair"), tally.states
    if not tally.not_ok:
        return f"Complete: {format_count(states['ok'])} of {planned} ok ({size})."
    not_ok = [f"{format_count(states[state])} {state}" for state in ("failed", "missing") if states[state]]
    if not states["ok"]:
        return f"No results: 0 of {planned} ok, {join_list(not_ok)} ({size})."
    return (
        f"Incomplete: {format_count(states['ok'])} of {planned} ok, {join_list(not_ok)} ({size}). "
        "All results below use only the pairs that are ok."
    )


@dataclass(frozen=True)
class AttackFindings:
    """The results under one attack, in sentences."""

    attack: str
    sentences: tuple[str, ...]


def summarize_attacks(table: pd.DataFrame, statistics: Tables) -> list[AttackFindings]:
    """Summarize the results of each attack.

    Args:
        table: Rows of table.csv.
        statistics: All tables of statistics.

    Returns:
        One entry per attack. The clean attack has an entry only if there is no other attack.
    """
    rows = table[table["robust_accuracy"].notna()]
    attacked = rows[rows["method"] != "clean"]
    found = []
    means = statistics.corruptions
    for attack, part in (rows if attacked.empty else attacked).groupby("attack", sort=False):
        if attacked.empty:
            sentences = tuple(_describe_clean(part))
        elif attack == corruptions.ATTACK:
            continue
        elif not means.empty and find_kind(part["method"].iloc[0]) == "severity":
            # One sentence: fifteen corruptions with all sentences would fill a page. The tables give the rest.
            sentences = (_describe_medians(part),)
        else:
            sentences = tuple(_describe_attack(part, statistics))
        found.append(AttackFindings(str(attack), sentences))
    if not means.empty:
        part = rows[rows["attack"] == corruptions.ATTACK]
        sentences = (*_describe_corruptions(means), *_describe_relations(part, statistics))
        found.append(AttackFindings(corruptions.ATTACK, sentences))
    return found


def _describe_clean(part: pd.DataFrame) -> Iterator[str]:
    models = format_quantity(int(part["model"].nunique()), "model")
    top5 = part["clean_top5_accuracy"].astype("float64").median()
    more = f"; top-5: {format_percent(top5)}" if not pd.isna(top5) else ""
    yield f"Median clean accuracy of {models}: {format_percent(part['clean_accuracy'].median())}{more}."


def _describe_corruptions(means: pd.DataFrame) -> Iterator[str]:
    """Describe the mean accuracy over types and severities, and list the models without one."""
    first, known = means.iloc[0], means[means["mean_accuracy"].notna()]
    if not known.empty:
        ranked = known.sort_values("mean_accuracy", ascending=False, kind="stable")
        names = [f"{row.model} ({format_percent(row.mean_accuracy)})" for row in ranked.head(_NAMED).itertuples()]
        yield (
            f"Mean accuracy under {format_quantity(first.types, 'corruption')} in {first.settings} settings, with "
            "equal weights and not normalised by a baseline model: median "
            f"{format_percent(known['mean_accuracy'].median())} over {format_quantity(len(known), 'model')}; "
            f"highest: {join_list(names)}."
        )
    missing = means[means["mean_accuracy"].isna()]
    if not missing.empty:
        each = [f"{row.model} ({row.note})" for row in missing.head(_NAMED).itertuples()]
        more = f"; corruptions.csv lists all {format_count(len(missing))}" if len(missing) > _NAMED else ""
        yield f"No mean over corruptions for {format_quantity(len(missing), 'model')}: {'; '.join(each)}{more}."


def _describe_attack(part: pd.DataFrame, statistics: Tables) -> Iterator[str]:
    eps = _select_budget(part)
    yield _describe_medians(part)
    yield from describe_audit(part)
    yield _describe_most_robust(part[part["eps"] == eps], eps)
    yield from _describe_relations(part, statistics)


def _describe_count(row: Any) -> str:  # noqa: ANN401 # rows of itertuples have no type
    return "estimated" if is_estimated(row) else f"{row.robust} of {row.images} images"


def _describe_relations(part: pd.DataFrame, statistics: Tables) -> Iterator[str]:
    """Describe how the accuracies of one attack relate to the scores, at the budget of `_select_budget`."""
    if part.empty:
        return
    eps, attack = _select_budget(part), part["attack"].iloc[0]
    correlations, prediction, sampling = (
        frame[(frame["attack"] == attack) & (frame["eps"] == eps)]
        for frame in (statistics.correlations, statistics.prediction, statistics.sampling)
    )
    yield from _describe_aggregates(correlations, eps)
    if not correlations.empty and correlations["spearman_r"].isna().all():
        reason = correlations["note"].mode().iloc[0]
        yield f"No correlation with alignment could be computed at {_format_eps(eps)}: {reason}."
    yield from _describe_prediction(prediction, eps)
    yield from _describe_sampling(sampling, eps)


def _format_eps(eps: str) -> str:
    return format_budget(eps).replace(" ", NO_BREAK)


def _select_budget(part: pd.DataFrame) -> str:
    """Return the largest budget at which some model is robust on an image; the smallest if there is none."""
    robust = part[part["robust_accuracy"] > 0]
    rows = robust.loc[robust["eps_value"].idxmax()] if not robust.empty else part.loc[part["eps_value"].idxmin()]
    return str(rows["eps"])


def _describe_medians(part: pd.DataFrame) -> str:
    clean = part.drop_duplicates("model")["clean_accuracy"]
    medians = [
        f"{format_percent(at['robust_accuracy'].median())} at {_format_eps(at['eps'].iloc[0])}"
        for _, at in part.groupby("eps_value")
    ]
    accuracy = "accuracy" if find_kind(part["method"].iloc[0]) == "severity" else "robust accuracy"
    if len(clean) == 1:
        return f"One model, clean accuracy {format_percent(clean.iloc[0])}; {accuracy} {join_list(medians)}."
    clean_median = f"Median clean accuracy of {len(clean)} models: {format_percent(clean.median())}"
    return f"{clean_median}; median {accuracy} {join_list(medians)}."


def _describe_most_robust(part: pd.DataFrame, eps: str) -> str:
    """Name the most robust models at one budget, and count those as robust as the last one named."""
    if not part["robust_accuracy"].any():
        return f"At {_format_eps(eps)}, the smallest budget, no model is robust on any image."
    ranked = part.assign(_name=part["model"]).sort_values(["robust_accuracy", "_name"], ascending=[False, True])
    named = ranked.head(_NAMED)
    last = named["robust_accuracy"].iloc[-1]
    tied = int((ranked["robust_accuracy"] == last).sum() - (named["robust_accuracy"] == last).sum())
    names = [
        f"{row.model} ({format_percent(row.robust_accuracy)}, {_describe_count(row)}, "
        f"95 % interval {format_interval(row.robust_low, row.robust_high)})"
        if pd.notna(row.images)
        else f"{row.model} ({format_percent(row.robust_accuracy)})"
        for row in named.itertuples()
    ]
    verb = "has" if tied == 1 else "have"
    more = f"; {format_quantity(tied, 'other model')} {verb} the same accuracy as the last" if tied else ""
    return f"Most robust at {_format_eps(eps)}: {join_list(names)}{more}."


def _describe_aggregates(correlations: pd.DataFrame, eps: str) -> Iterator[str]:
    """Describe the correlations of the average and the categories with robust accuracy."""
    levels = ["average", "category", "recomputed"]
    rows = correlations[correlations["level"].isin(levels) & correlations["spearman_r"].notna()]
    # An average of the file that counts missing scores as 0 is replaced by the recomputed one.
    replaced = {name.removesuffix(RECOMPUTED) for name in rows["score"] if name.endswith(RECOMPUTED)}
    rows = rows[~rows["score"].isin(replaced)]
    if rows.empty:
        return
    each = [
        f"{score_label(row.score)} {format_decimal(row.spearman_r)} ({_format_p('p', row.spearman_p)}, "
        f"{_format_p('q', row.spearman_q)}, n{NO_BREAK}={NO_BREAK}{row.n})"
        for row in rows.itertuples()
    ]
    yield (
        f"Spearman correlation of alignment scores with robust accuracy at {_format_eps(eps)}, over models: "
        f"{join_list(each)}. p is that of Spearman’s test, q after Benjamini and Hochberg’s correction. As in "
        "Hoak et al. (2025), models count as independent."
    )
    partial = rows[rows["partial_r"].notna()]
    if partial.empty:
        return
    each = [
        f"{score_label(row.score)} {format_decimal(row.partial_r)} ({_format_p('q', row.partial_q)}, "
        f"n{NO_BREAK}={NO_BREAK}{row.n})"
        for row in partial.itertuples()
    ]
    yield (
        f"Partial Spearman correlation given measured clean accuracy, at {_format_eps(eps)}, as in Hoak et al. "
        f"(2025): {join_list(each)}; q from the t test. It ignores families and error of clean accuracy."
    )


def _describe_prediction(prediction: pd.DataFrame, eps: str) -> Iterator[str]:
    """Describe how well benchmarks predict robust accuracy of held-out models."""
    for row in prediction[prediction["r2_cv"].notna()].itertuples():
        yield (
            f"Cross-validated R² of predicted robust accuracy at {_format_eps(eps)} "
            f"(n{NO_BREAK}={NO_BREAK}{row.n} models): {format_decimal(row.r2_cv)} from all {row.benchmarks} "
            f"benchmarks, {format_decimal(row.r2_cv_of_alignment)} from the {row.alignment_benchmarks} neural and "
            f"behavioural ones, {format_decimal(row.r2_cv_of_clean_alone)} from clean accuracy, "
            f"{format_decimal(row.r2_cv_of_alignment_with_clean)} from clean accuracy and the neural and "
            "behavioural ones. Engineering benchmarks measure clean accuracy or something close to it."
        )


def _describe_sampling(sampling: pd.DataFrame, eps: str) -> Iterator[str]:
    """Describe how much of the variance between models comes from the sample of images."""
    for row in sampling[sampling["share"] > SIGNIFICANT].itertuples():
        yield (
            f"The sample of {format_count(row.images)} images causes about {format_percent(row.share)} of the "
            f"variance of robust accuracy between models at {_format_eps(eps)} "
            f"(n{NO_BREAK}={NO_BREAK}{row.n} models). A score equal to the true robust "
            f"accuracy would have a correlation of about {format_decimal(row.largest_r)}."
        )


def _format_p(name: str, p: float) -> str:
    text = format_p(p)
    return f"{name}{NO_BREAK}{text}" if text.startswith("<") else f"{name}{NO_BREAK}={NO_BREAK}{text}"


def list_cautions(plan: Plan, tally: Tally, table: pd.DataFrame) -> list[str]:
    """List differences between outcomes that may make results incomparable.

    Args:
        plan: The plan of the run.
        tally: Outcomes of the run.
        table: Rows of table.csv.

    Returns:
        One sentence per difference, and one on duplicate images; an empty list if there is none.
    """
    found = []
    code = tally.provenance["code"]
    other = sum(number for digest, number in code.items() if digest != plan.code_sha256)
    if len(code) > 1:
        found.append(f"The ok outcomes come from {len(code)} versions of the code.")
    if other:
        verb = "comes" if other == 1 else "come"
        found.append(
            f"{format_quantity(other, 'ok outcome')} {verb} from code that differs from the submitted code."
        )
    if len(tally.provenance["container"]) > 1:
        found.append(f"The ok outcomes come from {len(tally.provenance['container'])} containers.")
    if len(tally.provenance["precision"]) > 1:
        found.append(f"The ok outcomes differ in precision: {join_list(list(tally.provenance['precision']))}.")
    differing = [library for library, versions in tally.versions.items() if len(versions) > 1]
    if differing:
        found.append(f"The ok outcomes differ in the versions of {join_list(differing)}.")
    found.extend(
        f"{format_quantity(pairs, 'pair')} {'has' if pairs == 1 else 'have'} outcomes for "
        f"{format_quantity(images, 'image')}; the plan has {plan.image_count}."
        for images, pairs in sorted(tally.other_counts.items())
    )
    clean = table.groupby("model", sort=False)["clean_correct"].nunique()
    if unequal := list(clean[clean > 1].index):
        found.append(f"Clean accuracy differs between attacks on the same images: {join_list(unequal)}.")
    if plan.duplicates:
        found.append(f"{plan.duplicates}.")
    return found
