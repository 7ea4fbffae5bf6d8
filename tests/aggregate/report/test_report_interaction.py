"""The report in a browser when used: search, chart, pages of models, keyboard, print, and full size."""

import csv
import json
import os
import shutil

import pytest

from aggregate.report import report as reports
from tests.aggregate import chromium, paper_study

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(PROGRAM is None and not os.environ.get("CI"), reason="chromium is not on PATH")

HOSTILE = '</script><img src=x onerror=alert(1)>&amp;<b>"%41/#é'
_ALL = "document.querySelectorAll"
DRAWN = """new Promise((done, fail) => { const end = Date.now() + 30000; (function check() {
  if (document.querySelector('#chart[data-drawn] .points path')) done(true);
  else if (Date.now() > end) fail(new Error('no chart')); else setTimeout(check, 20); })(); })"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    assert PROGRAM, "CI is set, but chromium is not on PATH: apt-get install chromium"
    with chromium.started(PROGRAM, tmp_path_factory.mktemp("browser") / "profile") as running:
        yield running


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A report of fourteen models with scores; one name contains markup, one pair failed, one is missing."""
    folder = tmp_path_factory.mktemp("explored")
    run = paper_study.write_study(folder / "run", models=14, images=50, rename={"swin10.a1_in1k": HOSTILE})
    path = folder / "report.html"
    path.write_bytes(reports.render_report(paper_study.make_inputs(run)))
    return path


@pytest.fixture
def opened(browser, page):
    browser.set_viewport(1280)
    browser.open(page)
    assert browser.evaluate(DRAWN)
    yield browser
    assert browser.messages == []
    # A download of the page's own data is a request with an address of its own kind.
    assert [one for one in browser.requests if not one.startswith("blob:")] == [page.absolute().as_uri()]


def _key(browser, key, **more):
    browser.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, **more)
    browser.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key)


def _visit(browser, name):
    browser.evaluate(f"location.hash = '#model/' + encodeURIComponent({json.dumps(name)})")
    browser.evaluate("new Promise(done => setTimeout(done, 50))")


def _point(browser, at):
    """Return the position of a point of the chart on the screen."""
    browser.evaluate("document.getElementById('chart').scrollIntoView({block: 'center', behavior: 'instant'})")
    return browser.evaluate(
        f"""(() => {{ const box = document.querySelectorAll('#chart .points path')[{at}].getBoundingClientRect();
          return [box.x + box.width / 2, box.y + box.height / 2]; }})()"""
    )


def test_search_shows_the_rows_that_contain_the_text(opened):
    opened.evaluate("document.querySelector('[data-searches=matrix-table]').focus()")
    opened.call("Input.insertText", text=" ViT_ ")
    names = opened.evaluate(
        "[...document.querySelectorAll('#matrix-table tbody tr:not([hidden]) th')].map(e => e.textContent)"
    )
    assert names
    assert all("vit_" in name for name in names)
    assert opened.evaluate("document.getElementById('matrix-found').textContent") == f"{len(names)} of 14"


def test_every_table_is_saved_as_csv(opened, tmp_path):
    """Headings of two rows are joined, and a name that a spreadsheet takes for a formula is quoted."""
    opened.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    regions, buttons = (opened.evaluate(f"{_ALL}({json.dumps(css)}).length") for css in (
        "main div.scroll", "main .saving button"))  # fmt: skip
    assert regions == buttons > 8
    opened.evaluate("document.querySelector('#matrix .saving button').click()")
    path = tmp_path / "accuracy-by-model-and-budget.csv"
    for _ in range(200):
        if path.exists() and path.stat().st_size:
            break
        opened.evaluate("new Promise(done => setTimeout(done, 50))")
    head, *rows = csv.reader(path.read_text(encoding="utf-8-sig").splitlines())
    assert head[:2] == ["Model", "clean"]  # no model has a top-5 accuracy
    assert head[2].startswith("autoattack-linf eps")
    assert len(rows) == 14
    assert {len(row) for row in rows} == {len(head)}
    assert HOSTILE in {row[0] for row in rows}
    assert opened.evaluate("csvText(element('td', {}, '=1+1'))") == "'=1+1"
    assert opened.evaluate("csvText(element('td', {}, '−0.5'))") == "-0.5"


