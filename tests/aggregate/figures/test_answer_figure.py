"""The picture of the answer: one per attack, with the correlations of the first paragraph."""

import pytest

from aggregate.figures import answer
from aggregate.figures.drawing import FigureInputs
from aggregate.report.answer import answer_question
from aggregate.statistics import tables
from tests.aggregate.statistics.simulated_study import simulated_study


@pytest.fixture(scope="module")
def inputs():
    table, scores, networks, robust = simulated_study(1.0, seed=2)
    rows = table.assign(method="autoattack", robust=0)
    return FigureInputs(rows, rows.iloc[:0], tables.compute_tables(rows, scores, networks, robust), scores)


def test_the_picture_shows_the_numbers_of_the_first_paragraph(inputs):
    (drawing,) = answer.make_drawings(inputs)
    (said,) = answer_question(inputs.table, inputs.statistics)
    assert drawing.attack == said.attack
    models, correlations = drawing.panels
    r = next(word for word in said.numbers[0].split("r\xa0=\xa0")[1:]).split(",")[0]
    assert f"average {r} (" in correlations.summary.replace("-", "−")
    assert "robust accuracy of 60 models" in models.summary
    budget = said.numbers[0].split(" at ")[1].split(" among")[0].replace("\xa0", " ")
    assert models.title.endswith(budget)


def test_without_scores_there_is_no_picture(inputs):
    without = FigureInputs(inputs.table, inputs.pairs, inputs.statistics, None)
    assert list(answer.make_drawings(without)) == []
