"""Photographs: the images of a pack, brought to a model's input size by threads while the model already looks."""

import io
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from PIL import Image
from timm.data.transforms_factory import create_transform
from torch import Tensor
from torchvision import transforms

from alignsec.images import pack as image_pack
from alignsec.images.pack import Candidate
from alignsec.models.pixels import Pixels
from alignsec.spec.preprocessing import Preprocessing

ImageChange = Callable[[str, Tensor], Tensor]
"""What is done to an image, given its name, before a model sees it: uint8, C x H x W, to the same."""


class ImageError(Exception):
    """An image that cannot be decoded."""


class ImageLoader:
    """The images of one pack as one model sees them, in the pack's order.

    Pillow decodes and resizes without Python's lock, so threads do it side by side. Encoded images are read when
    their turn comes: besides the bytes of all pixels, memory holds one image a thread. Use it in a `with`, which
    ends the threads.
    """

    names: list[str]
    labels: Tensor
    """int64, N."""
    pixels: Pixels
    """N x C x H x W, not normalised. Asking for an image that cannot be decoded raises ImageError naming it."""

    def __init__(
        self,
        images: Sequence[Candidate],
        preprocessing: Preprocessing,
        device: torch.device | None = None,
        change: ImageChange | None = None,
        threads: int | None = None,
    ) -> None:
        """Start to decode. threads: as many as torch itself uses, at least two, where left out."""
        self.names = [image.name for image in images]
        self.labels = torch.tensor([image.label for image in images])
        view = ImageTransform(preprocessing)
        values = torch.empty((len(images), *preprocessing.input_size), dtype=torch.uint8)

        def decode(row: int) -> None:
            shown = view(images[row])
            values[row] = change(images[row].name, shown) if change else shown

        self._threads = ThreadPoolExecutor(threads or max(2, torch.get_num_threads()), "decode")
        self._rows: list[Future[None]] = [self._threads.submit(decode, row) for row in range(len(images))]
        self._ready = 0
        self.pixels = Pixels(values, device, self._wait)

    @property
    def labelled(self) -> list[tuple[str, int]]:
        """Each image's name and label."""
        return list(zip(self.names, self.labels.tolist(), strict=True))

    def _wait(self, count: int) -> None:
        while self._ready < count:
            self._rows[self._ready].result()
            self._ready += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._threads.shutdown(cancel_futures=True)


def load_images(
    pack: Path,
    sha256: str,
    preprocessing: Preprocessing,
    device: torch.device | None = None,
    change: ImageChange | None = None,
) -> ImageLoader:
    """Begin to read a pack for one model. Raises image_pack.BadPack."""
    return ImageLoader(image_pack.entries(pack, sha256), preprocessing, device, change)


class ImageTransform:
    """How one model is shown an image: timm's own evaluation transform with its normalisation left out."""

    def __init__(self, preprocessing: Preprocessing) -> None:
        channels, height, width = preprocessing.input_size
        self._mode = "L" if channels == 1 else "RGB"
        self._transform = create_transform(
            (channels, height, width),
            is_training=False,
            interpolation=preprocessing.interpolation,
            crop_pct=preprocessing.crop_pct,
            crop_mode=preprocessing.crop_mode,
            # The mean is also what crop_mode "border" fills with.
            mean=preprocessing.mean,
            std=preprocessing.std,
            normalize=False,
        )

        if not preprocessing.antialias:
            resize, *rest = self._transform.transforms
            plain = transforms.Resize(resize.size, resize.interpolation, antialias=False)
            self._transform = transforms.Compose([transforms.PILToTensor(), plain, *rest])

    def __call__(self, image: Candidate) -> Tensor:
        """uint8, C x H x W. Raises ImageError naming the image, OSError where its file cannot be read."""
        data = image.read()
        try:
            with Image.open(io.BytesIO(data)) as picture:
                shown: Tensor = self._transform(picture.convert(self._mode))
        except image_pack.UNDECODABLE as error:
            raise ImageError(f"{image.name} cannot be decoded: {error}") from None
        return shown
