"""The report in a browser: no messages, no requests, fits a phone, sorts, prints."""

import os
import shutil

import pytest

from aggregate.analysis import analyse
from aggregate.comparison import agreement
from aggregate.comparison import report as comparison_report
from aggregate.comparison import runs as compared_runs
from alignsec.run.event_log import EventLog
from tests.aggregate import chromium
from tests.aggregate.synthetic_run import write_run

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
# Without a browser these tests are skipped; in CI they fail.
pytestmark = pytest.mark.skipif(PROGRAM is None and not os.environ.get("CI"), reason="chromium is not on PATH")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    assert PROGRAM, "CI is set, but chromium is not on PATH: apt-get install chromium"
    with chromium.started(PROGRAM, tmp_path_factory.mktemp("browser") / "profile") as running:
        yield running


@pytest.fixture
def report(make_run):
    """A report of eight models with scores; one name contains markup and its pair failed."""
    names = ["<script>alert(1)</script>", "a-model-with-a-name-that-is-much-too-long-for-a-phone-" * 2, *"cdefgh"]
    rows = "".join(f'"{name}",{at / 9},{(at * 5) % 7}\n' for at, name in enumerate(names))
    run = make_run(models=names, scores=f"Model,average_vision,neural_vision\n{rows}")
    for at, name in enumerate(names):
        run.write_record(name, "clean", "R" * 9 + "W")
        if at:
            run.write_record(name, "autoattack-Linf", "R" * 9 + "W", "R" * at + "c" * (9 - at) + "W")
    run.write_failure(names[0], "autoattack-Linf", "CUDA out of memory")
    return analyse(run.folder, run.folder.outcomes, EventLog(run.folder.events), run.folder.analysis).report


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_report_loads_without_messages_and_fits(browser, report, width, dark):
    """There is no console message and no request, and nothing is wider than the window."""
    browser.set_viewport(width, dark=dark, phone=width < 500)
    browser.open(report)
    assert browser.messages == []
    assert browser.requests == [report.absolute().as_uri()]
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    background = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(21, 23, 27)" if dark else "rgb(255, 255, 255)")
    assert browser.evaluate("[...document.querySelectorAll('.panel svg')].every(s => s.clientHeight > 30)")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_comparison_of_two_runs_loads_without_messages_and_fits(browser, tmp_path, width, dark):
    runs = [
        write_run(tmp_path / name, models=["a-model-with-a-name-that-is-too-long-" * 3, "b"])
        for name in ("x", "y")
    ]
    for run, letters in zip(runs, ("RRRRW", "RccRW"), strict=True):
        run.write_record(run.plan.planned[0].pair.model.name, "autoattack-Linf", "RRRRW", letters)
    runs[0].write_record("b", "clean", "RRRRW")
    path = tmp_path / "compare.html"
    path.write_bytes(
        comparison_report.render_comparison(
            agreement.compare_runs(*(compared_runs.read_run(run.folder.root) for run in runs))
        )
    )
    browser.set_viewport(width, dark=dark, phone=width < 500)
    browser.open(path)
    assert browser.messages == []
    assert browser.requests == [path.absolute().as_uri()]
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_messages_and_requests_of_a_page_are_recorded(browser, tmp_path):
    """The checks of the other tests work: a page with errors and a request is found."""
    page = tmp_path / "bad.html"
    page.write_text("<img src='missing.png'><script>console.error('x'); undefined.y</script>")
    browser.open(page)
    assert len(browser.messages) >= 2
    assert len(browser.requests) == 2


def test_text_has_enough_contrast(browser, report):
    """All text has a contrast of at least 4.5 to 1 in light and dark, as WCAG AA requires."""
    for dark in (False, True):
        browser.set_viewport(1280, dark=dark)
        browser.open(report)
        worst = browser.evaluate(
            """(() => {
              const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(v => v / 255)
                .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
              const background = e => { for (; e; e = e.parentElement) {
                const c = getComputedStyle(e).backgroundColor;
                if (!/^rgba\\(.* 0\\)$/.test(c)) return c; } };
              const ratio = e => { const [a, b] = [light(getComputedStyle(e).color), light(background(e))];
                return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); };
              const own = e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
              const all = [...document.querySelectorAll('body *:not(svg *, script)')];
              return Math.min(...all.filter(own).map(ratio));
            })()"""
        )
        assert worst >= 4.5


def test_a_column_heading_sorts_the_table(browser, report):
    browser.set_viewport(1280)
    browser.open(report)
    last = "document.querySelectorAll('table.matrix th[data-sort]')[3]"
    shown = f"""(() => {{ {last}.querySelector('button').click();
      return [...document.querySelectorAll('table.matrix tbody tr')].map(r => r.cells[3].dataset.order); }})()"""
    downwards = browser.evaluate(shown)
    assert downwards.pop() == "", "a cell without a number is last"
    downwards = [float(order) for order in downwards]
    assert browser.evaluate(f"{last}.getAttribute('aria-sort')") == "descending"
    assert downwards == sorted(downwards, reverse=True)
    upwards = browser.evaluate(shown)
    assert upwards.pop() == "", "in both orders"
    assert [float(order) for order in upwards] == sorted(downwards)
    assert browser.messages == []


def test_the_matrix_is_complete_without_scripts(browser, report):
    browser.set_viewport(1280)
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(report)
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.evaluate("document.querySelectorAll('table.matrix tbody tr').length") == 8
    assert browser.evaluate("document.querySelectorAll('th button').length") == 0
    assert browser.evaluate("document.querySelector('.scripted').hidden")


def test_names_with_markup_are_shown_exactly(browser, report):
    browser.set_viewport(1280)
    browser.open(report)
    names = browser.evaluate("[...document.querySelectorAll('table.matrix tbody th')].map(e => e.textContent)")
    assert "<script>alert(1)</script>" in names


def test_the_report_prints(browser, report):
    browser.set_viewport(1280)
    browser.open(report)
    assert browser.call("Page.printToPDF", printBackground=False)["data"]
    assert browser.messages == []
