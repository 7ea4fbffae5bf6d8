"""The summary: what a run found, in plain words with numbers and their n, and what to be careful about."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from aggregate.collect import corruptions
from aggregate.collect.tally import Tally
from aggregate.formatting import NO_BREAK, count, counted, decimal, ends, format_budget, listed, p_value, percent
from aggregate.scores.labels import score_label
from aggregate.statistics.tables import Tables
from alignsec.run.plan import Plan
from alignsec.spec.level import find_kind

CHANCE = 0.05
_NAMED = 3


def completeness(plan: Plan, tally: Tally) -> str:
    """Whether every planned pair is ok, and if not, how many are not."""
    models = len({pair.model.name for pair in plan})
    attacks = len({pair.attack.series for pair in plan})
    size = f"{counted(models, 'model')}, {counted(attacks, 'attack')}, {counted(plan.image_count, 'image')}"
    planned, states = counted(len(tally.planned), "pair"), tally.states
    if not tally.not_ok:
        return f"Complete: every planned pair is ok ({planned}; {size})."
    bad = [f"{count(states[state])} {state}" for state in ("failed", "missing") if states[state]]
    if not states["ok"]:
        return f"Nothing to report yet: of {planned} ({size}), none is ok; {listed(bad)}."
    return (
        f"Incomplete: of {planned} ({size}), {count(states['ok'])} {'is' if states['ok'] == 1 else 'are'} ok, "
        f"{listed(bad)}. Every number below rests on the ok pairs alone."
    )


@dataclass(frozen=True)
class Finding:
    """What was found under one attack."""

    attack: str
    sentences: tuple[str, ...]


def findings(table: pd.DataFrame, statistics: Tables) -> list[Finding]:
    """What was found, attack by attack; the clean attack speaks only where there is no other."""
    rows = table[table["robust_accuracy"].notna()]
    attacked = rows[rows["method"] != "clean"]
    found = []
    means = statistics.corruptions
    for attack, part in (rows if attacked.empty else attacked).groupby("attack", sort=False):
        if attacked.empty:
            sentences = tuple(_clean(part))
        elif attack == corruptions.ATTACK:
            continue
        elif not means.empty and find_kind(part["method"].iloc[0]) == "severity":
            # Fifteen of them would fill the page; the tables below say the rest.
            sentences = (_medians(part),)
        else:
            sentences = tuple(_robust(part, statistics))
        found.append(Finding(str(attack), sentences))
    if not means.empty:
        part = rows[rows["attack"] == corruptions.ATTACK]
        found.append(Finding(corruptions.ATTACK, (*_over_corruptions(means), *_related(part, statistics))))
    return found


def _clean(part: pd.DataFrame) -> Iterator[str]:
    models = counted(int(part["model"].nunique()), "model")
    top5 = part["clean_top5_accuracy"].astype("float64").median()
    more = f"; top-5: {percent(top5)}" if not pd.isna(top5) else ""
    yield f"Median clean accuracy of {models}: {percent(part['clean_accuracy'].median())}{more}."


def _over_corruptions(means: pd.DataFrame) -> Iterator[str]:
    """Accuracy over all types and severities, each counted alike, and which models have none."""
    first, known = means.iloc[0], means[means["mean_accuracy"].notna()]
    if not known.empty:
        ranked = known.sort_values("mean_accuracy", ascending=False, kind="stable")
        names = [f"{row.model} ({percent(row.mean_accuracy)})" for row in ranked.head(_NAMED).itertuples()]
        yield (
            f"Mean accuracy under {counted(first.types, 'corruption')} in {first.settings} settings, each counted "
            f"alike and not divided by another model’s: the median of {counted(len(known), 'model')} is "
            f"{percent(known['mean_accuracy'].median())}; the highest are {listed(names)}."
        )
    missing = means[means["mean_accuracy"].isna()]
    if not missing.empty:
        each = [f"{row.model} ({row.note})" for row in missing.head(_NAMED).itertuples()]
        more = f"; corruptions.csv has all {count(len(missing))}" if len(missing) > _NAMED else ""
        yield f"No mean over corruptions for {counted(len(missing), 'model')}: {'; '.join(each)}{more}."


def _robust(part: pd.DataFrame, statistics: Tables) -> Iterator[str]:
    eps = _telling(part)
    yield _medians(part)
    yield _leaders(part[part["eps"] == eps], eps)
    yield from _related(part, statistics)


def _related(part: pd.DataFrame, statistics: Tables) -> Iterator[str]:
    """How one attack's accuracies go with the scores, at the budget that tells most; nothing of no rows."""
    if part.empty:
        return
    eps, attack = _telling(part), part["attack"].iloc[0]
    about, predicted, sampling = (
        frame[frame["attack"] == attack]
        for frame in (statistics.correlations, statistics.prediction, statistics.sampling)
    )
    yield from _alignment(about[about["eps"] == eps], eps)
    yield from _predictions(predicted, sampling, eps)


