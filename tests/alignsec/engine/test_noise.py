"""Random numbers of the searches: keyed to the image, or drawn in the reference's order."""

import pytest
import torch

from alignsec.engine.attacks.components import plan_stages
from alignsec.engine.noise import CHUNK, KeyedNoise, numbers_per_step, tile_count
from alignsec.engine.replay import ReplayNoise
from alignsec.engine.search import Search, StageRun
from tests.alignsec.engine import small

PLAN = plan_stages(small.attack("autoattack", restarts=2), classes=10)
SHAPE = (3, 8, 9)


def search(image, place=0, number=0, budget=0):
    return Search(StageRun(image, place, PLAN[place], [budget]), number, budget)


def keyed(norm="Linf", seed=0, order=(0, 1, 2)):
    pixels = torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(5))
    return KeyedNoise(seed, norm, pixels[list(order)])


@pytest.mark.parametrize("norm", ["Linf", "L2", "L1"])
def test_keyed_noise_depends_on_the_image_not_on_its_position(norm):
    here = keyed(norm).directions([search(0), search(1)])
    elsewhere = keyed(norm, order=(2, 1, 0)).directions([search(1), search(2)])
    assert torch.equal(here[1], elsewhere[0])
    assert torch.equal(here[0], elsewhere[1])
    assert here.shape == (2, *SHAPE)


def test_keyed_noise_depends_on_everything_but_the_budget():
    """Expect other numbers for another seed, image, component, target, restart or chunk."""
    first = keyed().directions([search(0)])
    others = [
        keyed(seed=1).directions([search(0)]),
        keyed().directions([search(1)]),
        *(keyed().directions([search(0, place=1, number=number)]) for number in range(4)),
    ]
    for index, one in enumerate(others):
        assert not torch.equal(first, one)
        assert not any(torch.equal(one, other) for other in others[:index])
    assert torch.equal(first, keyed().directions([search(0, budget=1)]))
    a, b = keyed().square_steps([search(0, 3), search(0, 3)], [1, 1 + CHUNK])
    assert not torch.equal(a, b)


def test_directions_are_uniform_in_linf_and_normal_in_l2_and_l1():
    linf, l2, l1 = (keyed(norm).directions([search(0), search(1), search(2)]) for norm in ("Linf", "L2", "L1"))
    assert linf.abs().max() <= 1
    assert linf.std() == pytest.approx(3**-0.5, rel=0.05)
    assert l2.std() == pytest.approx(1, rel=0.1)
    assert torch.equal(l1, l2)


def test_drawing_does_not_use_the_global_generator():
    before = torch.get_rng_state()
    keyed().directions([search(0)])
    replay = ReplayNoise(0, "L2", SHAPE, 10)
    replay.square_start([search(0, 3)])
    replay.square_steps([search(0, 3)], [1])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("norm", ["Linf", "L2", "L1"])
def test_replayed_directions_are_the_global_generator_s_draws(norm):
    """Expect one draw for all images that are still robust."""
    replay = ReplayNoise(7, norm, SHAPE, batch=10)
    drawn = [replay.directions([search(image) for image in images]) for images in ((0, 1, 4), (1, 4))]
    torch.manual_seed(7)
    for one in drawn:
        expected = 2 * torch.rand(one.shape) - 1 if norm == "Linf" else torch.randn(one.shape)
        assert torch.equal(one, expected)
        for _ in range(3 if norm == "L1" else 0):
            torch.randn(one.shape)


def test_replayed_windows_share_positions_but_not_signs():
    """Expect that each step in L2 draws the shared numbers first, then the signs of each remaining image."""
    replay = ReplayNoise(7, "L2", SHAPE, batch=10)
    searches = [search(image, 3) for image in range(3)]
    start = replay.square_start(searches)
    steps = [replay.square_steps(left, [1] * len(left)) for left in (searches, searches[1:])]
    torch.manual_seed(7)
    for tile in range(tile_count(SHAPE)):
        assert torch.equal(start[:, tile, 0], torch.rand(1).expand(3))
        assert torch.equal(start[:, tile, 1:], torch.rand(3, 3))
    for one in steps:
        assert one.shape[1:] == (1, numbers_per_step(SHAPE, "L2"))
        common = torch.cat([torch.rand(1) for _ in range(5)])
        assert torch.equal(one[:, 0, :5], common.expand(len(one), -1))
        assert torch.equal(one[:, 0, 5:], torch.rand(len(one), 3))


def test_each_batch_and_budget_has_its_own_generator():
    replay = ReplayNoise(7, "Linf", SHAPE, batch=10)
    assert torch.equal(replay.directions([search(0)]), replay.directions([search(10)]))
    assert torch.equal(
        replay.directions([search(1, budget=1)]), ReplayNoise(7, "Linf", SHAPE, 10).directions([search(0)])
    )
