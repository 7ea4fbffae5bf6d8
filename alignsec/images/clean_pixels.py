"""Pixels of clean images: compressed without loss, and as the model receives them."""

import zlib

import numpy as np
from numpy.typing import NDArray

from alignsec.images import packing
from alignsec.images.packing import Floats

Bytes = NDArray[np.uint8]
_ZLIB_LEVEL = 6


def pack_clean(pixels: Bytes) -> bytes:
    """Return a clean image as compressed bytes.

    Each channel is stored as its difference from the channel before it, and each value of that as its difference
    from the value that a plane through its neighbours to the left and above predicts.

    Args:
        pixels: uint8, C x H x W.
    """
    channels = pixels.copy()
    channels[1:] -= pixels[:-1]
    for axis in (1, 2):
        channels = np.diff(channels, axis=axis, prepend=np.zeros_like(channels).take([0], axis=axis))
    return zlib.compress(channels.tobytes(), _ZLIB_LEVEL)


def unpack_clean(data: bytes, shape: tuple[int, int, int]) -> Bytes:
    """Return the image that `pack_clean` packed.

    Raises:
        ValueError: If the bytes are damaged.
    """
    channels = packing.decompress(data, int(np.prod(shape))).reshape(shape)
    for axis in (2, 1, 0):
        channels = np.cumsum(channels, axis=axis, dtype=np.uint8)
    return channels


def to_floats(pixels: Bytes) -> Floats:
    """Return pixels in [0,1] with the bits that the model received: bytes divided by 255 in float32."""
    return pixels.astype(np.float32) / np.float32(255)
