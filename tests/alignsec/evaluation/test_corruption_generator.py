"""The generator of corrupted images: its noise belongs to the image alone."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from alignsec.evaluation.corruption_generator import CorruptionGenerator
from alignsec.spec import corruption

KINDS = (*corruption.COMMON, *corruption.EXTRA)
IMAGES = torch.randint(0, 256, (6, 3, 40, 36), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def made(kind: str, severity: int = 3, seed: int = 0, order: slice = slice(None)) -> dict[int, torch.Tensor]:
    generator = CorruptionGenerator(kind, severity, seed)
    return {at: generator(f"{at}.png", IMAGES[at]) for at in range(6)[order]}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_whatever_the_order_and_the_threads(kind: str):
    """One after another, backwards, and all at once from four threads; torch's and NumPy's own draws stay."""
    np.random.seed(5)
    first = np.random.random()
    np.random.seed(5)
    forward, backward = made(kind), made(kind, order=slice(None, None, -1))
    assert np.random.random() == first
    generator = CorruptionGenerator(kind, 3, 0)
    with ThreadPoolExecutor(4) as threads:
        side_by_side = list(threads.map(lambda at: generator(f"{at}.png", IMAGES[at]), range(6)))
    for at in range(6):
        assert forward[at].shape == IMAGES[at].shape
        assert forward[at].dtype == torch.uint8
        assert torch.equal(forward[at], backward[at])
        assert torch.equal(forward[at], side_by_side[at])
        assert not torch.equal(forward[at], IMAGES[at])


@pytest.mark.parametrize("kind", ["gaussian_noise", "impulse_noise", "glass_blur"])
def test_noise_depends_on_seed_and_name(kind: str):
    """One for each way a seed is handed to the library."""
    generator = CorruptionGenerator(kind, 3, 0)
    one = generator("a.png", IMAGES[0])
    assert not torch.equal(one, generator("b.png", IMAGES[0]))
    assert not torch.equal(one, CorruptionGenerator(kind, 3, 1)("a.png", IMAGES[0]))


@pytest.mark.parametrize("kind", ["gaussian_noise", "contrast", "jpeg_compression", "defocus_blur"])
def test_each_severity_is_further_from_the_clean_image(kind: str):
    far = [float((made(kind, severity)[0].float() - IMAGES[0].float()).abs().mean()) for severity in (1, 3, 5)]
    assert far[0] < far[1] < far[2]


def test_a_grey_image_stays_grey():
    grey = CorruptionGenerator("frost", 1, 0)("a.png", IMAGES[0][:1])
    assert grey.shape == (1, 40, 36)


def test_another_version_is_refused():
    """A job in another container must not answer with other noise."""
    with pytest.raises(ImportError, match=r"expected imagecorruptions-imaug 0\.9 for the corruptions"):
        CorruptionGenerator("fog", 1, 0, "imagecorruptions-imaug 0.9")
