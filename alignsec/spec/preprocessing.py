"""Preprocessing: how a photograph becomes a model's input, as the model's authors set it."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from alignsec.schema import StrictModel

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
PositiveFloat = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]


class Preprocessing(StrictModel):
    """Resizing and cropping, done before the attack, and normalisation, done inside the classifier.

    Nothing here has a silent default: a model whose mean or std is unknown is refused, because a wrong std
    turns every eps into another one.
    """

    input_size: tuple[
        Annotated[int, Field(ge=1, le=4)],
        Annotated[int, Field(ge=1, le=4096)],
        Annotated[int, Field(ge=1, le=4096)],
    ]
    """Channels (1: grey, 3: RGB), height and width of the attacked image."""
    mean: tuple[Annotated[float, Field(ge=-1000, le=1000, allow_inf_nan=False)], ...] = Field(min_length=1)
    std: tuple[PositiveFloat, ...] = Field(min_length=1)
    interpolation: Interpolation
    crop_pct: Annotated[float, Field(gt=0, le=2)]
    """Side of the crop by side of the resized image: 224 of 256 is 0.875. A few tags have 1.15: a black edge."""
    crop_mode: Literal["center", "squash", "border"] = "center"
    """center: the short side is resized, then the middle is cut out; squash: both sides are resized.
    border: the long side is resized, and the rest filled with the mean."""

    @property
    def uncropped(self) -> "Preprocessing":
        """The same for images that were cropped before: brought to the input size as they are."""
        return self.model_copy(update={"crop_pct": 1.0, "crop_mode": "squash"})

    antialias: bool = True
    """Resized as Pillow does, with a low-pass filter when it shrinks; False: without, as OpenCV and plain tensors
    are. The same network can lose some per cent of its accuracy under the other one."""

    @model_validator(mode="after")
    def _can_be_done(self) -> "Preprocessing":
        """Without a low-pass filter only what torchvision does to tensors."""
        _, height, width = self.input_size
        by_one_side = self.crop_mode == "border" or (self.crop_mode == "center" and height != width)
        if not self.antialias and (self.interpolation == "lanczos" or by_one_side):
            why = "has antialias = false, which goes with a square center crop or squash, and not with lanczos"
            raise PydanticCustomError("preprocessing", why)
        return self

    @model_validator(mode="after")
    def _one_value_a_channel(self) -> "Preprocessing":
        channels = self.input_size[0]
        if channels not in (1, 3):
            raise PydanticCustomError("preprocessing", f"has {channels} channels; images have 1 (grey) or 3 (RGB)")
        for name in ("mean", "std"):
            if len(getattr(self, name)) != channels:
                raise PydanticCustomError("preprocessing", f"needs one {name} for each of its {channels} channels")
        return self
