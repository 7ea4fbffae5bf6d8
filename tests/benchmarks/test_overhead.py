"""The benchmarks' counts of passes and disagreements."""

from dataclasses import replace

import pytest

from alignsec import engine
from alignsec.engine import Settings
from benchmarks.engine import list_parts
from benchmarks.overhead import RecordingClassifier, measure_overhead
from benchmarks.peers import Answer
from tests.alignsec.engine import small

TINY = ("0.0000001",)


def test_each_pass_is_recorded_with_its_extent():
    """The first clean pass keeps the graph and computes no gradient; two batches of three test the model."""
    task = small.task(True, small.attack("apgd-ce", eps=TINY, steps=2), images=3)
    recorder = RecordingClassifier(task.classifier)
    list(engine.evaluate(replace(task, classifier=recorder), settings=Settings(slots=3)))
    assert +recorder.shapes == {(3, "with graph"): 1, (3, "forward"): 3, (3, "backward"): 3}
    assert recorder.passes.forward == sum(images * count for (images, _), count in recorder.shapes.items())
    assert recorder.passes.backward == 9


def test_every_recorded_shape_is_timed():
    task = small.task(True, small.attack("square", eps=TINY, queries=2), images=3)
    took = measure_overhead(task, slots=2, repeats=1)
    assert took.engine > 0
    assert took.bare > 0
    assert took.ceiling > 0


@pytest.mark.parametrize(("other", "disagreements"), [("RcW", 0), ("RsW", 0), ("cRW", 2), ("RRW", 1)])
def test_disagreements_are_verdicts_of_which_one_is_robust(other, disagreements):
    """The component that broke an image does not matter."""
    first, second = (Answer((verdicts,), 1, 1, 1.0) for verdicts in ("RcW", other))
    assert first.count_disagreements(second) == disagreements


def test_names_of_parts_are_unique():
    """`--only` selects parts by name."""
    names = [name for name, _ in list_parts(10, 10)]
    assert len(names) == len(set(names))