def test_the_hover_label_shows_the_exact_name(opened):
    """The library interprets tags and entities in labels, so names are escaped."""
    names = opened.evaluate("[...document.querySelectorAll('#points tbody th')].map(e => e.textContent)")
    assert HOSTILE in names
    for name in (HOSTILE, names[0]):
        x, y = _point(opened, names.index(name))
        opened.call("Input.dispatchMouseEvent", type="mouseMoved", x=x - 1, y=y)
        opened.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        opened.evaluate("new Promise(done => setTimeout(done, 120))")
        shown = opened.evaluate("document.querySelector('#chart .hovertext')?.textContent")
        assert shown is not None
        assert shown.startswith(name)
    assert opened.evaluate("document.querySelectorAll('#chart image, #chart img').length") == 0


def test_the_chart_and_its_table_show_the_selected_score_and_budget(opened):
    opened.evaluate(
        """(() => { const [score, budget] = ['score', 'budget'].map(id => document.getElementById(id));
          score.value = 'clean'; budget.value = '0'; score.dispatchEvent(new Event('change')); })()"""
    )
    rows = opened.evaluate(f"[...{_ALL}('#points tbody tr')].map(r => [...r.cells].map(c => c.dataset.order))")
    assert len(rows) == 14
    assert all(x == y for _, x, y in rows), "clean accuracy against clean accuracy"
    groups = opened.evaluate("[...document.querySelectorAll('#score optgroup')].map(g => g.label)")
    assert groups == ["average and categories", "neural", "behavior", "engineering"]
    opened.evaluate("document.getElementById('score').value = '0'")
    opened.evaluate("document.getElementById('score').dispatchEvent(new Event('change'))")
    assert "Spearman’s r = " in opened.evaluate("document.getElementById('relation').textContent")


@pytest.mark.parametrize("width", [1400, 390])
def test_long_axis_titles_are_not_cut(opened, width):
    opened.set_viewport(width)
    opened.evaluate(
        "data.budgets[$('budget').value].label = 'autoattack-of-a-study-with-a-very-long-name, eps 0.001, again';"
        "data.scores[$('score').value].name = 'Author2020.area-of-the-brain-with-a-long-name-pls.v2-second-half';"
        "drawChart().then(() => true)"
    )
    cut = opened.evaluate(
        "(() => { const box = chart.getBoundingClientRect(); return ['.xtitle', '.ytitle'].filter(css => {"
        " const one = chart.querySelector(css).getBoundingClientRect();"
        " return one.left < box.left || one.right > box.right || one.top < box.top || one.bottom > box.bottom;"
        " }) })()"
    )
    assert cut == []


def test_arrow_keys_select_a_model_and_enter_opens_its_page(opened):
    opened.evaluate("document.getElementById('chart').focus()")
    for key in ("End", "ArrowRight", "Home", "ArrowRight"):
        _key(opened, key)
    second = opened.evaluate("document.querySelectorAll('#points tbody th')[1].textContent")
    assert opened.evaluate("document.getElementById('selected').textContent").startswith(f"{second}: score ")
    _key(opened, "Enter")
    opened.evaluate("new Promise(done => setTimeout(done, 50))")
    assert opened.evaluate("document.getElementById('model-heading').textContent") == second
    assert opened.evaluate("document.activeElement.id") == "model-heading", (
        "a screen reader announces the new page"
    )


