"""Corruption generator: corrupted images of clean ones, each from random numbers of its own."""

import hashlib
from importlib.metadata import version
from threading import Lock

import imagecorruptions
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from alignsec.spec import corruption

_UNRANDOM = frozenset(
    {
        *("defocus_blur", "gaussian_blur", "zoom_blur", "brightness", "contrast", "saturate"),
        *("pixelate", "jpeg_compression"),
    }
)
_SEEDED = frozenset({"impulse_noise", "glass_blur"})
"""Those that take a seed of their own. All others draw from NumPy's global generator."""
_GLOBAL = Lock()


class CorruptionGenerator:
    """One corruption at one severity, by the library that the attack names.

    It is put on the image that the model would be shown, resized and cropped, as ImageNet-C was made: types and
    severities are in pixels of that image, meant for 224 a side. Unlike ImageNet-C, the result is not written as
    JPEG once more.
    """

    def __init__(self, kind: str, severity: int, seed: int, generator: str = corruption.GENERATOR) -> None:
        """Raises ImportError where another version of the library is installed than `generator` names."""
        found = f"{corruption.LIBRARY} {version(corruption.LIBRARY)}"
        if found != generator:
            raise ImportError(f"{found} is installed, but the images are to be corrupted by {generator}")
        self._kind, self._severity, self._seed = kind, severity, seed

    def __call__(self, name: str, image: Tensor) -> Tensor:
        """The image under the corruption: uint8, C x H x W, sides of 32 or more.

        Its random numbers depend on seed, name, type and severity alone: not on order, threads or other images. A
        grey image is corrupted as the colour image of three equal channels, and made grey again.
        """
        key = f"{self._seed}\0{name}\0{self._kind}\0{self._severity}".encode()
        seed = int.from_bytes(hashlib.sha256(key).digest()[:4], "big")
        pixels = image.permute(1, 2, 0).numpy()
        if self._kind in _UNRANDOM:
            made = imagecorruptions.corrupt(pixels, self._severity, self._kind)
        elif self._kind in _SEEDED:
            made = imagecorruptions.corrupt(pixels, self._severity, self._kind, seed=seed)
        else:
            with _GLOBAL:
                before = np.random.get_state()
                try:
                    np.random.seed(seed)
                    made = imagecorruptions.corrupt(pixels, self._severity, self._kind)
                finally:
                    np.random.set_state(before)
        if len(image) == 1:
            made = np.asarray(Image.fromarray(made).convert("L"))[..., None]
        return torch.from_numpy(np.array(made)).permute(2, 0, 1)  # a copy: some come read-only
