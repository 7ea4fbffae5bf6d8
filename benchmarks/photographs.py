"""Networks at 224 pixels: MobileNetV2 on photographs if they are available, and untrained networks."""

import csv
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from torch import Tensor

from alignsec.images import decoding
from alignsec.models.classifier import Classifier
from alignsec.spec.preprocessing import Preprocessing
from benchmarks.clock import DEVICE
from benchmarks.digit_networks import as_classifier

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"
"""Weights and photographs that the repository does not distribute."""
_WEIGHTS = SHARED / "weights" / "mobilenet_v2_1.0_224_quant.timm.pt"
_HALF = (0.5, 0.5, 0.5)


def has_photographs() -> bool:
    """Return whether the weights of MobileNetV2 and the photographs exist."""
    return _WEIGHTS.is_file() and (SHARED / "imagenet_sample" / "labels.csv").is_file()


def load_mobilenet(count: int) -> tuple[Classifier, Tensor, Tensor]:
    """Return MobileNetV2 with ImageNet weights, the first `count` photographs, and their labels."""
    network = timm.create_model("mobilenetv2_100", pad_type="same")
    network.load_state_dict(torch.load(_WEIGHTS, weights_only=True), strict=False)
    preprocessing = Preprocessing(
        input_size=(3, 224, 224), mean=_HALF, std=_HALF, interpolation="bilinear", crop_pct=0.875
    )
    with (SHARED / "imagenet_sample" / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[:count]
    pixels = torch.stack([_read(SHARED / "imagenet_sample" / row["file"]) for row in rows])
    return Classifier(network, preprocessing).to(DEVICE), pixels, torch.tensor([int(row["label"]) for row in rows])


def _read(path: Path) -> Tensor:
    """Resize the short side to 256 pixels and crop the central 224 x 224."""
    with decoding.open_image(path.read_bytes()) as opened:
        image = opened.convert("RGB")
    scale = 256 / min(image.size)
    size = round(image.width * scale), round(image.height * scale)
    left, top = (size[0] - 224) // 2, (size[1] - 224) // 2
    image = image.resize(size, Image.Resampling.BILINEAR).crop((left, top, left + 224, top + 224))
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255


def create_untrained(name: str, count: int) -> tuple[Classifier, Tensor, Tensor]:
    """Return a timm network with random weights, images of noise, and the classes that it predicts for them."""
    torch.manual_seed(0)
    classifier = as_classifier(timm.create_model(name), 3, 224)
    pixels = torch.rand(count, 3, 224, 224).to(DEVICE)
    with torch.no_grad():
        return classifier, pixels, classifier(pixels).argmax(1)
