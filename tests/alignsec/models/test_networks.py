"""Builders: networks of each source, built from the files of a pair."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models import get_model

from alignsec.models import classifier
from alignsec.models.classifier import Classifier
from alignsec.models.errors import ModelError
from alignsec.spec.pair import File, PairModel
from alignsec.spec.preprocessing import Preprocessing
from tests import tiny_networks

RGB = Preprocessing(input_size=(3, 64, 64), mean=(0,) * 3, std=(1,) * 3, interpolation="bilinear", crop_pct=1)
CODE = """
import torch
class Net(torch.nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.head = torch.nn.Linear(3, classes)
    def forward(self, images):
        return {"logits": self.head(images.mean((2, 3)))}
def build(classes=5):
    return Net(classes)
def number():
    return 3
"""


def load(folder: Path, **fields: Any) -> Classifier:
    files = {key: File(name=fields.pop(key), sha256="1" * 64) for key in ("weights", "code") if key in fields}
    model = PairModel.model_validate({"name": "m", "preprocessing": RGB, **files, **fields})
    return classifier.load(model, folder, torch.device("cpu"))


def images() -> torch.Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_torchvision_weights(tmp_path: Path, suffix: str):
    """Published weights have old key names, which torchvision's builder converts."""
    torch.manual_seed(0)
    network = get_model("densenet121", weights=None).eval()
    published = {
        key.replace("norm1", "norm.1").replace("conv2", "conv.2"): value
        for key, value in network.state_dict().items()
    }
    published = {key: value for key, value in published.items() if "num_batches" not in key}
    holder = torch.nn.Module()
    holder.state_dict = lambda: published  # type: ignore[method-assign]
    tiny_networks.save(holder, tmp_path / f"w.{suffix}")
    source = {"source": "torchvision:densenet121.IMAGENET1K_V1", "weights": f"w.{suffix}"}
    loaded = load(tmp_path, **source, conversion="torchvision")
    assert torch.equal(loaded(images()), network(images()))
    with pytest.raises(ModelError, match="does not fit"):
        load(tmp_path, **source)


def test_state_dict_of_torchvision_architecture(tmp_path: Path):
    torch.manual_seed(0)
    network = get_model("resnet18", num_classes=7).eval()
    tiny_networks.save(network, tmp_path / "w.safetensors")
    loaded = load(tmp_path, source="torchvision:resnet18", weights="w.safetensors", options={"num_classes": 7})
    assert torch.equal(loaded(images()), network(images()))


def test_user_network(tmp_path: Path):
    """The function gets the options; the weights file is loaded if there is one."""
    (tmp_path / "code.py").write_text(CODE)
    built = load(tmp_path, source="python:build", code="code.py", options={"classes": 4}, random_weights=True)
    assert built(images()).shape == (2, 4)
    torch.save({"head.weight": torch.zeros(5, 3), "head.bias": torch.arange(5.0)}, tmp_path / "w.pt")
    filled = load(tmp_path, source="python:build", code="code.py", weights="w.pt")
    assert torch.equal(filled(images()), torch.arange(5.0).expand(2, 5))


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("python:number", {}, "number returned int; expected a torch.nn.Module"),
        ("python:gone", {}, "does not define a callable gone"),
        ("python:build", {"depth": 3}, "unexpected keyword argument 'depth'"),
    ],
)
def test_user_code_without_network(tmp_path: Path, source: str, options: dict[str, Any], message: str):
    (tmp_path / "code.py").write_text(CODE)
    with pytest.raises(ModelError, match=message):
        load(tmp_path, source=source, code="code.py", options=options)


@pytest.mark.parametrize("source", ["timm:resnet10t", "torchvision:resnet18"])
def test_missing_weights_file_is_rejected(tmp_path: Path, source: str):
    with pytest.raises(ModelError, match="no weights file"):
        load(tmp_path, source=source)
