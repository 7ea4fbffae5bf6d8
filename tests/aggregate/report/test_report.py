"""The HTML of the report: escaping, states, deviations, provenance."""

import dataclasses
import html
import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from aggregate.analysis import analyse
from aggregate.report.report import render_report
from alignsec.run.event_log import EventLog
from alignsec.spec.attack import Attack

HOSTILE = "<script>alert(1)</script>"
AWKWARD = ['a\'; echo "x"', "$x^2$", "100% & more", "模型", "line\nbreak", "\x1b[31mred", "#0072b2 fill: #1c1d21"]


class _Page(HTMLParser):
    """A parser that collects tags with attributes and ids, and end tags that do not match."""

    VOID = frozenset({"meta", "link", "br", "path", "use", "rect", "input", "image"})

    def __init__(self):
        super().__init__()
        self.tags, self.ids, self.open, self.wrong = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids.extend(value for name, value in attrs if name == "id")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in self.VOID and (not self.open or self.open.pop() != tag):
            self.wrong.append(tag)


def _report(run):
    return analyse(
        run.folder, run.folder.outcomes, EventLog(run.folder.events), run.folder.analysis
    ).report.read_text(encoding="utf-8")


def _page(text):
    page = _Page()
    page.feed(text)
    return page


@pytest.fixture
def hostile_run(make_run):
    """A run whose names, reasons, notes and scores contain markup."""
    names = [HOSTILE, *AWKWARD]
    attack = Attack.model_validate(
        {"name": '"><img src=x onerror=alert(2)>', "method": "autoattack", "norm": "Linf", "eps": ["1/255"]}
    )
    rows = "".join(f'"{name.replace(chr(34), chr(34) * 2)}",{at / 9},{at}\n' for at, name in enumerate(names[:-1]))
    run = make_run(
        models=names, attacks=[attack], scores=f"Model,average_vision,<b>V1</b>\n{rows}<i>other</i>,1,1\n"
    )
    for at, name in enumerate(names[:-1]):
        run.write_record(name, attack.name, "R" * at + "c" * (9 - at) + "W", notes=["<u>note</u>"])
    run.write_failure(names[-1], attack.name, "</td><script>alert(3)</script>")
    return run


