"""A synthetic study of the paper's size: 144 models, 105 benchmarks, three budgets, and known effects.

Each model has a latent skill, which determines its clean accuracy, and a latent robustness. Neural benchmarks
depend on robustness, engineering benchmarks on skill, and behavioural benchmarks on both. Every third benchmark
depends on neither. `python -m tests.aggregate.paper_study FOLDER [LEADERBOARD]` writes the study, with the model
names of a leaderboard if one is given.
"""

import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aggregate.analysis import PAIR_COLUMNS
from aggregate.collect import table, tally
from aggregate.figures import gallery
from aggregate.report import report
from aggregate.scores import scores
from aggregate.statistics import architecture, bootstrap, prediction, tables
from aggregate.statistics.networks import Networks
from alignsec.run.event_log import EventLog
from alignsec.spec.attack import Attack
from tests.aggregate.synthetic_run import CLEAN, SyntheticRun, write_run

BUDGETS = ["0.001", "0.5/255", "1/255"]
ATTACK = Attack.model_validate({"name": "autoattack-linf", "method": "autoattack", "norm": "Linf", "eps": BUDGETS})
SQUARE = Attack.model_validate({"name": "square-l2", "method": "square", "norm": "L2", "eps": ["0.5", "1"]})
FAMILIES = ("resnet", "vit_base_patch16", "convnext", "efficientnet_b", "mobilenetv3", "deit_small", "swin", "vgg")
CATEGORIES = {"neural_vision": 41, "behavior_vision": 37, "engineering_vision": 27}


def make_model_names(models: int) -> list[str]:
    """Return names like those on leaderboards; some are too long for any label."""
    tail = ("", ".a1_in1k", "_imagenet_full", "_eps3_robust", ".augreg_in21k_ft_in1k_384_with_a_very_long_tag")
    return [f"{FAMILIES[at % 8]}{10 + at // 8}{tail[at % 5]}" for at in range(models)]


def make_benchmarks(rng: np.random.Generator) -> list[tuple[str, str]]:
    """Return the name and the category of each benchmark; names have realistic lengths."""
    kinds = ("-pls", "-rdm", "_Ringach-or_selective", "-error_consistency", "-top1", "cueconflict-value_delta")
    found = []
    for category, count in CATEGORIES.items():
        for at in range(count):
            name = f"{category[:2].title()}{2000 + at}{'.region' * int(rng.integers(0, 3))}{kinds[at % 6]}"
            found.append((name, category))
    return found


def write_study(
    root: Path,
    models: int = 144,
    images: int = 200,
    *,
    flaws: bool = True,
    like: str = "",
    rename: dict[str, str] | None = None,
) -> SyntheticRun:
    """Write the run of the study.

    Args:
        root: A new folder.
        models: Number of models.
        images: Number of images.
        flaws: If true, some pairs have failed or are missing, and some models have no score.
        like: Text of a leaderboard whose model names and scores are used; empty for synthetic ones.
        rename: New names of models, by their name.
    """
    rng = np.random.default_rng(1)
    known = [name for name in scores.parse_scores(like.encode()).rows if name.isprintable()] if like else []
    chosen = known[:: max(1, len(known) // models)][:models] if known else make_model_names(models)
    chosen = [(rename or {}).get(name, name) for name in chosen]
    skill, robustness = rng.normal(size=models), rng.normal(size=models)
    text = like or _scores(chosen, skill, robustness, rng)
    attacks = (CLEAN, ATTACK, SQUARE)
    run = write_run(root, chosen, attacks, images, text, source=lambda name: f"timm:{name.partition('.')[0]}")
    for at, name in enumerate(chosen):
        right = rng.random(images) < 1 / (1 + np.exp(-1.4 - 0.6 * skill[at]))
        run.write_record(name, "clean", "".join("R" if r else "W" for r in right))
        if flaws and at % 29 == 3:
            run.write_failure(name, ATTACK.name, ("CUDA out of memory", "weights hold NaN")[at % 2])
        elif not (flaws and at % 47 == 5):
            run.write_record(
                name, ATTACK.name, *_verdicts(right, robustness[at] - np.array([-1.0, 0.4, 1.6]), rng)
            )
        if not (flaws and at % 31 == 7):
            run.write_record(name, SQUARE.name, *_verdicts(right, robustness[at] - np.array([0.0, 1.0]), rng, "s"))
    return run


def make_inputs(run: SyntheticRun) -> report.ReportInputs:
    """Return the inputs of the run's report, with few resamples and no predictions, which take minutes at this
    size."""
    found = tally.read_tally(run.plan, run.folder.outcomes, EventLog(run.folder.events))
    rows = table.make_frame(found.rows)
    alignment = scores.read_run_scores(run.folder, run.plan)
    family = {pair.model.name: architecture.find_family(pair.model.source, pair.model.name) for pair in run.plan}
    none = prediction.compute_predictions(rows.iloc[:0], None, {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "MIN_RESAMPLES", 100)
        patch.setattr(bootstrap, "MAX_RESAMPLES", 100)
        patch.setattr(tables.prediction, "compute_predictions", lambda *_: none)
        bootstrap._draw_counts.cache_clear()
        statistics = tables.compute_tables(rows, alignment, Networks(family, clean=found.clean), found.robust)
        bootstrap._draw_counts.cache_clear()
    pairs = pd.DataFrame([asdict(pair) for pair in found.pairs], columns=PAIR_COLUMNS)
    drawings = gallery.draw_all(rows, pairs, statistics, alignment)
    matching = scores.match_models([pair.model.name for pair in run.plan], alignment)
    return report.ReportInputs(run.plan, found, rows, statistics, alignment, matching, drawings)


def _verdicts(right, strength, rng, letters="cctfs"):
    """Return one string per budget; an image broken at one budget is broken by the same component at larger
    ones."""
    draw = rng.random(len(right))
    by = rng.choice(list(letters), len(right))
    return [
        "".join("W" if not r else "R" if d < p else b for r, d, b in zip(right, draw, by, strict=True))
        for p in 1 / (1 + np.exp(-strength))
    ]


def _scores(chosen, skill, robustness, rng):
    columns = make_benchmarks(rng)
    weights = {"neural_vision": (0.0, 0.8), "behavior_vision": (0.5, 0.4), "engineering_vision": (0.9, 0.0)}
    table, previous = {}, ""
    for at, (name, category) in enumerate(columns):
        of_skill, of_robustness = weights[category] if at % 3 else (0.0, 0.0)
        noise = rng.normal(size=len(chosen))
        value = 0.4 + 0.08 * (of_skill * skill + of_robustness * robustness + (0.4 + at % 5 / 4) * noise)
        if category != previous:
            table[category] = None
        previous = category
        table[name] = np.where(rng.random(len(chosen)) < 0.08, np.nan, value)
    for category in CATEGORIES:
        table[category] = np.nanmean([table[name] for name, of in columns if of == category], axis=0)
    average = np.mean([table[category] for category in CATEGORIES], axis=0)
    lines = ['"Model","average_vision",' + ",".join(f'"{name}"' for name in table)]
    for at, model in enumerate(chosen):
        if at % 40 != 9:
            cells = ["" if np.isnan(v[at]) else f"{v[at]:.4f}" for v in (average, *table.values())]
            quoted = model.replace('"', '""')
            lines.append(f'"{quoted}",' + ",".join(cells))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    given = Path(sys.argv[2]).read_text(encoding="utf-8") if len(sys.argv) > 2 else ""
    write_study(Path(sys.argv[1]), like=given)
