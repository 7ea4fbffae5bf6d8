"""The gallery: adding a figure takes one module with a `KIND`, and one entry in `KINDS`."""

from types import SimpleNamespace

import pytest

from aggregate.analysis import analyse
from aggregate.figures import gallery
from aggregate.figures.drawing import Drawing, FigureKind, Margins, Panel
from alignsec.run.event_log import EventLog


def _draw_points(axes):
    axes.plot([0, 1], [0, 1])
    axes.set_xlabel("toy axis")


def _make_drawings(inputs):
    panel = Panel("toy panel", _draw_points, f"A line for {inputs.table['model'].nunique()} models.")
    yield Drawing(TOY, TOY.name, ((panel,),), width=3.0, height=2.0, margins=Margins(left=0.5), note="n = 1 line.")


TOY = FigureKind(name="toy", title="A toy figure", description="Each line is a toy.", make_drawings=_make_drawings)
"""What the module of a new figure contains."""


@pytest.fixture
def analysed(make_run, monkeypatch):
    """A run with one answered model, analysed with and then without the toy figure."""
    run = make_run(models=["a"])
    run.write_record("a", "autoattack-Linf", "RRRW", "RRcW")

    def run_analysis(kinds):
        monkeypatch.setattr(gallery, "KINDS", kinds)
        analyse(run.folder, run.folder.outcomes, EventLog(run.folder.events), run.folder.analysis)
        return SimpleNamespace(
            figures={path.name for path in (run.folder.analysis / "figures").iterdir()},
            page=(run.folder.analysis / "report.html").read_text(encoding="utf-8"),
        )

    return run_analysis


def test_an_entry_in_the_gallery_adds_files_and_a_section_of_the_report(analysed):
    """One entry decides file names, heading, caption, text alternative and order in the report."""
    found = analysed((TOY, *gallery.KINDS))
    assert {"toy.pdf", "toy.png", "robust-accuracy.png"} <= found.figures
    assert "<h3>A toy figure</h3><p>Each line is a toy. n = 1 line. " in found.page
    assert 'aria-label="A line for 1 models."' in found.page
    assert "toy axis" in found.page
    assert found.page.index("<h3>A toy figure") < found.page.index("<h3>Robust accuracy by model and budget")


def test_a_later_analysis_removes_the_files_of_a_kind_that_it_does_not_draw(analysed):
    analysed((*gallery.KINDS, TOY))
    without_drawings = FigureKind(TOY.name, TOY.title, TOY.description, lambda inputs: ())
    found = analysed((*gallery.KINDS[:-1], without_drawings))
    assert not {"toy.pdf", "toy.png"} & found.figures
    assert "A toy figure" not in found.page


def test_every_kind_has_its_own_name_and_text():
    for texts in zip(*((kind.name, kind.title, kind.description) for kind in gallery.KINDS), strict=True):
        assert all(texts)
        assert len(set(texts)) == len(gallery.KINDS)
