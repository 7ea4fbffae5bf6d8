"""Images: decodes and resizes the images of a pack in threads while the model already runs on the first ones."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from PIL.Image import Image
from timm.data.transforms_factory import create_transform
from torch import Tensor
from torchvision import transforms

from alignsec.images import decoding
from alignsec.images import pack as image_pack
from alignsec.images.pack import Candidate
from alignsec.models.pixels import Pixels
from alignsec.spec.preprocessing import Preprocessing

ImageChange = Callable[[str, Image], Image]
"""Changes a decoded image before its preprocessing, such as a corruption. Takes the image's name and the image."""


class ImageError(Exception):
    """An image that cannot be decoded."""


class ImageLoader:
    """The images of one pack, preprocessed for one model, in the pack's order.

    Pillow releases Python's global lock, so threads decode in parallel. An encoded image is read only when its
    turn comes: memory holds the decoded bytes of all images and one encoded image for each thread. Use the loader
    in a `with` statement, which ends the threads.
    """

    names: list[str]
    labels: Tensor
    """int64, N."""
    pixels: Pixels
    """N x C x H x W, not normalised. Access to an image that cannot be decoded raises ImageError with its name."""

    def __init__(
        self,
        images: Sequence[Candidate],
        preprocessing: Preprocessing,
        device: torch.device | None = None,
        change: ImageChange | None = None,
        threads: int | None = None,
    ) -> None:
        """Start to decode.

        Args:
            images: The images.
            preprocessing: The model's preprocessing.
            device: Device of `pixels`; the CPU by default.
            change: A change of each image before its preprocessing.
            threads: Number of threads; by default as many as torch uses, and at least two.
        """
        self.names = [image.name for image in images]
        self.labels = torch.tensor([image.label for image in images])
        transform = ImageTransform(preprocessing, change)
        values = torch.empty((len(images), *preprocessing.input_size), dtype=torch.uint8)

        def decode(row: int) -> None:
            values[row] = transform(images[row])

        self._threads = ThreadPoolExecutor(threads or max(2, torch.get_num_threads()), "decode")
        self._rows: list[Future[None]] = [self._threads.submit(decode, row) for row in range(len(images))]
        self._ready = 0
        self.pixels = Pixels(values, device, self._wait)

    @property
    def labelled_names(self) -> list[tuple[str, int]]:
        """Name and label of each image."""
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
    """Start to load the images of a pack for one model.

    Args:
        pack: The pack's file.
        sha256: Expected digest of the file.
        preprocessing: The model's preprocessing.
        device: Device of the pixels; the CPU by default.
        change: A change of each image before its preprocessing.

    Raises:
        PackError: If the file is not the expected pack.
    """
    return ImageLoader(image_pack.read_index(pack, sha256), preprocessing, device, change)


class ImageTransform:
    """The preprocessing of one model without normalisation: timm's evaluation transform."""

    def __init__(self, preprocessing: Preprocessing, change: ImageChange | None = None) -> None:
        """Build the transform; `change` changes each decoded image before it."""
        self._change = change
        channels, height, width = preprocessing.input_size
        self._mode = "L" if channels == 1 else "RGB"
        self._transform = create_transform(
            (channels, height, width),
            is_training=False,
            interpolation=preprocessing.interpolation,
            crop_pct=preprocessing.crop_pct,
            crop_mode=preprocessing.crop_mode,
            # crop_mode "border" fills with the mean.
            mean=preprocessing.mean,
            std=preprocessing.std,
            normalize=False,
        )

        if not preprocessing.antialias:
            resize, *rest = self._transform.transforms
            plain = transforms.Resize(resize.size, resize.interpolation, antialias=False)
            self._transform = transforms.Compose([transforms.PILToTensor(), plain, *rest])

    def __call__(self, image: Candidate) -> Tensor:
        """Return the preprocessed image, uint8, C x H x W.

        Raises:
            ImageError: If the image cannot be decoded. The message contains its name.
            OSError: If its file cannot be read.
        """
        data = image.read()
        try:
            with decoding.open_image(data) as decoded:
                changed = self._change(image.name, decoded) if self._change else decoded
                transformed: Tensor = self._transform(changed.convert(self._mode))
        except decoding.UNDECODABLE as error:
            raise ImageError(f"{image.name} cannot be decoded: {decoding.explain(error)}") from None
        return transformed
