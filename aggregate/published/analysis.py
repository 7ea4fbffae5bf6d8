"""The analysis of published accuracies: the same tables, figures and page as for a run."""

from pathlib import Path

import pandas as pd

from aggregate import analysis
from aggregate.figures import gallery
from aggregate.formatting import format_quantity
from aggregate.published import accuracies, names, page
from aggregate.scores import scores
from aggregate.scores.scores import Scores
from aggregate.statistics import architecture, tables
from aggregate.statistics.networks import Networks
from alignsec import atomic, digest
from alignsec.display import Display
from alignsec.errors import ConfigErrors
from alignsec.run.folder import REPORT
from alignsec.run.plan import PlannedScores


def analyse_published(
    file: Path,
    scores_file: Path,
    label: str,
    out: Path,
    images: int | None = None,
    names_file: Path | None = None,
) -> tuple[Path, str]:
    """Analyse published accuracies and write the analysis.

    All files are computed before the first one is written.

    Args:
        file: CSV file of robust accuracies.
        scores_file: File of alignment scores in any format.
        label: Description of the scores for the report.
        out: Output folder.
        images: Number of images of every accuracy for which the file has none.
        names_file: Names file, see `aggregate.published.names`.

    Returns:
        Path of the report, and a sentence with the number of models that have scores.

    Raises:
        ConfigErrors: The accuracies or the names are invalid, with all errors; or no model has a score.
        OSError: A file cannot be read or written.
    """
    published = accuracies.read_accuracies(file, images)
    data = scores_file.read_bytes()
    alignment = scores.parse_scores(data)
    models = list(dict.fromkeys(published.table["model"]))
    alignment = names.join_names(names_file, models, alignment)
    proposal = _propose_names(file, models, published.architectures, alignment, scores_file.name)
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
    joined = f"{len(matching.matched)} of {format_quantity(len(models), 'model')}"
    return out / REPORT, f"{joined} have a row in {scores_file.name}{proposal}"


def _propose_names(
    file: Path, models: list[str], architectures: dict[str, str], alignment: Scores, scores_name: str
) -> str:
    """Write proposed names for the models without scores, and return a sentence about them.

    Raises:
        ConfigErrors: If no model has a score.
        OSError: If the file cannot be written.
    """
    proposals = names.propose_names(models, architectures, alignment)
    if not proposals:
        return ""
    path = file.with_name(f"{file.stem}-names.csv")
    atomic.write_atomic(path, names.format_proposal(proposals))
    how = f"complete the column score_name of {path} and pass it as --names"
    if len(proposals) == len(models):
        joined = f"0 of {format_quantity(len(models), 'model')} have a row in {scores_name}"
        raise ConfigErrors.about(file, f"{joined}: the names differ; {how}")
    return f"\nTo join {format_quantity(len(proposals), 'more model')}, {how}"