def test_names_with_markup_are_escaped(hostile_run):
    text = _report(hostile_run)
    page = _page(text)
    assert html.escape(HOSTILE) in text
    assert [tag for tag, _ in page.tags if tag in ("img", "b", "i", "u", "script")].count("script") == 3, (
        "data, chart library, scripts of the page"
    )
    assert not {"img", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    for markup in ("<b>V1</b>", "<i>other</i>", "<u>note</u>", "<script>alert", "<img"):
        assert markup not in text


def test_the_page_is_well_formed_and_has_no_external_address(hostile_run):
    text = _report(hostile_run)
    page = _page(text)
    assert (page.wrong, page.open) == ([], [])
    assert len(page.ids) == len(set(page.ids))
    addresses = [a.get(name) for _, a in page.tags for name in ("src", "href", "xlink:href") if a.get(name)]
    assert {address[0] for address in addresses if not address.startswith("data:")} == {"#"}
    models = {unquote(address[7:]) for address in addresses if address.startswith("#model/")}
    assert models == {HOSTILE, *AWKWARD}
    targets = {address[1:] for address in addresses if not address.startswith(("#model/", "data:"))}
    assert targets <= set(page.ids)
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(page.ids)
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_figures_have_text_alternatives_and_tables_have_scopes(hostile_run):
    page = _page(_report(hostile_run))
    pictures = [a for tag, a in page.tags if tag == "svg"]
    assert len(pictures) == 8
    assert all(a["role"] == "img" and a["aria-label"] for a in pictures)
    assert all("scope" in a for tag, a in page.tags if tag == "th")


def test_every_table_can_be_skipped_and_has_a_name_of_its_own(hostile_run):
    """Two regions with one name are one landmark to a screen reader (axe: landmark-unique)."""
    page = _page(_report(hostile_run))
    tables = [one for tag, one in page.tags if tag == "div" and "scroll" in one.get("class", "").split()]
    skips = [attributes["href"] for _, attributes in page.tags if attributes.get("class") == "skip"]
    assert len(skips) == len(tables) + 1  # and the link to the main content
    assert {href.removeprefix("#") for href in skips} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    names = [attributes["aria-label"] for _, attributes in page.tags if attributes.get("role") == "region"]
    assert len(names) == len(set(names)) > 8


def test_warnings_are_grouped_and_capped(paper_inputs):
    failed = [f"The table t{at} failed." for at in range(8)]
    text = render_report(dataclasses.replace(paper_inputs, failed=failed, drawings=[])).decode()
    first, _, rest = text.partition("3 more warnings")
    assert first.count("The table t") == 5
    assert rest.count("The table t") == 3


def test_pairs_that_are_not_ok_are_in_the_matrix_and_in_the_list(make_run):
    run = make_run(models=["fine", "gone"])
    for attack, *verdicts in (("clean", "RRRW"), ("autoattack-Linf", "RRcW", "RccW")):
        run.write_record("fine", attack, *verdicts)
    run.write_failure("gone", "autoattack-Linf", "weights hold NaN")
    text = _report(run)
    assert "Incomplete: 2 of 4 pairs ok" in text
    assert "<b>1</b> × weights hold NaN" in text
    assert text.count('<span class="state failed">failed</span>') == 3
    assert text.count('<span class="state missing">missing</span>') == 2


@pytest.mark.parametrize(
    ("attack", "sentence"),
    [
        ({"method": "autoattack"}, "AutoAttack, standard version, Linf, with standard settings."),
        (
            {"method": "autoattack", "steps": 10},
            "<b>Not standard AutoAttack</b> (Linf): steps = 10 (standard: 100).",
        ),
        (
            {"method": "autoattack", "search": "bf16", "eps": ["1/255", "2/255"], "carry": True},
            "<b>Not standard AutoAttack</b> (Linf): searched in bf16, successes judged again in fp32 (standard: "
            "all in fp32); images broken at one budget count as broken at larger ones without an attack there",
        ),
        (
            {"method": "python:pgd", "options": {"steps": 4}},
            "<b>Custom attack</b>, not AutoAttack: python:pgd (Linf), a function of the study with steps = 4; "
            "code eeeeeeeeeeee (SHA-256).",
        ),
        ({"method": "square"}, "<b>Not AutoAttack</b>: only its component square (Linf)."),
    ],
)
def test_deviations_are_labelled(make_run, attack, sentence):
    chosen = Attack.model_validate({"name": "x", "norm": "Linf", "eps": ["1/255"], **attack})
    run = make_run(models=["a"], attacks=[chosen])
    run.write_record("a", "x", *["RRcW"] * len(chosen.eps), notes=["3 classes, so 2 targets"])
    text = _report(run)
    assert sentence in text
    assert "Note in the outcomes of every ok model: 3 classes, so 2 targets" in text


def test_provenance_and_scores_are_in_the_report(make_run):
    run = make_run(models=["a"], scores="Model,V1\nb,1\n")
    run.write_record("a", "clean", "RRRW")
    text = _report(run)
    weights = run.pair("a", "clean").model.weights.sha256
    for fact in (run.plan.study_sha256, run.plan.images.sha256, run.plan.code_sha256, weights):
        assert fact in text
    for fact in (
        "NVIDIA A100",
        "gpu01",
        "torch 2.13.0",
        "made by hand",
        "@misc{made,",
        "@software{alignsec,",
        "Models without a row (1): a.",
    ):
        assert fact in text


def test_a_run_without_outcomes_has_a_report(make_run):
    text = _report(make_run(models=["a"]))
    assert "No results: " in text
    assert "No pair is ok, so there are no figures." in text
    assert _page(text).wrong == []
