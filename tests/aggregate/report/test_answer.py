"""The first paragraph of a report: the answer, the numbers that carry it, and what they rest on."""

import numpy as np
import pandas as pd

from aggregate.report.answer import answer_question
from aggregate.statistics import sampling, tables
from aggregate.statistics.primary import choose_budget
from tests.aggregate.statistics.simulated_study import simulated_study


def _answer(effect: float, seed: int):
    table, scores, networks, robust = simulated_study(effect, seed)
    rows = table.assign(method="autoattack", robust=0)
    (answer,) = answer_question(rows, tables.compute_tables(rows, scores, networks, robust))
    return answer


def test_an_effect_is_answered_with_its_numbers():
    answer = _answer(1.0, seed=2)
    assert "more human-like models are more robust than others of the same clean accuracy" in answer.verdict
    assert len(answer.numbers) == 3
    assert answer.numbers[0].startswith("Correlation of average with robust accuracy at eps")
    assert "family-wise p" in answer.numbers[0]
    assert "beyond clean accuracy" in answer.numbers[2]
    assert answer.basis.startswith("Based on 60 models of ")
    assert "independent models" in answer.basis
    assert "Clean accuracy is measured on the study’s images" in answer.basis
    assert "analyses, " in answer.basis


def test_a_relation_that_clean_accuracy_explains_is_not_claimed():
    answer = _answer(0.0, seed=4)
    assert "does not show that more human-like models are more or less robust" in answer.verdict
    assert "is excluded" in answer.verdict
    assert "Without the adjustment for clean accuracy, at eps\xa01/255: r" in answer.numbers[1]


def test_too_few_models_give_the_reason():
    table, scores, networks, robust = simulated_study(0.0)
    rows = table[table["model"] < "m05"].assign(method="autoattack", robust=0)
    (answer,) = answer_question(rows, tables.compute_tables(rows, scores, networks, robust))
    assert answer.verdict == (
        "This study cannot answer whether more human-like models are more robust: "
        "5 models have both values; at least 8 are needed."
    )
    assert answer.numbers == ()


def test_the_budget_is_the_one_at_which_models_differ_most():
    """Six of nine models are at 0 at the larger budget: it says little, and was once chosen."""
    rng = np.random.default_rng(1)
    rows, bits = [], {}
    for eps, value, rates in (("1", 1.0, np.linspace(0.1, 0.9, 9)), ("2", 2.0, [0] * 6 + [0.02, 0.02, 0.05])):
        for at, rate in enumerate(rates):
            right = rng.random(100) < rate
            rows.append((f"m{at}", "aa", "Linf", eps, value, 100, right.mean()))
            bits[f"m{at}", "aa", eps] = np.packbits(right)
    table = pd.DataFrame(
        rows, columns=["model", "attack", "norm", "eps", "eps_value", "images", "robust_accuracy"]
    )
    assert choose_budget(table, sampling.estimate_sampling(table, bits)) == "1"
    assert choose_budget(table, sampling.estimate_sampling(table)) == "1"
