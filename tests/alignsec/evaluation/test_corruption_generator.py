"""Corruption generator: random numbers depend on the image alone; images are made as in ImageNet-C."""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from alignsec.evaluation.corruption_generator import CorruptionGenerator
from alignsec.images.pack import Candidate
from alignsec.models.images import ImageLoader
from alignsec.spec import corruption
from alignsec.spec.preprocessing import Preprocessing

KINDS = (*corruption.COMMON, *corruption.EXTRA)
RANDOM_KINDS = tuple(
    kind
    for kind in KINDS
    if kind
    not in {
        *("defocus_blur", "gaussian_blur", "zoom_blur", "brightness", "contrast", "saturate"),
        *("pixelate", "jpeg_compression"),
    }
)
IMAGES = np.random.default_rng(0).integers(0, 256, (6, 40, 36, 3), dtype=np.uint8)
COLOUR: dict[str, Any] = {"mean": (0.5,) * 3, "std": (0.5,) * 3, "interpolation": "bicubic", "crop_pct": 0.9}


def corrupt_all(kind: str, severity: int = 3, seed: int = 0, order: slice = slice(None)) -> dict[int, np.ndarray]:
    generator = CorruptionGenerator(kind, severity, seed)
    return {at: generator.corrupt(f"{at}.png", IMAGES[at]) for at in range(6)[order]}


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
        in_threads = list(threads.map(lambda at: generator.corrupt(f"{at}.png", IMAGES[at]), range(6)))
    for at in range(6):
        assert forward[at].shape == IMAGES[at].shape
        assert forward[at].dtype == np.uint8
        assert np.array_equal(forward[at], backward[at])
        assert np.array_equal(forward[at], in_threads[at])
        assert not np.array_equal(forward[at], IMAGES[at])


@pytest.mark.parametrize("kind", RANDOM_KINDS)
def test_noise_depends_on_seed_and_name(kind: str):
    generator = CorruptionGenerator(kind, 3, 0)
    one = generator.corrupt("a.png", IMAGES[0])
    assert not np.array_equal(one, generator.corrupt("b.png", IMAGES[0]))
    assert not np.array_equal(one, CorruptionGenerator(kind, 3, 1).corrupt("a.png", IMAGES[0]))


def test_image_is_cropped_corrupted_and_saved_as_in_imagenet_c():
    """Short side 256, centre of 224, JPEG of quality 85; a grey photograph gives an RGB image."""
    photograph = Image.fromarray(IMAGES[0]).resize((500, 300))
    generator = CorruptionGenerator("contrast", 5, 0)
    cropped = photograph.resize((426, 256), Image.Resampling.BILINEAR).crop((101, 16, 325, 240))
    saved = io.BytesIO()
    Image.fromarray(generator.corrupt("a", np.array(cropped))).save(saved, "JPEG", quality=85)
    made = generator("a", photograph)
    assert np.array_equal(np.array(made), np.array(Image.open(saved)))
    grey = generator("a", photograph.convert("L"))
    assert (grey.mode, grey.size) == ("RGB", (224, 224))


def test_all_models_see_the_same_corrupted_image(tmp_path: Path):
    """The image of a model with 96 pixels is that of a model with 224, resized and not cropped again."""
    Image.fromarray(IMAGES[0]).resize((400, 300)).save(tmp_path / "a.png")
    images = [Candidate("a.png", 0, tmp_path / "a.png")]
    generator = CorruptionGenerator("gaussian_noise", 3, 0)

    def load(side: int) -> torch.Tensor:
        preprocessing = Preprocessing(**COLOUR, input_size=(3, side, side)).uncropped
        with ImageLoader(images, preprocessing, change=generator) as loader:
            return loader.pixels[0]

    large, small = load(224), load(96)
    expected = transforms.functional.to_tensor(
        transforms.functional.to_pil_image(large).resize((96, 96), Image.Resampling.BICUBIC)
    )
    assert torch.equal(small, expected)


def test_other_method_or_library_version_is_rejected():
    """A job in another container must not use other noise, nor a pair of an older study the new images."""
    for other in ("imagecorruptions-imaug 1.1.5", "ImageNet-C at 224, imagecorruptions-imaug 0.9"):
        with pytest.raises(ImportError, match=f"expected {other} for the corruptions"):
            CorruptionGenerator("fog", 1, 0, other)
