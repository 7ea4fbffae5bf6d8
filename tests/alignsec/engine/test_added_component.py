"""A component that is not part of alignsec: one file and one record suffice, from the study to the figure."""

import pandas as pd
import pytest

from aggregate.collect import table
from aggregate.figures import breakage, style
from alignsec.run import outcome_file
from alignsec.run.outcome import Record
from alignsec.spec.components import COMPONENTS, Component
from alignsec.spec.deviations import describe_deviations
from submit.requests.attack_cost import estimate_attack_cost
from tests import tiny
from tests.alignsec.engine import small
from tests.alignsec.engine.random_search import RANDOM_SEARCH
from tests.alignsec.study.study_text import GOOD, errors, load

STUDY = GOOD + '[[attacks]]\nmethod = "random-search"\nnorm = "L2"\neps = ["1", "3"]\nqueries = 20\n'


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Component:
    """Add the component to the table of components for one test."""
    monkeypatch.setitem(COMPONENTS, RANDOM_SEARCH.name, RANDOM_SEARCH)
    return RANDOM_SEARCH


def test_a_component_without_a_record_is_rejected(tmp_path):
    (error,) = errors(tmp_path, STUDY)
    assert (error.field, error.given) == ("attacks[2].method", '"random-search"')
    assert "fab-t" in error.remedy


@pytest.mark.usefixtures("registered")
def test_an_added_component_passes_from_the_study_to_the_figure(tmp_path):
    """Expect its verdicts in the outcome file, its column in the table and its bar in the figure."""
    attack = load(tmp_path, STUDY).attacks[-1]
    assert attack.components == ("random-search",)
    assert describe_deviations(attack) == ("queries = 20 (standard: 5000)",)
    assert estimate_attack_cost(attack).robust.forward == 1 + 2 * 20

    found = small.finished(small.task(False, attack, images=12))
    small_budget, large_budget = small.verdicts(found)
    assert set(small_budget + large_budget) <= set("RWr")
    assert 0 < large_budget.count("r") > small_budget.count("r")
    assert found.budgets[0].passes["random-search"].backward == 0

    record = tiny.record(
        tiny.pair(attack=attack),
        (small_budget, large_budget),
        classes=found.classes,
        budgets=found.budgets,
        labels=[0] * 12,
    )
    path = tmp_path / "outcome.json"
    outcome_file.write(path, record)
    read = outcome_file.parse(path.read_bytes())
    assert isinstance(read, Record)
    assert read.legend["r"] == "broken by random-search"

    data = table.make_frame(table.count_rows(read, "f" * 64))
    assert list(data["broken_by_random_search"]) == [small_budget.count("r"), large_budget.count("r")]
    assert breakage.list_verdicts(data) == ["robust", "broken by random-search"]
    assert style.verdict_colours()["broken by random-search"] == RANDOM_SEARCH.colour
    (drawing,) = breakage.make_drawings(data)
    svg = drawing.svg(drawing.panels[0], "p-")
    assert "broken by random-search" in svg
    assert RANDOM_SEARCH.colour in svg


@pytest.mark.usefixtures("registered")
def test_the_reference_does_not_have_it(tmp_path):
    (error,) = errors(tmp_path, STUDY + 'implementation = "reference"\n')
    assert 'has implementation = "reference", but pyautoattack does not have random-search' in error.remedy


def test_the_columns_without_it_are_unchanged():
    assert not [name for name in table.column_names() if "random" in name]
    assert isinstance(table.make_frame([]), pd.DataFrame)
