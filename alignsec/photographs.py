"""Photographs: the images of a pack, decoded once and brought to a model's input size."""

import io
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from timm.data.transforms_factory import create_transform
from torch import Tensor

from alignsec import image_pack
from alignsec.image_pack import LabelledImage
from alignsec.preprocessing import Preprocessing


class BadImage(Exception):
    """An image that cannot be decoded."""


@dataclass(frozen=True)
class Photographs:
    """Images as attacks see them."""

    names: list[str]
    labels: Tensor
    """int64, N."""
    pixels: Tensor
    """float32, N x C x H x W, in [0,1], not normalised."""


def load(pack: Path, sha256: str, preprocessing: Preprocessing) -> Photographs:
    """Read a pack for one model. Raises image_pack.BadPack, or BadImage naming the image."""
    images = list(image_pack.read(pack, sha256))
    pixels = torch.stack([_decode(image, preprocessing) for image in images])
    labels = torch.tensor([image.label for image in images])
    return Photographs([image.name for image in images], labels, pixels)


def _decode(image: LabelledImage, preprocessing: Preprocessing) -> Tensor:
    """One image at a model's input size, by timm's own evaluation transform with its normalisation left out."""
    channels, height, width = preprocessing.input_size
    transform = create_transform(
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
    try:
        with Image.open(io.BytesIO(image.data)) as picture:
            values: Tensor = transform(picture.convert("L" if channels == 1 else "RGB"))
    except (OSError, SyntaxError, ValueError, OverflowError, Image.DecompressionBombError) as error:
        raise BadImage(f"{image.name} cannot be decoded: {error}") from None
    # 8 bits a value, as ToTensor would scale them.
    return values.float() / 255
