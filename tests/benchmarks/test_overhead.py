"""What the benchmarks reckon with: the passes that an evaluation makes, each as far as it goes, and ratios."""

from dataclasses import replace

import pytest

from alignsec import engine
from alignsec.engine import Settings
from benchmarks.engine import parts
from benchmarks.overhead import Watched, spent
from benchmarks.peers import Answer
from tests.alignsec.engine import small

TINY = ("0.0000001",)


def test_a_pass_is_noted_as_far_as_it_goes():
    """The look at the first images keeps what a way back would need, and never goes back."""
    task = small.task(True, small.attack("apgd-ce", eps=TINY, steps=2), images=3)
    watched = Watched(task.classifier)
    list(engine.evaluate(replace(task, classifier=watched), settings=Settings(slots=3)))
    assert +watched.shapes == {(3, "with graph"): 1, (3, "forward"): 1, (3, "backward"): 3}
    assert watched.passes.forward == sum(images * count for (images, _), count in watched.shapes.items())
    assert watched.passes.backward == 9


def test_bare_passes_are_reckoned_for_every_shape_that_there_was():
    task = small.task(True, small.attack("square", eps=TINY, queries=2), images=3)
    took = spent(task, slots=2, repeats=1)
    assert took.engine > 0
    assert took.bare > 0
    assert took.ceiling > 0


@pytest.mark.parametrize(("other", "disagreements"), [("RcW", 0), ("RsW", 0), ("cRW", 2), ("RRW", 1)])
def test_implementations_disagree_where_one_says_robust_and_the_other_does_not(other, disagreements):
    """Which component broke an image is not what is compared."""
    ours, theirs = (Answer((verdicts,), 1, 1, 1.0) for verdicts in ("RcW", other))
    assert ours.disagreements(theirs) == disagreements


def test_every_part_of_the_bench_has_a_name_of_its_own():
    """`--only` picks by name; two alike would run under one title."""
    names = [name for name, _ in parts(10, 10)]
    assert len(names) == len(set(names))
