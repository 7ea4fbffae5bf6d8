"""The analysis of a run: from outcomes to tables, figures and the report. Each file is replaced atomically."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from aggregate.collect import corruptions, table, tally
from aggregate.collect.examples import read_examples
from aggregate.collect.tally import PairRow, Tally
from aggregate.figures import gallery
from aggregate.figures.drawing import Drawing
from aggregate.partial_results import attempt
from aggregate.report import paper_tables, report
from aggregate.report.pictures import PER_BUDGET, Pictures, make_pictures
from aggregate.scores import scores
from aggregate.scores.scores import Matching, Scores
from aggregate.statistics import networks, tables
from aggregate.statistics.tables import Tables
from alignsec import atomic
from alignsec.display import Display
from alignsec.errors import ConfigErrors
from alignsec.run.event_log import EventLog
from alignsec.run.folder import REPORT, RunFolder
from alignsec.run.plan import Plan
from alignsec.run.verification import read_verification

PAIR_COLUMNS = ["id", "model", "attack", "state", "reason", "tries", "evictions", "holds"]


@dataclass(frozen=True)
class Analysis:
    """The result of `analyse`."""

    report: Path
    planned: int
    """Number of planned pairs."""
    not_ok: int
    """Number of planned pairs that are failed or missing."""
    failed: tuple[str, ...] = ()
    """Sentences about parts of the analysis that could not be read or computed."""


def analyse(
    folder: RunFolder,
    outcomes: Path,
    events: EventLog,
    out: Path,
    processes: int = 1,
    display: Display | None = None,
) -> Analysis:
    """Read a run and write its analysis.

    All files are computed before the first one is written.

    Args:
        folder: The run folder.
        outcomes: Folder or tar archive of outcome files.
        events: HTCondor's event log of the run.
        out: Output folder.
        processes: Number of processes that read outcomes.
        display: Progress display.

    Raises:
        ConfigErrors: The run or the outcomes cannot be read.
        OSError: A file cannot be written.
    """
    display = display or Display()
    plan = Plan.read(folder)
    failed: list[str] = [f"{events.warning}."] if events.warning else []
    alignment = _read_scores(folder, plan, failed)
    counts = tally.read_tally(plan, outcomes, events, processes, display)
    frame = table.make_frame(counts.rows)
    means = corruptions.average_corruptions(plan, counts.pairs, frame)
    rows = corruptions.append_means(frame, means)
    found_networks = networks.identify_networks(plan, counts.clean, counts.robust)
    display.begin("statistics")
    statistics = tables.compute_tables(rows, alignment, found_networks, counts.robust, means, failed)
    matching = scores.match_models([pair.model.name for pair in plan], alignment) if alignment else None
    pairs = table.records_to_frame(PairRow, counts.pairs)[PAIR_COLUMNS]
    # In figures, the severities of a corruption are pairs of one attack.
    series = pairs.assign(attack=pairs["attack"].map({p.attack.name: p.attack.series for p in plan}))
    shown = _make_pictures(plan, outcomes, counts, failed)
    made = gallery.draw_all(rows, series, statistics, alignment, failed, shown.figure_examples)
    drawings, figures = make_figure_files(made, display, failed)
    files = {"pairs.csv": table.to_csv(pairs), **figures, **_make_latex_files(rows, statistics, failed)}
    files |= make_csv_files(rows, statistics, make_matching_table(matching, alignment))
    display.begin("report")
    checks = (failed, shown, read_verification(folder.verification))
    inputs = report.ReportInputs(plan, counts, rows, statistics, alignment, matching, drawings, *checks)
    files[REPORT] = report.render_report(inputs)
    write_analysis(out, files)
    return Analysis(out / REPORT, len(counts.planned), len(counts.not_ok), tuple(failed))


def _make_pictures(plan: Plan, outcomes: Path, counts: Tally, failed: list[str]) -> Pictures:
    """Return pictures of adversarial examples; none if they fail, which is added to `failed`."""
    return attempt(
        "The pictures of adversarial examples",
        failed,
        lambda: make_pictures(read_examples(plan, outcomes, counts.examples, PER_BUDGET, failed)),
        Pictures,
    )


def _make_latex_files(rows: pd.DataFrame, statistics: Tables, failed: list[str]) -> dict[str, bytes]:
    """Return the bytes of each LaTeX table by relative path; none if they fail, which is added to `failed`."""
    paper = attempt(
        "The LaTeX tables", failed, lambda: paper_tables.format_tables(rows, statistics), dict[str, bytes]
    )
    return {f"tables/{name}": data for name, data in paper.items()}


def make_csv_files(rows: pd.DataFrame, statistics: Tables, matching: pd.DataFrame) -> dict[str, bytes]:
    """Return the bytes of each CSV file that analyses of runs and of published accuracies share, by file name."""
    frames = {"table": rows, **statistics.named(), "matching": matching}
    return {f"{name}.csv": table.to_csv(frame) for name, frame in frames.items()}


def make_figure_files(
    drawings: Sequence[Drawing], display: Display, failed: list[str]
) -> tuple[list[Drawing], dict[str, bytes]]:
    """Draw the figures.

    Args:
        drawings: All drawings.
        display: Progress display.
        failed: The list to which a sentence is added for each drawing that fails.

    Returns:
        The drawings that did not fail, and the bytes of each file by relative path.
    """
    drawn: list[Drawing] = []
    files: dict[str, bytes] = {}
    display.begin("figures", len(drawings), unit="figures")
    for drawing in drawings:
        display.advance()
        found = attempt(f"The figure {drawing.name}", failed, drawing.files, dict[str, bytes])
        files.update({f"figures/{name}": data for name, data in found.items()})
        drawn += [drawing] if found else []
    return drawn, files


def _read_scores(folder: RunFolder, plan: Plan, failed: list[str]) -> Scores | None:
    """Return the scores of a run; None if it has none, or if they cannot be read, which is added to `failed`."""
    try:
        alignment = attempt("The alignment", failed, lambda: scores.read_run_scores(folder, plan), lambda: None)
    except ConfigErrors as error:
        failed.append(f"The analysis is without alignment scores: {error}.")
        return None
    if alignment is not None and not alignment.rows and alignment.remarks:
        failed.append(f"The analysis is without alignment scores: {alignment.remarks[0]}")
    return alignment


def make_matching_table(matching: Matching | None, alignment: Scores | None) -> pd.DataFrame:
    """Return one row per model of the study and per name in the scores file.

    Columns: the model, the state of the match, and the share of the neural and behavioural benchmarks for which
    the file has a score of this model.
    """
    rows = []
    if matching and alignment:
        contradicting = set(alignment.contradicting)
        rows = [
            *((name, "matched") for name in matching.matched),
            *((name, "no row in the scores file") for name in matching.without_row),
            *((name, "left out: its rows in the scores file differ") for name in matching.contradicting),
            *(
                (name, "not in the study" + ("; its rows differ" if name in contradicting else ""))
                for name in matching.not_in_study
            ),
        ]
    frame = pd.DataFrame(rows, columns=["model", "state"])
    coverage = alignment.coverage if alignment else {}
    return frame.assign(coverage=frame["model"].map(coverage).astype("float64"))


def write_analysis(out: Path, files: dict[str, bytes]) -> None:
    """Write the files and remove figures and LaTeX tables of an earlier analysis that are not among them.

    Args:
        out: Output folder.
        files: Bytes of each file by relative path, the report last.
    """
    for folder in ("figures", "tables"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        atomic.write_atomic(out / name, data)
    figures = {kind.name for kind in gallery.KINDS}
    generated = {"figures": (figures, {".pdf", ".png"}), "tables": (paper_tables.NAMES, {".tex"})}
    for folder, (kinds, endings) in generated.items():
        for path in (out / folder).iterdir():
            kind = path.stem.partition("--")[0]
            if kind in kinds and path.suffix in endings and f"{folder}/{path.name}" not in files:
                path.unlink()
