"""Tests of the rows of table.csv, counted from verdicts."""

import pytest

from aggregate.collect import table
from alignsec.spec.attack import Attack


def _rows(run, model, attack, *verdicts, **more):
    return list(table.count_rows(run.make_record(run.pair(model, attack), *verdicts, **more), "f" * 64))


def test_counts_of_verdicts(make_run):
    small, large = _rows(make_run(), "a", "autoattack-Linf", "RRRRRRctWW", "RRcctfsfWW", rejected=3)
    assert (small.eps, large.eps) == ("0.5/255", "1/255")
    assert large.eps_value == pytest.approx(1 / 255)
    assert (small.images, small.clean_correct, small.clean_accuracy) == (10, 8, 0.8)
    assert (small.robust, small.robust_accuracy) == (6, 0.6)
    assert (large.robust, large.robust_accuracy) == (2, 0.2)
    assert large.broken == (2, 1, 2, 1, 0, 0, 0, 0, 0, 0)
    assert (large.robust_low, large.robust_high) == pytest.approx((0.0252, 0.5561), abs=5e-5)
    assert (large.clean_low, large.clean_high) == pytest.approx((0.4439, 0.9748), abs=5e-5)
    assert (large.forward_passes, large.backward_passes, large.rejected) == (400, 200, 3)
    assert (large.norm, large.method, large.outcome_sha256) == ("Linf", "autoattack", "f" * 64)


def test_clean_attack_has_eps_0_and_robust_equals_correct(make_run):
    (row,) = _rows(make_run(), "a", "clean", "RRRRWWWWWW")
    assert (row.eps, row.eps_value, row.norm) == ("0", 0.0, "")
    assert (row.robust, row.robust_accuracy) == (row.clean_correct, row.clean_accuracy) == (4, 0.4)
    assert (row.forward_passes, row.backward_passes) == (10, 0)


def test_top5_is_counted_if_it_was_recorded(make_run):
    run = make_run()
    known = run.make_record(run.pair("a", "clean"), "RRWW").model_copy(update={"clean_top5": "1110"})
    rows = [*table.count_rows(known, "f" * 64), *_rows(run, "b", "clean", "RRWW")]
    assert [(row.clean_top5_correct, row.clean_top5_accuracy) for row in rows] == [(3, 0.75), (None, None)]
    lines = table.to_csv(table.make_frame(rows)).decode().splitlines()
    at = lines[0].split(",").index("clean_top5_correct")
    assert [line.split(",")[at] for line in lines[1:]] == ["3", ""]


def test_accuracy_under_a_corruption_includes_mended_images(make_run):
    """As on ImageNet-C, an image counts if it is right when corrupted, even if it is wrong when clean."""
    (row,) = _rows(make_run(), "a", "clean", "RRxWmm")
    assert (row.clean_correct, row.robust, row.broken[-2], row.mended) == (3, 4, 1, 2)


def test_deviations_list_settings_and_notes(make_run):
    quick = Attack.model_validate(
        {"name": "quick", "method": "apgd-ce", "norm": "L2", "eps": ["0.5"], "steps": 10}
    )
    (row,) = _rows(make_run(attacks=[quick]), "a", "quick", "R", notes=["3 classes: 2 targets"])
    assert row.deviations == "steps = 10 (standard: 100); 3 classes: 2 targets"


def test_no_images_give_no_accuracy(make_run):
    (row,) = _rows(make_run(), "a", "clean", "")
    assert (row.images, row.robust_accuracy, row.robust_low, row.robust_high) == (0, None, 0.0, 1.0)
    assert table.to_csv(table.make_frame([row])).count(b"\n") == 2


def test_an_empty_table_keeps_its_header():
    assert table.to_csv(table.make_frame([])).startswith(
        b"model,attack,method,norm,eps,eps_value,corruption,severity,images,"
    )


def test_columns_are_those_of_earlier_versions():
    """Expect the names and the order of earlier versions, because people's scripts read them."""
    assert table.column_names() == [
        *("model", "attack", "method", "norm", "eps", "eps_value", "corruption", "severity", "images"),
        *(
            "clean_correct",
            "clean_accuracy",
            "clean_low",
            "clean_high",
            "clean_top5_correct",
            "clean_top5_accuracy",
        ),
        *("robust", "robust_accuracy", "robust_low", "robust_high"),
        *("broken_by_apgd_ce", "broken_by_apgd_t", "broken_by_fab_t", "broken_by_square"),
        *("broken_by_apgd_dlr", "broken_by_fab", "broken_by_apgd_ce_eot", "broken_by_apgd_dlr_eot"),
        *("broken_by_corruption", "broken_by_custom"),
        *("mended", "rejected", "largest_distance", "seconds", "forward_passes", "backward_passes"),
        *("deviations", "pair", "outcome_sha256"),
        *("near_survivors", "near_audited", "near_broken", "far_survivors", "far_audited", "far_broken"),
        *("pooled_low", "pooled_high", "robust_error"),
    ]