def test_the_address_of_a_model_opens_its_page(browser, page):
    browser.set_viewport(1280)
    browser.open(page)
    _visit(browser, HOSTILE)
    text = browser.evaluate("document.getElementById('model').innerText")
    assert browser.evaluate("document.getElementById('main').hidden")
    for part in (HOSTILE, "timm:", "SHA-256", "gpu01", "autoattack-linf", "wrong when clean", " of 14"):
        assert part in text
    rows = browser.evaluate(
        f"[...{_ALL}('#verdicts tbody tr')].map(r => [...r.cells].slice(4, -2).map(c => +c.textContent))"
    )
    assert rows
    assert all(sum(row) == 50 for row in rows), "verdicts add up to all images"
    assert browser.evaluate("document.title").startswith(HOSTILE)
    browser.evaluate("document.querySelector('.model-links a').click()")
    browser.evaluate("new Promise(done => setTimeout(done, 50))")
    assert browser.evaluate("document.getElementById('model').hidden")
    assert browser.evaluate("document.querySelectorAll('img').length") == 0
    assert browser.messages == []


def test_matrix_links_open_model_pages_and_unknown_models_the_overview(opened):
    names = opened.evaluate("[...document.querySelectorAll('#matrix-table tbody th')].map(e => e.textContent)")
    at = names.index(HOSTILE)
    opened.evaluate(f"document.querySelectorAll('#matrix-table tbody th a')[{at}].click()")
    opened.evaluate("new Promise(done => setTimeout(done, 50))")
    assert opened.evaluate("document.getElementById('model-heading').textContent") == HOSTILE
    for wrong in ("#model/nobody", "#model/%E0%A4%A"):
        opened.evaluate(f"location.hash = '{wrong}'")
        opened.evaluate("new Promise(done => setTimeout(done, 50))")
        assert not opened.evaluate("document.getElementById('main').hidden")


def test_the_page_of_a_model_gives_the_reason_of_a_failed_pair(opened):
    failed = opened.evaluate(
        "JSON.parse(document.getElementById('data').textContent).models.find((m, at) => "
        "JSON.parse(document.getElementById('data').textContent).pages[at].pairs.some(p => p.state === 'failed'))"
    )
    _visit(opened, failed)
    assert "failed: weights hold NaN" in opened.evaluate("document.getElementById('pairs-of-model').innerText")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_chart_and_model_page_fit_a_phone_in_light_and_dark(browser, page, dark):
    browser.set_viewport(390, dark=dark, phone=True)
    browser.open(page)
    assert browser.evaluate(DRAWN)
    ink = browser.evaluate("getComputedStyle(document.querySelector('#chart .xtick text')).fill")
    assert ink == ("rgb(233, 234, 237)" if dark else "rgb(28, 29, 33)")
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    _visit(browser, HOSTILE)
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert browser.messages == []


def test_every_control_has_a_name_and_keyboard_focus(opened):
    nameless = opened.evaluate(
        """[...document.querySelectorAll('a, button, input, select, summary, [tabindex="0"]')].filter(e =>
          !(e.textContent.trim() || e.ariaLabel || e.labels?.length ||
            document.getElementById(e.getAttribute('aria-labelledby')))
        ).filter(e => e.checkVisibility()).map(e => e.outerHTML)"""
    )
    assert nameless == []
    assert opened.evaluate("[...document.querySelectorAll('[tabindex]')].every(e => e.tabIndex <= 0)")


def test_a_report_of_full_size_opens_and_prints(browser, paper_inputs, tmp_path):
    """144 models, 105 benchmarks, six budgets: a file below 8 MB, small enough for a mail."""
    path = tmp_path / "report.html"
    path.write_bytes(reports.render_report(paper_inputs))
    assert path.stat().st_size < 8_000_000
    browser.set_viewport(1280)
    browser.open(path)
    assert browser.evaluate(DRAWN)
    assert browser.evaluate("document.querySelectorAll('#matrix-table tbody tr').length") == 144
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert browser.evaluate("document.querySelectorAll('body *').length") < 60_000
    printed = browser.call("Page.printToPDF", printBackground=True)["data"]
    assert len(printed) > 100_000
    assert browser.evaluate("document.querySelector('#chart svg').clientWidth") > 640, (
        "the chart has its width back after printing"
    )
    assert browser.messages == []
    assert browser.requests == [path.absolute().as_uri()]
