"""Two corruptions of ImageNet-C whose library version differs from the published one: elastic_transform and frost.

Reference: Hendrycks & Dietterich 2019 (arXiv 1903.12261), section 3.1, and the parameters of the authors' program
create_c/make_imagenet_c.py of 2019. `imagecorruptions` has other displacements, no affine part and a sixth frost
texture, and enlarges the textures by a tenth.
"""

import functools
from importlib import resources

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Pixels = NDArray[np.uint8]
"""H x W x 3, RGB."""

ELASTIC = (
    (488.0, 170.8, 24.4),
    (488.0, 19.52, 48.8),
    (12.2, 2.44, 4.88),
    (17.08, 2.44, 4.88),
    (29.28, 2.44, 4.88),
)
"""Amplitude, sigma of the smoothing and largest shift of the affine part, in pixels, at each severity."""
FROST = ((1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))
"""Weights of the image and of the texture at each severity."""
TEXTURES = ("frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg")


def elastic_transform(image: Pixels, severity: int, random: np.random.Generator) -> Pixels:
    """Shift three points of the image at random (affine part), then displace each pixel by a smooth random field.

    Args:
        image: H x W x 3.
        severity: 1 to 5.
        random: Source of the random numbers.

    Returns:
        The corrupted image, of the same shape.
    """
    amplitude, sigma, largest_shift = ELASTIC[severity - 1]
    height, width = image.shape[:2]
    arm = min(height, width) // 3
    corners = np.array([(height // 2, width // 2)]) + arm * np.array([(1, 1), (1, -1), (-1, -1)])
    moved = corners + random.uniform(-largest_shift, largest_shift, corners.shape)
    affine = cv2.getAffineTransform(corners.astype(np.float32), moved.astype(np.float32))
    values = image.astype(np.float32) / 255
    warped = cv2.warpAffine(values, affine, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    rows, columns = np.indices((height, width), dtype=np.float64)
    columns += amplitude * _smooth_noise(rows.shape, sigma, random)
    rows += amplitude * _smooth_noise(rows.shape, sigma, random)
    channels = [
        ndimage.map_coordinates(warped[..., at], (rows, columns), order=1, mode="reflect") for at in range(3)
    ]
    return _to_bytes(np.stack(channels, axis=-1) * 255)


def frost(image: Pixels, severity: int, random: np.random.Generator) -> Pixels:
    """Add a random crop of one of the five frost textures.

    Args:
        image: H x W x 3, smaller than each texture.
        severity: 1 to 5.
        random: Source of the random numbers.

    Returns:
        The corrupted image, of the same shape.
    """
    own, added = FROST[severity - 1]
    texture = read_texture(TEXTURES[random.integers(len(TEXTURES))])
    height, width = image.shape[:2]
    top, left = (random.integers(texture.shape[axis] - image.shape[axis]) for axis in range(2))
    return _to_bytes(own * image + added * texture[top : top + height, left : left + width])


@functools.cache
def read_texture(name: str) -> Pixels:
    """Return a texture that comes with the library."""
    with resources.files("imagecorruptions").joinpath("frost", name).open("rb") as file:
        return np.asarray(Image.open(file, formats=["JPEG", "PNG"]).convert("RGB"))


def _smooth_noise(shape: tuple[int, ...], sigma: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Return uniform noise from -1 to 1, smoothed by a Gaussian that is cut off at three sigma."""
    noise: NDArray[np.float64] = ndimage.gaussian_filter(
        random.uniform(-1, 1, shape), sigma, mode="reflect", truncate=3
    )
    return noise


def _to_bytes(values: NDArray[np.floating]) -> Pixels:
    """Clip to 0..255 and truncate, as ImageNet-C does."""
    clipped: Pixels = np.clip(values, 0, 255).astype(np.uint8)
    return clipped
