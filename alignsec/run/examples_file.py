"""Files of kept adversarial examples: one per pair, next to its outcome, which names the file's digest.

A file has three parts: a line with a checksum, a line of JSON that describes the images and the examples, and
their compressed pixels in the same order. Clean images are included, so that a file can be read by itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationError

from alignsec import bounded, digest, limits
from alignsec.images import packing
from alignsec.images.clean_pixels import Bytes, to_floats, unpack_clean
from alignsec.images.packing import Floats, PackedImages
from alignsec.schema import StrictModel
from alignsec.spec.budget import Budget
from alignsec.spec.components import Norm
from alignsec.spec.verdicts import Count, Distance

_MAGIC = b"alignsec examples 1 sha256 "
_ZLIB_LEVEL = 6
Confidence = Annotated[float, Field(ge=0, le=1)]


class DamagedExamplesError(Exception):
    """A file of kept examples that is missing, truncated, changed, or of another version."""


class ImageEntry(StrictModel):
    """A clean image of the file."""

    image: Count
    """Index into the images of the outcome."""
    name: str
    label: Count
    confidence: Confidence
    """Softmax of the label for the clean image."""
    size: Count
    """Bytes of its compressed pixels."""


class ExampleEntry(StrictModel):
    """A kept adversarial example."""

    budget: Count
    """Index into the budgets of the outcome."""
    image: Count
    """Index into the images of the outcome."""
    component: str
    """The component that found it."""
    distance: Distance
    """Distance from the clean image in the attack's norm."""
    predicted: Count
    """Class of the example."""
    confidence: Confidence
    """Softmax of that class."""
    kinds: Count
    """Bytes of the first part of its compressed pixels, see `alignsec.images.packing`."""
    others: Count
    """Bytes of the second part."""


class _Header(StrictModel):
    schema_version: Literal[1] = 1
    pair: str
    shape: tuple[int, int, int]
    """Channels, height and width."""
    norm: Norm
    budgets: tuple[Budget, ...]
    images: tuple[ImageEntry, ...]
    examples: tuple[ExampleEntry, ...]


def packing_radius(norm: Norm, eps: float) -> float:
    """Return the radius at which most pixels are expected: eps in Linf, and none in the other norms."""
    return eps if norm == "Linf" else 0.0


def pack_example(example: Floats, clean: Floats, norm: Norm, eps: float) -> PackedImages:
    """Return an adversarial example as compressed bytes.

    Args:
        example: Float32, C x H x W.
        clean: Its clean image, of the same shape.
        norm: Norm of the attack.
        eps: Budget in pixels of [0,1].
    """
    radius = np.array([packing_radius(norm, eps)], dtype=np.float32)
    return packing.pack(example[None], clean[None], radius, _ZLIB_LEVEL)


def unpack_example(packed: PackedImages, clean: Floats, norm: Norm, eps: float) -> Floats:
    """Return the example that `pack_example` packed, bit for bit; the other arguments must be the same.

    Raises:
        ValueError: If the bytes are damaged.
    """
    radius = np.array([packing_radius(norm, eps)], dtype=np.float32)
    example: Floats = packing.unpack(packed, clean[None], radius)[0]
    return example


def dump(
    pair: str,
    shape: tuple[int, int, int],
    norm: Norm,
    budgets: Sequence[Budget],
    images: Sequence[tuple[ImageEntry, bytes]],
    examples: Sequence[tuple[ExampleEntry, PackedImages]],
) -> bytes:
    """Return the content of a file.

    Args:
        pair: Id of the pair.
        shape: Channels, height and width.
        norm: Norm of the attack.
        budgets: Budgets of the attack in ascending order.
        images: Clean images with the results of `pack_clean`.
        examples: Adversarial examples with the results of `pack_example`.
    """
    header = _Header(
        pair=pair,
        shape=shape,
        norm=norm,
        budgets=tuple(budgets),
        images=tuple(entry for entry, _ in images),
        examples=tuple(entry for entry, _ in examples),
    )
    pixels = [data for _, data in images] + [packed.kinds + packed.others for _, packed in examples]
    body = b"".join([header.model_dump_json().encode(), b"\n", *pixels])
    return _MAGIC + digest.sha256_of_bytes(body).encode() + b"\n" + body


