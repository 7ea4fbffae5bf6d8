"""Synthetic studies: a study file with any number of models and attacks, tiny images and placeholder weights.

A submission validates and plans such a study. Its jobs would fail: the weights are not those of the networks.
"""

import json
from pathlib import Path

from PIL import Image

IMAGES = 4
_MODEL = """
[[models]]
name = "model-{number:05d}"
source = "timm:vit_tiny_patch16_224"
weights = "weights/{number:05d}.safetensors"

[models.options]
img_size = 16
patch_size = 4
embed_dim = 16
depth = 1
num_heads = 2
num_classes = 5
in_chans = 1

[models.preprocessing]
input_size = [1, 16, 16]
mean = [0.5]
std = [0.25]
interpolation = "bilinear"
crop_pct = 1.0
"""
_ATTACK = """
[[attacks]]
name = "apgd-{number:03d}"
method = "apgd-ce"
norm = "Linf"
eps = ["1/255"]
steps = {steps}
"""


def write_study(folder: Path, models: int, attacks: int) -> Path:
    """Write a study and its files.

    Args:
        folder: An empty or missing folder.
        models: Number of models, each with its own small weights file.
        attacks: Number of attacks.

    Returns:
        The study file.
    """
    for number in range(IMAGES):
        path = folder / "images" / str(number) / "a.png"
        path.parent.mkdir(parents=True)
        Image.new("L", (16, 16), 40 * number).save(path)
    (folder / "weights").mkdir()
    for number in range(models):
        (folder / "weights" / f"{number:05d}.safetensors").write_bytes(_placeholder_weights(number))
    text = f'name = "scale"\n[images]\nfolder = "images"\ncount = {IMAGES}\n'
    text += "".join(_MODEL.format(number=number) for number in range(models))
    text += "".join(_ATTACK.format(number=number, steps=10 + number) for number in range(attacks))
    study = folder / "study.toml"
    study.write_text(text, encoding="utf-8")
    return study


def _placeholder_weights(number: int) -> bytes:
    """Return a valid safetensors file with one number, which differs from model to model."""
    header = json.dumps({"x": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]}}).encode()
    return len(header).to_bytes(8, "little") + header + number.to_bytes(8, "little")
