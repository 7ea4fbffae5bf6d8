"""Audited attacks in the report."""

from types import SimpleNamespace

import pandas as pd

from aggregate.figures import breakage, style
from aggregate.report.audit_findings import describe_audit, is_estimated

COUNTS = {
    "near_survivors": [5, None],
    "near_audited": [4, None],
    "near_broken": [1, None],
    "far_survivors": [35, None],
    "far_audited": [6, None],
    "far_broken": [0, None],
}


def test_the_summary_names_the_audited_share():
    (text,) = describe_audit(pd.DataFrame(COUNTS))
    text = text.replace("\N{NO-BREAK SPACE}", " ")
    assert "10 of 40 images that survived the screen (25.0 %)" in text
    assert "which broke 1 image." in text
    assert "p is an upper bound" in text
    assert not list(describe_audit(pd.DataFrame({"robust": [1]})))


def test_only_an_audit_that_left_out_images_gives_estimates():
    audited, other = (SimpleNamespace(**row) for row in pd.DataFrame(COUNTS).to_dict("records"))
    complete = SimpleNamespace(near_survivors=5, near_audited=5, far_survivors=35, far_audited=35)
    assert [is_estimated(row) for row in (audited, other, complete, SimpleNamespace())] == [
        True,
        False,
        False,
        False,
    ]


def test_images_that_the_audit_left_out_are_a_verdict_of_their_own():
    """Expect 30 of the 39 images that count as robust, and a colour for them."""
    broken = {breaker.column: 0 for breaker in style.breakers_from_best()}
    table = pd.DataFrame(
        {**COUNTS, "robust": [39, 8], "mended": [0, 0], "images": [50, 10], "clean_correct": [50, 9]}
    ).assign(**broken)
    counts = breakage.count_verdicts(table)
    assert counts[style.UNAUDITED_VERDICT].tolist() == [30, 0]
    assert counts["robust"].tolist() == [9, 8]
    assert counts.keys() == style.verdict_colours().keys()
