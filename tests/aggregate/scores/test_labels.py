"""Tests of the labels of scores."""

import re

import pytest

from aggregate.analysis import analyse
from aggregate.scores.labels import score_label
from alignsec.run.event_log import EventLog

SCORES = "Model,average_vision,neural_vision,V1,V2,behavior_vision,x-i2n\n" + "".join(
    f"{name},.{at}5,.{at},.{2 * at},,.{at},.{(3 * at) % 7}\n" for at, name in enumerate("abcd", 1)
)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("average_vision", "average"),
        ("average_vision_recomputed", "average (recomputed)"),
        ("neural_vision", "neural"),
        ("neural_vision_recomputed", "neural (recomputed)"),
        ("V1", "V1"),
        ("Geirhos2021-top1", "Geirhos2021-top1"),
        ("", ""),
    ],
)
def test_label_of_each_kind_of_score(name, label):
    """A benchmark keeps its name; an average or a category loses the suffix `_vision`."""
    assert score_label(name) == label


def test_a_recomputed_average_has_one_label_in_the_whole_analysis(make_run):
    """Every text output prints "average (recomputed)"; only the CSV files have the raw name."""
    run = make_run(models=list("abcd"), scores=SCORES)
    for at, name in enumerate("abcd", 1):
        run.write_record(name, "clean", "R" * 9 + "W")
        run.write_record(
            name, "autoattack-Linf", "R" * (2 * at) + "c" * (9 - 2 * at) + "W", "R" * at + "c" * (9 - at) + "W"
        )
    analyse(run.folder, run.folder.outcomes, EventLog(run.folder.events), run.folder.analysis)
    assert "average_vision_recomputed" in (run.folder.analysis / "correlations.csv").read_text(encoding="utf-8")
    page = run.folder.analysis.joinpath("report.html").read_text(encoding="utf-8")
    page = re.sub(r'<script type="text/plain".*?</script>', "", page, flags=re.DOTALL)
    tables = [path.read_text(encoding="utf-8") for path in (run.folder.analysis / "tables").iterdir()]
    for text in (page, *tables):
        assert "_recomputed" not in text.replace("\\_", "_")
    for text in (page, "".join(tables)):
        found = set(re.findall(r"average(?!s)[^<>\"“”&]{0,14}?recomputed\)?", text))
        assert found == {"average (recomputed)"}
