"""The projection onto the L1 ball: the reference's result bit for bit, and the properties of a projection."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyautoattack.autopgd_base import L1_projection

from alignsec.engine.attacks.l1_ball import project_delta, select_rank

SHAPES = st.tuples(st.integers(1, 4), st.sampled_from([1, 3]), st.integers(2, 9), st.integers(2, 9))


def problem(shape, seed, dense):
    """Return images with pixels at both ends of the box, and perturbations that leave the box."""
    generator = torch.Generator().manual_seed(seed)
    clean = (torch.rand(shape, generator=generator) * 1.6 - 0.3).clamp(0, 1)
    moved = torch.rand(shape, generator=generator) < dense
    return clean, torch.randn(shape, generator=generator) * moved


@given(
    SHAPES, st.integers(0, 10_000), st.sampled_from([1.0, 0.5, 0.1, 0.0]), st.sampled_from([0.01, 0.5, 3.0, 60.0])
)
@settings(max_examples=80, deadline=None)
def test_result_equals_the_reference_bit_for_bit(shape, seed, dense, radius):
    """Expect points inside ball and box, and no change for points that are inside already."""
    clean, delta = problem(shape, seed, dense)
    change = project_delta(clean, delta, torch.full((shape[0],), radius))
    assert torch.equal(change, L1_projection(clean, delta, radius))
    there = delta + change
    assert (there.abs().flatten(1).sum(1) <= radius + 1e-4).all()
    assert ((clean + there > -1e-6) & (clean + there < 1 + 1e-6)).all()
    assert project_delta(clean, there, torch.full((shape[0],), radius)).abs().max() < 1e-4


@pytest.mark.parametrize("seed", range(4))
def test_no_other_point_of_ball_and_box_is_nearer(seed):
    """Expect an obtuse angle between the projection direction and the direction to any other point inside both."""
    clean, delta = problem((1, 1, 6, 6), seed, 1.0)
    nearest = delta + project_delta(clean, delta, torch.tensor([2.0]))
    _, other = problem((200, 1, 6, 6), seed + 100, 0.5)
    other = other + project_delta(clean.expand_as(other), other, torch.full((200,), 2.0))
    assert (((delta - nearest) * (other - nearest)).flatten(1).sum(1) <= 1e-4).all()


def test_ranks_may_differ_between_rows():
    values = torch.tensor([[3.0, 1.0, 2.0], [5.0, 5.0, 4.0]])
    assert select_rank(values, torch.tensor([0, 2])).tolist() == [1.0, 5.0]
