"""The projection onto a hyperplane, compared with slow exact solvers, and its defining properties."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from alignsec.engine.attacks.projection import project, solve_level


def problems(count: int, pixels: int, seed: int):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(count, pixels, generator=generator)
    x[:, 0] = 0  # a pixel at the edge of the box has no room on one side
    w = torch.randn(count, pixels, generator=generator)
    w[:, 1] = 0
    return x, w, torch.randn(count, generator=generator)


@given(seed=st.integers(0, 10_000), pixels=st.integers(2, 40), norm=st.sampled_from(["Linf", "L2"]))
@settings(max_examples=60, deadline=None)
def test_result_is_on_the_hyperplane_or_in_the_nearest_corner(seed, pixels, norm):
    x, w, gap = problems(5, pixels, seed)
    d = project(x, w, gap, norm)
    there = x + d
    assert (there >= -1e-6).all()
    assert (there <= 1 + 1e-6).all()
    left = gap + (w * d).sum(1)
    sign = torch.where(gap >= 0, 1.0, -1.0).unsqueeze(1)
    reach = (w.abs() * torch.where(w * sign > 0, x, 1 - x)).sum(1)
    short = (gap.abs() - reach).clamp(min=0)
    assert torch.allclose(left.abs(), short, atol=1e-4)
    assert (d[w == 0] == 0).all()


@pytest.mark.parametrize("seed", range(6))
def test_linf_result_equals_the_optimum_of_the_linear_program(seed):
    x, w, gap = (part[0].double().numpy() for part in problems(1, 12, seed))
    gap = 0.4 * gap
    ours = (
        project(*(part.float() for part in map(torch.tensor, (x[None], w[None], [gap]))), "Linf")
        .abs()
        .max()
        .item()
    )
    # Variables: d and t; minimise t with |d_i| <= t and <w, d> = -gap.
    eye, one = np.eye(12), np.ones((12, 1))
    best = linprog(
        [0] * 12 + [1],
        A_ub=np.block([[eye, -one], [-eye, -one]]),
        b_ub=np.zeros(24),
        A_eq=[[*w, 0]],
        b_eq=[-gap],
        bounds=[*zip(-x, 1 - x, strict=True), (0, None)],
    )
    assert best.success
    assert ours == pytest.approx(best.fun, rel=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_l2_result_equals_the_optimum_of_the_quadratic_program(seed):
    x, w, gap = (part[0].double().numpy() for part in problems(1, 12, seed))
    gap = 0.4 * gap
    ours = project(*(part.float() for part in map(torch.tensor, (x[None], w[None], [gap]))), "L2").norm().item()
    best = minimize(
        lambda d: (d**2).sum(),
        np.zeros(12),
        jac=lambda d: 2 * d,
        bounds=list(zip(-x, 1 - x, strict=True)),
        constraints={"type": "eq", "fun": lambda d: w @ d + gap, "jac": lambda d: w},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert best.success
    assert ours == pytest.approx(best.fun**0.5, rel=1e-3)


def test_zero_weights_give_no_displacement():
    x = torch.rand(2, 5)
    for norm in ("Linf", "L2"):
        assert (project(x, torch.zeros(2, 5), torch.tensor([1.0, 0.0]), norm) == 0).all()


def test_level_is_infinite_without_enough_room():
    rooms = torch.tensor([[0.5, 1.0], [0.5, 1.0]])
    t = solve_level(torch.ones(2, 2), rooms, torch.tensor([1.25, 9.0]))
    assert t.tolist() == [0.75, torch.inf]
