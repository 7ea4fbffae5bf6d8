"""Corruption generator: random numbers depend on the image alone."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from alignsec.evaluation.corruption_generator import CorruptionGenerator
from alignsec.spec import corruption

KINDS = (*corruption.COMMON, *corruption.EXTRA)
IMAGES = torch.randint(0, 256, (6, 3, 40, 36), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def corrupt_all(
    kind: str, severity: int = 3, seed: int = 0, order: slice = slice(None)
) -> dict[int, torch.Tensor]:
    generator = CorruptionGenerator(kind, severity, seed)
    return {at: generator(f"{at}.png", IMAGES[at]) for at in range(6)[order]}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", KINDS)
def test_order_and_threads_do_not_matter(kind: str):
    """Images are corrupted in order, in reverse and in four threads. NumPy's global generator keeps its state."""
    np.random.seed(5)
    first = np.random.random()
    np.random.seed(5)
    forward, backward = corrupt_all(kind), corrupt_all(kind, order=slice(None, None, -1))
    assert np.random.random() == first
    generator = CorruptionGenerator(kind, 3, 0)
    with ThreadPoolExecutor(4) as threads:
        in_threads = list(threads.map(lambda at: generator(f"{at}.png", IMAGES[at]), range(6)))
    for at in range(6):
        assert forward[at].shape == IMAGES[at].shape
        assert forward[at].dtype == torch.uint8
        assert torch.equal(forward[at], backward[at])
        assert torch.equal(forward[at], in_threads[at])
        assert not torch.equal(forward[at], IMAGES[at])


@pytest.mark.parametrize("kind", ["gaussian_noise", "impulse_noise", "glass_blur"])
def test_noise_depends_on_seed_and_name(kind: str):
    """One corruption for each way to pass a seed to the library."""
    generator = CorruptionGenerator(kind, 3, 0)
    one = generator("a.png", IMAGES[0])
    assert not torch.equal(one, generator("b.png", IMAGES[0]))
    assert not torch.equal(one, CorruptionGenerator(kind, 3, 1)("a.png", IMAGES[0]))


@pytest.mark.parametrize("kind", ["gaussian_noise", "contrast", "jpeg_compression", "defocus_blur"])
def test_higher_severity_changes_image_more(kind: str):
    changes = [
        float((corrupt_all(kind, severity)[0].float() - IMAGES[0].float()).abs().mean()) for severity in (1, 3, 5)
    ]
    assert changes[0] < changes[1] < changes[2]


def test_grey_image_stays_grey():
    grey = CorruptionGenerator("frost", 1, 0)("a.png", IMAGES[0][:1])
    assert grey.shape == (1, 40, 36)


def test_other_library_version_is_rejected():
    """A job in another container must not use other noise."""
    with pytest.raises(ImportError, match=r"expected imagecorruptions-imaug 0\.9 for the corruptions"):
        CorruptionGenerator("fog", 1, 0, "imagecorruptions-imaug 0.9")