def _called(eps: str) -> str:
    return format_budget(eps).replace(" ", NO_BREAK)


def _telling(part: pd.DataFrame) -> str:
    """The largest budget at which some model still has a robust image, else the smallest budget."""
    robust = part[part["robust_accuracy"] > 0]
    rows = robust.loc[robust["eps_value"].idxmax()] if not robust.empty else part.loc[part["eps_value"].idxmin()]
    return str(rows["eps"])


def _medians(part: pd.DataFrame) -> str:
    clean = part.drop_duplicates("model")["clean_accuracy"]
    steps = [
        f"{percent(at['robust_accuracy'].median())} at {_called(at['eps'].iloc[0])}"
        for _, at in part.groupby("eps_value")
    ]
    robust = "accuracy" if find_kind(part["method"].iloc[0]) == "severity" else "robust accuracy"
    if len(clean) == 1:
        return f"One model, clean accuracy {percent(clean.iloc[0])}; {robust} {listed(steps)}."
    medians = f"Median clean accuracy of {len(clean)} models: {percent(clean.median())}"
    return f"{medians}; median {robust} {listed(steps)}."


def _leaders(part: pd.DataFrame, eps: str) -> str:
    """The most robust models at one budget; models that tie with the last one named are counted."""
    if not part["robust_accuracy"].any():
        return f"At {_called(eps)}, the smallest budget, no image of any model is robust."
    ranked = part.assign(_name=part["model"]).sort_values(["robust_accuracy", "_name"], ascending=[False, True])
    shown = ranked.head(_NAMED)
    tied = int((ranked["robust_accuracy"] == shown["robust_accuracy"].iloc[-1]).sum()) - int(
        (shown["robust_accuracy"] == shown["robust_accuracy"].iloc[-1]).sum()
    )
    names = [
        f"{row.model} ({percent(row.robust_accuracy)}, {row.robust} of {row.images} images, "
        f"95 % interval {ends(row.robust_low, row.robust_high)})"
        if pd.notna(row.images)
        else f"{row.model} ({percent(row.robust_accuracy)})"
        for row in shown.itertuples()
    ]
    more = f"; {counted(tied, 'other')} tie with the last" if tied else ""
    return f"Most robust at {_called(eps)}: {listed(names)}{more}."


def _alignment(about: pd.DataFrame, eps: str) -> Iterator[str]:
    """How robust accuracy goes with the average and the categories, and with how many benchmarks."""
    aggregates = about[about["level"].isin(["average", "category"]) & about["spearman_r"].notna()]
    if not aggregates.empty:
        each = [
            f"{score_label(row.score)} {decimal(row.spearman_r)} "
            f"(p{NO_BREAK}{_equals(row.spearman_p)}, q{NO_BREAK}{_equals(row.spearman_q)}, "
            f"n{NO_BREAK}={NO_BREAK}{row.n})"
            for row in aggregates.itertuples()
        ]
        what = f"Spearman correlation of alignment with robust accuracy at {_called(eps)}"
        yield f"{what}: {listed(each)}; {_clear(aggregates, 'spearman_q')}."
        given = aggregates[aggregates["partial_r"].notna()]
        if not given.empty:
            left = [
                f"{score_label(row.score)} {decimal(row.partial_r)} "
                f"(q{NO_BREAK}{_equals(row.partial_q)}, n{NO_BREAK}={NO_BREAK}{row.n})"
                for row in given.itertuples()
            ]
            yield (
                f"Among models of the same clean accuracy there remains (partial correlation): {listed(left)}; "
                f"{_clear(given, 'partial_q')}."
            )
    benchmarks = about[(about["level"] == "benchmark") & about["spearman_p"].notna()]
    if not benchmarks.empty:
        reached, kept = (int((benchmarks[q] < CHANCE).sum()) for q in ("spearman_q", "partial_q"))
        tested = int(benchmarks["partial_q"].notna().sum())
        given_clean = (
            f"given clean accuracy, {count(kept)} of {count(tested)}"
            if tested
            else ("given clean accuracy none could be tested")
        )
        yield (
            f"Of {counted(len(benchmarks), 'benchmark')} with enough models, {count(reached)} "
            f"{'reaches' if reached == 1 else 'reach'} q < 0.05 (p corrected for their number) at "
            f"{_called(eps)}; {given_clean}."
        )
    if not about.empty and about["spearman_r"].isna().all():
        why = about["note"].mode().iloc[0]
        yield f"No correlation with alignment could be computed at {_called(eps)}: {why}."


