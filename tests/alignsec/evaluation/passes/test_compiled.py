"""Passes through torch.compile: at one size, with the results of the network as it is."""

import pytest
import torch
from torch import nn

from alignsec.evaluation.passes import compiled, precision
from tests.alignsec.engine import small
from tests.alignsec.engine.compiling import SLOTS, Backend, passage_of

pytestmark = pytest.mark.usefixtures("inductor_folder")


def test_sizes_to_compile_for_are_few():
    backend = Backend()
    passage = passage_of(backend, most=64)
    for most in (64, 32, 16, 8):
        passage.max_batch = most
        passage.forward(small.digits()[0][:most])
        passage.forward(small.digits()[0][:most])
        passage.compiled.release()
        assert not any(program() for program in backend.programs), "it keeps the memory that ran out"
    assert backend.compiled == compiled.MAX_SIZES
    assert passage.compiled.failure == "memory ran out at 3 batch sizes"


@pytest.mark.parametrize(("images", "full"), [(8, True), (7, True), (6, False), (1, False)])
def test_lots_that_are_nearly_full_are_filled_up(images, full):
    shapes = []
    backend = Backend(change=lambda results: shapes.append(len(results[0])) or results)
    passage, points = passage_of(backend), small.digits()[0][:images]
    seen = passage.forward(points)
    assert shapes == ([8] if full else [])
    assert passage.take_compared() == (images if full else 0)
    assert passage.take_compared() == 0
    assert torch.allclose(seen.logits, passage.classifier(points).detach(), atol=1e-4)
    assert len(seen.logits) == images
    again = [(passage.forward(points), passage.take_compared())[1] for _ in range(3)]
    assert again == ([0, images, 0] if full else [0, 0, 0])


def test_gradients_of_a_filled_up_lot_are_its_own():
    points, labels = (part[:7] for part in small.digits())

    def climbed(passage):
        return passage.forward_backward(
            points, lambda lot, logits: nn.functional.cross_entropy(logits, labels[lot], reduction="none")
        )

    backend = Backend()
    seen, plain = climbed(passage_of(backend)), passage_of(backend)
    plain.compiled = None
    other = climbed(plain)
    assert backend.run == 1
    for one, same in ((seen.logits, other.logits), (seen.losses, other.losses), (seen.gradients, other.gradients)):
        assert torch.allclose(one, same, rtol=1e-4, atol=1e-5)


def test_what_a_pass_gave_is_not_written_over_by_the_next():
    """As with CUDA graphs: every replay writes its outputs to the same place."""
    static = torch.empty(SLOTS, 10)
    backend = Backend(change=lambda results: (static.copy_(results[0]),))
    passage = passage_of(backend)
    first = passage.forward(small.digits()[0][:SLOTS]).logits
    kept = first.clone()
    passage.forward(1 - small.digits()[0][:SLOTS])
    assert torch.equal(first, kept)
    assert backend.run == 2


def test_the_record_says_what_was_compiled():
    cpu = torch.device("cpu")
    assert precision.describe_precision("fp32", cpu, compiled=True) == "search fp32 compiled, verdicts fp32"
    assert precision.describe_precision("bf16", cpu, compiled=True) == "search bf16 compiled, verdicts fp32"
    assert precision.relative_rounding("bf16", compiled=True) == precision.relative_rounding("bf16")
    assert 0 < precision.relative_rounding("fp32", compiled=True) < precision.relative_rounding("tf32")
