"""Corruption generator: makes corrupted images from clean images, reproducibly for each image."""

import hashlib
from importlib.metadata import version
from threading import Lock

import imagecorruptions
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from alignsec.spec import corruption

_DETERMINISTIC = frozenset(
    {
        *("defocus_blur", "gaussian_blur", "zoom_blur", "brightness", "contrast", "saturate"),
        *("pixelate", "jpeg_compression"),
    }
)
_SEEDED = frozenset({"impulse_noise", "glass_blur"})
"""Corruptions that take a seed as an argument. All other random ones draw from NumPy's global generator."""
_NUMPY_GENERATOR = Lock()
"""Protects NumPy's global generator, whose state is restored after each use."""


class CorruptionGenerator:
    """One corruption at one severity, applied by the library that the attack names.

    It is applied to the resized and cropped image that the model receives, as in ImageNet-C. The severities are in
    pixels of that image and designed for a side of 224. Unlike ImageNet-C, the result is not compressed as JPEG
    again.
    """

    def __init__(self, kind: str, severity: int, seed: int, generator: str = corruption.GENERATOR) -> None:
        """Check the version of the library.

        Args:
            kind: The corruption, such as "fog".
            severity: 1 to 5.
            seed: Seed of the random numbers of all images.
            generator: Name and version of the library.

        Raises:
            ImportError: If another version of the library is installed.
        """
        installed = f"{corruption.LIBRARY} {version(corruption.LIBRARY)}"
        if installed != generator:
            raise ImportError(f"{installed} is installed; expected {generator} for the corruptions of this attack")
        self._kind, self._severity, self._seed = kind, severity, seed

    def __call__(self, name: str, image: Tensor) -> Tensor:
        """Return the corrupted image.

        The random numbers depend only on seed, name, corruption and severity, not on the order of calls, on
        threads or on other images. A grey image is corrupted as a colour image with three equal channels and
        converted back.

        Args:
            name: Name of the image in its pack.
            image: uint8, C x H x W, with H and W at least 32.

        Returns:
            uint8, C x H x W.
        """
        key = f"{self._seed}\0{name}\0{self._kind}\0{self._severity}".encode()
        seed = int.from_bytes(hashlib.sha256(key).digest()[:4], "big")
        pixels = image.permute(1, 2, 0).numpy()
        if self._kind in _DETERMINISTIC:
            corrupted = imagecorruptions.corrupt(pixels, self._severity, self._kind)
        elif self._kind in _SEEDED:
            corrupted = imagecorruptions.corrupt(pixels, self._severity, self._kind, seed=seed)
        else:
            with _NUMPY_GENERATOR:
                state = np.random.get_state()
                try:
                    np.random.seed(seed)
                    corrupted = imagecorruptions.corrupt(pixels, self._severity, self._kind)
                finally:
                    np.random.set_state(state)
        if len(image) == 1:
            corrupted = np.asarray(Image.fromarray(corrupted).convert("L"))[..., None]
        return torch.from_numpy(np.array(corrupted)).permute(2, 0, 1)  # a copy: some arrays are read-only
