"""The analysis of published accuracies: the same tables, figures and page as for a run."""

from pathlib import Path

import pandas as pd

from aggregate import analysis
from aggregate.figures import gallery
from aggregate.formatting import format_quantity
from aggregate.published import accuracies, page
from aggregate.scores import scores
from aggregate.statistics import architecture, tables
from aggregate.statistics.networks import Networks
from alignsec import digest
from alignsec.display import Display
from alignsec.run.folder import REPORT
from alignsec.run.plan import PlannedScores


def analyse_published(
    file: Path, scores_file: Path, label: str, out: Path, images: int | None = None
) -> tuple[Path, str]:
    """Analyse published accuracies and write the analysis.

    All files are computed before the first one is written.

    Args:
        file: CSV file of robust accuracies.
        scores_file: File of alignment scores in any format.
        label: Description of the scores for the report.
        out: Output folder.
        images: Number of images of every accuracy for which the file has none.

    Returns:
        Path of the report, and a sentence with the number of models that have scores.

    Raises:
        ConfigErrors: The accuracies are invalid; it lists all errors.
        OSError: A file cannot be read or written.
    """
    published = accuracies.read_accuracies(file, images)
    data = scores_file.read_bytes()
    alignment = scores.parse_scores(data)
    models = list(dict.fromkeys(published.table["model"]))
    family = {name: architecture.find_family(published.architectures.get(name, ""), name) for name in models}
    failed: list[str] = []
    statistics = tables.compute_tables(published.table, alignment, Networks(family), failed=failed)
    matching = scores.match_models(models, alignment)
    drawings = gallery.draw_all(published.table, pd.DataFrame({"state": []}), statistics, alignment, failed)
    files = analysis.make_csv_files(published.table, statistics, analysis.make_matching_table(matching, alignment))
    drawings, figures = analysis.make_figure_files(drawings, Display(), failed)
    files.update(figures)
    snapshot = PlannedScores(source=scores_file.name, sha256=digest.sha256_of_bytes(data), label=label)
    inputs = page.PublishedInputs(
        file.name, published, statistics, alignment, snapshot, matching, drawings, failed
    )
    files[REPORT] = page.render_published(inputs)
    analysis.write_analysis(out, files)
    summary = (
        f"{len(matching.matched)} of {format_quantity(len(models), 'model')} have a row in {scores_file.name}"
    )
    return out / REPORT, summary
