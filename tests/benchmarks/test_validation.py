"""The simulated studies: drawn as stated, and judged by the report's own rule."""

import numpy as np
import pytest

from aggregate.statistics import partial
from benchmarks import validation, validation_page
from benchmarks.validation import Case, draw_models, judge, simulate, true_values


def test_a_null_has_no_relation_given_clean_accuracy():
    assert abs(true_values(Case("null"))[0]) < 0.02
    assert true_values(Case("null"))[1] > 0.3, "scores follow clean accuracy"


def test_an_effect_has_the_stated_relation():
    assert true_values(Case("effect", effect=0.5))[0] == pytest.approx(0.5, abs=0.1)


def test_models_of_a_family_are_alike():
    models = draw_models(Case("families", icc=0.5), np.random.default_rng(1))
    largest = models.benchmarks[models.families == 0].mean(axis=0)
    assert np.corrcoef(largest, models.benchmarks[0])[0, 1] > 0.5


def test_half_of_the_clean_accuracies_are_published():
    study = simulate(Case("published", published=0.5), np.random.default_rng(4))
    assert 50 < len(study.networks.published) < 94
    measured = study.table.set_index("model")["clean_accuracy"][list(study.networks.published)]
    shift = measured - np.array(list(study.networks.published.values()))
    assert shift.mean() == pytest.approx(validation.PUBLISHED_SHIFT, abs=0.05)
    assert not simulate(Case("none"), np.random.default_rng(4)).networks.published


def test_partial_correlations_of_all_scores_are_those_of_each():
    rng = np.random.default_rng(5)
    scores, robust, clean = rng.normal(size=(30, 4)), rng.normal(size=30).round(1), rng.normal(size=30)
    expected = [partial.compute_partial(column, robust, clean).p for column in scores.T]
    assert validation.partial_p(scores, robust, clean) == pytest.approx(expected, rel=1e-9)


def test_the_same_seed_gives_the_same_study():
    first, again = (simulate(Case("x", models=30), np.random.default_rng(3)) for _ in range(2))
    assert first.table.equals(again.table)
    assert first.scores == again.scores


def test_a_strong_effect_is_claimed():
    case = Case("strong", effect=0.9, images=400, models=80)
    assert judge(simulate(case, np.random.default_rng(2)), true_values(case)).claim


def test_the_page_has_a_row_for_each_case(tmp_path, monkeypatch):
    monkeypatch.setattr(validation_page, "PAGE", tmp_path / "validation.md")
    monkeypatch.setattr(validation_page, "PICTURE", tmp_path / "validation.png")
    common = {"models": 144, "images": 50, "icc": 0.3, "repetitions": 9, "coverage": 0.95, "coverage_before": 0.84}
    rows = [
        {"null": "a null", **common, "note": "measured earlier.", "any_claim": 0.04, "any_claim_before": 0.5},
        {"effect": "an effect", **common, "r": 0.29, "power": 0.6, "power_before": 0.9},
    ]
    validation_page.write_page(rows)
    text = (tmp_path / "validation.md").read_text(encoding="utf-8")
    assert "| a null | 50 | 0.3 | 9 | 4.0 % | 50.0 % | 95.0 % | 84.0 % |" in text
    assert "| an effect | 50 | 0.29 | 9 | 60.0 % | 90.0 % | 95.0 % | 84.0 % |" in text
    assert "*a null*: measured earlier." in text
    assert (tmp_path / "validation.png").stat().st_size > 1000
    assert validation.RESULTS.name == "validation.json"
