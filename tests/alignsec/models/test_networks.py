"""Networks of each source, built in the job from the files it is handed."""

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
def test_torchvisions_own_weights(tmp_path: Path, suffix: str):
    """As they are published, with the key names of old, which torchvision's builder knows."""
    torch.manual_seed(0)
    network = get_model("densenet121", weights=None).eval()
    old = {
        key.replace("norm1", "norm.1").replace("conv2", "conv.2"): value
        for key, value in network.state_dict().items()
    }
    old = {key: value for key, value in old.items() if "num_batches" not in key}
    holder = torch.nn.Module()
    holder.state_dict = lambda: old  # type: ignore[method-assign]
    tiny_networks.save(holder, tmp_path / f"w.{suffix}")
    source = {"source": "torchvision:densenet121.IMAGENET1K_V1", "weights": f"w.{suffix}"}
    loaded = load(tmp_path, **source, conversion="torchvision")
    assert torch.equal(loaded(images()), network(images()))
    with pytest.raises(ModelError, match="does not fit"):
        load(tmp_path, **source)


def test_a_checkpoint_of_a_torchvision_architecture(tmp_path: Path):
    torch.manual_seed(0)
    network = get_model("resnet18", num_classes=7).eval()
    tiny_networks.save(network, tmp_path / "w.safetensors")
    loaded = load(tmp_path, source="torchvision:resnet18", weights="w.safetensors", options={"num_classes": 7})
    assert torch.equal(loaded(images()), network(images()))


def test_a_users_network(tmp_path: Path):
    """Built by the callable from the options, filled from the weights file where there is one."""
    (tmp_path / "code.py").write_text(CODE)
    built = load(tmp_path, source="python:build", code="code.py", options={"classes": 4})
    assert built(images()).shape == (2, 4)
    torch.save({"head.weight": torch.zeros(5, 3), "head.bias": torch.arange(5.0)}, tmp_path / "w.pt")
    filled = load(tmp_path, source="python:build", code="code.py", weights="w.pt")
    assert torch.equal(filled(images()), torch.arange(5.0).expand(2, 5))


@pytest.mark.parametrize(
    ("source", "options", "said"),
    [
        ("python:number", {}, "number returned int; expected a torch.nn.Module"),
        ("python:gone", {}, "has no attribute 'gone'"),
        ("python:build", {"depth": 3}, "unexpected keyword argument 'depth'"),
    ],
)
def test_a_users_code_that_builds_nothing(tmp_path: Path, source: str, options: dict[str, Any], said: str):
    (tmp_path / "code.py").write_text(CODE)
    with pytest.raises(ModelError, match=said):
        load(tmp_path, source=source, code="code.py", options=options)


@pytest.mark.parametrize("source", ["timm:resnet10t", "torchvision:resnet18"])
def test_random_weights_are_no_model(tmp_path: Path, source: str):
    with pytest.raises(ModelError, match="no weights file"):
        load(tmp_path, source=source)
