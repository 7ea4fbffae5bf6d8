"""Corruption generator: makes corrupted images from clean images as in ImageNet-C, reproducibly for each image."""

import hashlib
import io
from importlib.metadata import version
from threading import Lock

import imagecorruptions
import numpy as np
from PIL import Image
from torchvision import transforms

from alignsec.evaluation import imagenet_c
from alignsec.evaluation.imagenet_c import Pixels
from alignsec.spec import corruption

_DETERMINISTIC = frozenset(
    {
        *("defocus_blur", "gaussian_blur", "zoom_blur", "brightness", "contrast", "saturate"),
        *("pixelate", "jpeg_compression"),
    }
)
_SEEDED = frozenset({"impulse_noise", "glass_blur"})
"""Corruptions of the library that take a seed. All other random ones draw from NumPy's global generator."""
_OWN = {"elastic_transform": imagenet_c.elastic_transform, "frost": imagenet_c.frost}
_NUMPY_GENERATOR = Lock()
"""Protects NumPy's global generator, whose state is restored after each use."""
_CROP = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(corruption.SIZE)])
_JPEG_QUALITY = 85


class CorruptionGenerator:
    """One corruption at one severity, as in ImageNet-C, for any model.

    The photograph is resized to a short side of 256 pixels, and its centre of 224 x 224 is corrupted. The result
    is compressed as JPEG with quality 85. Severities are in pixels of that image. All models see the same image.

    Reference: Hendrycks & Dietterich 2019, section 3.1 and the authors' program make_imagenet_c.py.
    """

    def __init__(self, kind: str, severity: int, seed: int, generator: str = corruption.GENERATOR) -> None:
        """Check the version of the library.

        Args:
            kind: The corruption, such as "fog".
            severity: 1 to 5.
            seed: Seed of the random numbers of all images.
            generator: Name and version of the method and the library.

        Raises:
            ImportError: If the pair needs another method, or another version of the library is installed.
        """
        installed = corruption.describe_generator(version(corruption.LIBRARY))
        if installed != generator:
            raise ImportError(f"{installed} is installed; expected {generator} for the corruptions of this attack")
        self._kind, self._severity, self._seed = kind, severity, seed

    def __call__(self, name: str, image: Image.Image) -> Image.Image:
        """Return the corrupted image.

        Args:
            name: Name of the image in its pack.
            image: The decoded photograph, of any size and mode.

        Returns:
            RGB, 224 x 224.
        """
        cropped = np.array(_CROP(image.convert("RGB")))
        saved = io.BytesIO()
        Image.fromarray(self.corrupt(name, cropped)).save(saved, "JPEG", quality=_JPEG_QUALITY, optimize=True)
        return Image.open(saved, formats=["JPEG"])

    def corrupt(self, name: str, pixels: Pixels) -> Pixels:
        """Corrupt a cropped image, without the compression that follows.

        The random numbers depend only on seed, name, corruption and severity, not on the order of calls, on
        threads or on other images.

        Args:
            name: Name of the image in its pack.
            pixels: H x W x 3; 224 x 224 in ImageNet-C.

        Returns:
            The corrupted image, of the same shape.
        """
        key = f"{self._seed}\0{name}\0{self._kind}\0{self._severity}".encode()
        seed = int.from_bytes(hashlib.sha256(key).digest()[:4], "big")
        if own := _OWN.get(self._kind):
            return own(pixels, self._severity, np.random.default_rng(seed))
        if self._kind in _DETERMINISTIC:
            return np.asarray(imagecorruptions.corrupt(pixels, self._severity, self._kind))
        if self._kind in _SEEDED:
            return np.asarray(imagecorruptions.corrupt(pixels, self._severity, self._kind, seed=seed))
        with _NUMPY_GENERATOR:
            state = np.random.get_state()
            try:
                np.random.seed(seed)
                return np.asarray(imagecorruptions.corrupt(pixels, self._severity, self._kind))
            finally:
                np.random.set_state(state)
