"""Decoding of image files: the accepted formats and limits, for every place where an image is opened."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

from alignsec import limits

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "PPM", "GIF")
"""Pillow's names of the accepted formats. Others are refused, whatever the file's suffix: for PostScript, Pillow
would start Ghostscript."""
UNDECODABLE = (OSError, SyntaxError, ValueError, OverflowError, EOFError, Image.DecompressionBombError)
"""Exceptions for a file that is no image of an accepted format, is truncated or damaged, or exceeds a limit."""


class ImageTooLargeError(ValueError):
    """An image above a limit of alignsec.limits."""


@contextmanager
def open_image(data: bytes) -> Iterator[Image.Image]:
    """Open an encoded image of an accepted format; its pixels are not decoded yet.

    Raises:
        One of UNDECODABLE.
    """
    if len(data) > limits.IMAGE_BYTES:
        raise ImageTooLargeError(f"more than the limit of {limits.IMAGE_BYTES:,} bytes")
    with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
        width, height = picture.size
        if width * height > limits.IMAGE_PIXELS:
            raise ImageTooLargeError(f"{width} x {height} pixels; the limit is {limits.IMAGE_PIXELS:,}")
        yield picture


def explain(error: Exception) -> str:
    """Return why an image cannot be decoded, for one of UNDECODABLE."""
    if isinstance(error, UnidentifiedImageError):
        return f"unknown image format; expected {', '.join(FORMATS)}"
    return str(error) or type(error).__name__