@dataclass(frozen=True)
class ExamplesFile:
    """The content of a file of kept examples."""

    header: _Header
    _pixels: bytes
    _edges: list[int]
    """Position of each image's pixels, and the end."""

    @classmethod
    def parse(cls, data: bytes) -> "ExamplesFile":
        """Parse the bytes of a file.

        Raises:
            DamagedExamplesError: If any byte changed since it was written.
        """
        first, _, body = data.partition(b"\n")
        if not first.startswith(_MAGIC):
            raise DamagedExamplesError("is empty or not a file of adversarial examples")
        if first != _MAGIC + digest.sha256_of_bytes(body).encode():
            raise DamagedExamplesError("is truncated or was changed: its checksum does not match its bytes")
        text, _, pixels = body.partition(b"\n")
        try:
            header = _Header.model_validate_json(text)
        except ValidationError as error:
            raise DamagedExamplesError(f"has another layout: {error.errors()[0]['msg']}") from None
        sizes = [one.size for one in header.images] + [one.kinds + one.others for one in header.examples]
        edges = list(accumulate(sizes, initial=0))
        if len(pixels) != edges[-1]:
            raise DamagedExamplesError(f"has {len(pixels)} bytes of pixels, expected {edges[-1]}")
        return cls(header, pixels, edges)

    @property
    def images(self) -> tuple[ImageEntry, ...]:
        """The clean images, in ascending order of their indices."""
        return self.header.images

    @property
    def examples(self) -> tuple[ExampleEntry, ...]:
        """The examples, by budget and image in ascending order."""
        return self.header.examples

    def _read(self, number: int) -> bytes:
        return self._pixels[self._edges[number] : self._edges[number + 1]]

    def find_image(self, example: ExampleEntry) -> ImageEntry:
        """Return the clean image of an example.

        Raises:
            DamagedExamplesError: If the file does not contain it.
        """
        return self.images[self._find_place(example.image)]

    def _find_place(self, image: int) -> int:
        for place, entry in enumerate(self.images):
            if entry.image == image:
                return place
        raise DamagedExamplesError(f"has no clean image {image}")

    def read_clean(self, image: int) -> Bytes:
        """Return the pixels of a clean image, uint8, C x H x W.

        Args:
            image: Index into the images of the outcome.

        Raises:
            DamagedExamplesError: If the image is absent or damaged.
        """
        try:
            return unpack_clean(self._read(self._find_place(image)), self.header.shape)
        except ValueError as error:
            raise DamagedExamplesError(f"image {image}: {error}") from None

    def read_example(self, number: int) -> Floats:
        """Return the pixels of an example exactly as they were judged, float32, C x H x W.

        Args:
            number: Index into `examples`.

        Raises:
            DamagedExamplesError: If the example is damaged.
        """
        entry = self.examples[number]
        clean = to_floats(self.read_clean(entry.image))
        try:
            eps = float(self.header.budgets[entry.budget])
            return unpack_example(self._read_packed(number), clean, self.header.norm, eps)
        except (ValueError, IndexError) as error:
            raise DamagedExamplesError(f"example {number}: {error}") from None

    def read_packed(self) -> Iterator[PackedImages]:
        """Yield the compressed pixels of each example."""
        return map(self._read_packed, range(len(self.examples)))

    def _read_packed(self, number: int) -> PackedImages:
        data = self._read(len(self.images) + number)
        kinds = self.examples[number].kinds
        return PackedImages(data[:kinds], data[kinds:])


def read(path: Path, sha256: str) -> ExamplesFile:
    """Read a file of kept examples.

    Args:
        path: The file.
        sha256: The digest that the outcome names.

    Raises:
        DamagedExamplesError: If the file is missing or is not the one that the outcome names.
    """
    return parse_named(read_bytes(path), sha256)


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file of kept examples.

    Raises:
        DamagedExamplesError: If the file is missing, is no file, is too large, or cannot be read.
    """
    try:
        return bounded.read_regular(path, limits.EXAMPLES_BYTES)
    except (bounded.NotAFileError, bounded.TooLargeError) as error:
        raise DamagedExamplesError(str(error)) from None
    except FileNotFoundError:
        raise DamagedExamplesError("is missing") from None
    except OSError as error:
        raise DamagedExamplesError(f"cannot be read: {error.strerror}") from None


def parse_named(data: bytes, sha256: str) -> ExamplesFile:
    """Parse the bytes of the file whose digest an outcome names.

    Raises:
        DamagedExamplesError: If these are other bytes.
    """
    if (found := digest.sha256_of_bytes(data)) != sha256:
        raise DamagedExamplesError(f"has SHA-256 {found[:12]}, but its outcome names {sha256[:12]}")
    return ExamplesFile.parse(data)