def _clear(rows: pd.DataFrame, q: str) -> str:
    """Which of these scores stand out after correction for their number."""
    clear = [score_label(score) for score in rows[rows[q] < CHANCE]["score"]]
    if not clear:
        return "none can be told from chance at the 5 % level"
    return f"{listed(clear)} {'is' if len(clear) == 1 else 'are'} unlikely to be chance at the 5 % level"


def _predictions(prediction: pd.DataFrame, sampling: pd.DataFrame, eps: str) -> Iterator[str]:
    """How well all benchmarks together predict robust accuracy, and what sampling leaves them to predict."""
    for row in prediction[(prediction["eps"] == eps) & prediction["r2_cv"].notna()].itertuples():
        how = f"(cross-validated, n{NO_BREAK}={NO_BREAK}{row.n})"
        yield (
            f"Of held-out models’ robust accuracy at {_called(eps)}, {row.benchmarks} benchmarks together "
            f"predict R²{NO_BREAK}={NO_BREAK}{decimal(row.r2_cv)} {how}; {row.alignment_benchmarks} neural and "
            f"behavioural ones alone {decimal(row.r2_cv_of_alignment)}, clean accuracy alone "
            f"{decimal(row.r2_cv_of_clean_alone)}, these two together "
            f"{decimal(row.r2_cv_of_alignment_with_clean)}. Engineering benchmarks are clean accuracy or near it."
        )
    for row in sampling[(sampling["eps"] == eps) & (sampling["share"] > CHANCE)].itertuples():
        yield (
            f"Sampling of {count(row.images)} images makes about {percent(row.share)} of the variance between "
            f"models: no score can reach more than r{NO_BREAK}={NO_BREAK}{decimal(row.largest_r)}."
        )


def _equals(p: float) -> str:
    text = p_value(p)
    return text if text.startswith("<") else f"={NO_BREAK}{text}"


def cautions(plan: Plan, tally: Tally, table: pd.DataFrame) -> list[str]:
    """Signs that numbers in one table were not made alike."""
    found = []
    code = tally.traces["code"]
    other = sum(number for digest, number in code.items() if digest != plan.code_sha256)
    if len(code) > 1:
        found.append(f"The ok outcomes were made by {len(code)} different versions of the code.")
    if other:
        found.append(f"{counted(other, 'ok outcome')} came from other code than this submission's.")
    if len(tally.traces["container"]) > 1:
        found.append(f"The ok outcomes were made in {len(tally.traces['container'])} different containers.")
    if len(tally.traces["precision"]) > 1:
        found.append(f"The ok outcomes differ in precision: {listed(list(tally.traces['precision']))}.")
    differing = [library for library, versions in tally.versions.items() if len(versions) > 1]
    if differing:
        found.append(f"The ok outcomes differ in the versions of {listed(differing)}.")
    found.extend(
        f"{counted(pairs, 'pair')} answered on {counted(images, 'image')}, where the plan has {plan.image_count}."
        for images, pairs in sorted(tally.other_counts.items())
    )
    clean = table.groupby("model", sort=False)["clean_correct"].nunique()
    if unequal := list(clean[clean > 1].index):
        found.append(f"Clean accuracy differs between attacks, though the images are the same: {listed(unequal)}.")
    return found
