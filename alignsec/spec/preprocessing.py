"""Preprocessing: the transformation of an image file into a model's input."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from alignsec.schema import StrictModel

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]


def _check_unit(value: float) -> float:
    """Require a mean or std of pixels in [0,1]. One of pixels in 0..255 would change every budget 255 times."""
    if not 0 <= value <= 1:
        why = "must be from 0 to 1: mean and std are of pixels in [0,1]; divide values for pixels in 0..255 by 255"
        raise PydanticCustomError("preprocessing", why)
    return value


Mean = Annotated[float, Field(allow_inf_nan=False), AfterValidator(_check_unit)]
Std = Annotated[float, Field(gt=0, allow_inf_nan=False), AfterValidator(_check_unit)]


class Preprocessing(StrictModel):
    """Resizing and cropping, done before the attack, and normalisation, done inside the classifier.

    Fields that change the pixels have no default: a wrong std changes every eps, so a model whose mean or std is
    unknown is rejected.
    """

    input_size: tuple[
        Annotated[int, Field(ge=1, le=4)],
        Annotated[int, Field(ge=1, le=4096)],
        Annotated[int, Field(ge=1, le=4096)],
    ]
    """Channels (1: grey, 3: RGB), height and width of the attacked image."""
    mean: tuple[Mean, ...] = Field(min_length=1)
    """Mean of each channel, for pixels in [0,1]."""
    std: tuple[Std, ...] = Field(min_length=1)
    """Standard deviation of each channel, for pixels in [0,1]."""
    interpolation: Interpolation
    crop_pct: Annotated[float, Field(gt=0, le=2)]
    """Side of the crop divided by the side of the resized image: 0.875 for 224 of 256. A few timm tags have 1.15,
    which adds a black border."""
    crop_mode: Literal["center", "squash", "border"] = "center"
    """center: resize the short side, then crop the centre. squash: resize both sides. border: resize the long
    side and fill the rest with the mean."""

    @property
    def uncropped(self) -> "Preprocessing":
        """The same preprocessing for images that are already cropped: resized to the input size without a crop."""
        return self.model_copy(update={"crop_pct": 1.0, "crop_mode": "squash"})

    antialias: bool = True
    """True: resize as Pillow does, with a low-pass filter for smaller sizes. False: resize without one, as
    OpenCV and torchvision do for tensors. A network can lose some per cent of its accuracy under the other
    setting."""

    @model_validator(mode="after")
    def _check_antialias(self) -> "Preprocessing":
        """Without a low-pass filter, allow only what torchvision does with tensors."""
        _, height, width = self.input_size
        resizes_one_side = self.crop_mode == "border" or (self.crop_mode == "center" and height != width)
        if not self.antialias and (self.interpolation == "lanczos" or resizes_one_side):
            why = "has antialias = false, which needs a square center crop or squash, and not lanczos"
            raise PydanticCustomError("preprocessing", why)
        return self

    @model_validator(mode="after")
    def _check_channels(self) -> "Preprocessing":
        channels = self.input_size[0]
        if channels not in (1, 3):
            raise PydanticCustomError("preprocessing", f"has {channels} channels; expected 1 (grey) or 3 (RGB)")
        for name in ("mean", "std"):
            if len(getattr(self, name)) != channels:
                why = f"must have one {name} for each of its {channels} channels"
                raise PydanticCustomError("preprocessing", why)
        return self
