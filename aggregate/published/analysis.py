"""The analysis of published numbers: the tables, figures and page that a run's outcomes would give."""

from pathlib import Path

import pandas as pd

from aggregate import analysis
from aggregate.collect.table import to_csv
from aggregate.figures import gallery
from aggregate.formatting import counted
from aggregate.published import accuracies, page
from aggregate.scores import scores
from aggregate.statistics import architecture, tables
from alignsec import digest
from alignsec.run.folder import REPORT
from alignsec.run.plan import PlannedScores


def analyse_published(
    file: Path, scores_file: Path, label: str, out: Path, images: int | None = None
) -> tuple[Path, str]:
    """Read both files, write the analysis into a folder; the report's path, and how many models met.

    Everything is worked out before the first file is written. images: see `accuracies.read`. Raises Mistakes
    with every error in the accuracies; OSError if a file cannot be read or written.
    """
    found = accuracies.read_accuracies(file, images)
    data = scores_file.read_bytes()
    alignment = scores.parse_scores(data)
    models = list(dict.fromkeys(found.table["model"]))
    family = {name: architecture.find_family(found.family_of.get(name, ""), name) for name in models}
    statistics = tables.compute_tables(found.table, alignment, family)
    matching = scores.match_models(models, alignment)
    drawings = gallery.draw_all(found.table, pd.DataFrame({"state": []}), statistics, alignment)
    files = {
        "table.csv": to_csv(found.table),
        **{f"{name}.csv": to_csv(frame) for name, frame in statistics.named().items()},
        "matching.csv": to_csv(analysis.make_matching_table(matching, alignment)),
    }
    for drawing in drawings:
        files.update({f"figures/{name}": data for name, data in drawing.files().items()})
    snapshot = PlannedScores(source=scores_file.name, sha256=digest.sha256_of_bytes(data), label=label)
    inputs = page.PublishedInputs(file.name, found, statistics, alignment, snapshot, matching, drawings)
    files[REPORT] = page.render_published(inputs)
    analysis.write_analysis(out, files)
    met = f"{len(matching.matched)} of {counted(len(models), 'model')} have a row in {scores_file.name}"
    return out / REPORT, met
