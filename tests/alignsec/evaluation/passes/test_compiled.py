"""Compiled network: one batch size, and the results of the eager network."""

import pytest
import torch
from torch import nn

from alignsec.evaluation.passes import compiled, precision
from tests.alignsec.engine import small
from tests.alignsec.engine.compiling import SLOTS, Backend, model_runner

pytestmark = pytest.mark.usefixtures("inductor_folder")


def test_number_of_batch_sizes_is_limited():
    backend = Backend()
    runner = model_runner(backend, most=64)
    for most in (64, 32, 16, 8):
        runner.max_batch = most
        runner.forward(small.digits()[0][:most])
        runner.forward(small.digits()[0][:most])
        runner.compiled.release()
        assert not any(program() for program in backend.programs), "a released program still holds memory"
    assert backend.compiled == compiled.MAX_SIZES
    assert runner.compiled.failure == "memory ran out at 3 batch sizes"


@pytest.mark.parametrize(("images", "full"), [(8, True), (7, True), (6, False), (1, False)])
def test_nearly_full_batches_are_padded(images, full):
    shapes = []
    backend = Backend(change=lambda results: shapes.append(len(results[0])) or results)
    runner, points = model_runner(backend), small.digits()[0][:images]
    result = runner.forward(points)
    assert shapes == ([8] if full else [])
    assert runner.take_compared() == (images if full else 0)
    assert runner.take_compared() == 0
    assert torch.allclose(result.logits, runner.classifier(points).detach(), atol=1e-4)
    assert len(result.logits) == images
    again = [(runner.forward(points), runner.take_compared())[1] for _ in range(3)]
    assert again == ([0, images, 0] if full else [0, 0, 0])


def test_padding_does_not_change_gradients():
    points, labels = (part[:7] for part in small.digits())

    def run_gradient_pass(runner):
        return runner.forward_backward(
            points, lambda lot, logits: nn.functional.cross_entropy(logits, labels[lot], reduction="none")
        )

    backend = Backend()
    result, plain = run_gradient_pass(model_runner(backend)), model_runner(backend)
    plain.compiled = None
    other = run_gradient_pass(plain)
    assert backend.run == 1
    for one, same in (
        (result.logits, other.logits),
        (result.losses, other.losses),
        (result.gradients, other.gradients),
    ):
        assert torch.allclose(one, same, rtol=1e-4, atol=1e-5)


def test_next_pass_does_not_overwrite_results():
    """The backend writes all outputs to the same memory, as replays of a CUDA graph do."""
    static = torch.empty(SLOTS, 10)
    backend = Backend(change=lambda results: (static.copy_(results[0]),))
    runner = model_runner(backend)
    first = runner.forward(small.digits()[0][:SLOTS]).logits
    kept = first.clone()
    runner.forward(1 - small.digits()[0][:SLOTS])
    assert torch.equal(first, kept)
    assert backend.run == 2


def test_record_states_compilation():
    cpu = torch.device("cpu")
    assert precision.describe_precision("fp32", cpu, compiled=True) == "search fp32 compiled, verdicts fp32"
    assert precision.describe_precision("bf16", cpu, compiled=True) == "search bf16 compiled, verdicts fp32"
    assert precision.relative_rounding("bf16", compiled=True) == precision.relative_rounding("bf16")
    assert 0 < precision.relative_rounding("fp32", compiled=True) < precision.relative_rounding("tf32")
