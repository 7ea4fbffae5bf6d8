"""Classifier: normalisation, pass counts, and errors for weights that do not fit."""

import os
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from huggingface_hub import file_download
from torch import nn

from alignsec.catalogue import hub_cache
from alignsec.models import classifier
from alignsec.models.classifier import Classifier
from alignsec.models.errors import ModelError
from alignsec.spec.pair import File, PairModel
from alignsec.spec.preprocessing import Preprocessing
from tests import tiny_networks
from tests.tiny import GREY, OPTIONS, SOURCE

CPU = torch.device("cpu")


def model(weights: Path, **changes: Any) -> PairModel:
    fields = {
        "name": "tiny",
        "source": SOURCE,
        "options": OPTIONS,
        "preprocessing": Preprocessing(**GREY),
        "weights": File(name=weights.name, sha256="1" * 64),
    }
    return PairModel(**{**fields, **changes})


def load(weights: Path, **changes: Any) -> Classifier:
    return classifier.load(model(weights, **changes), weights.parent, CPU)


def images(count: int = 4) -> torch.Tensor:
    return torch.rand(count, 1, 16, 16, generator=torch.Generator().manual_seed(0))


def test_normalisation_is_inside():
    """The classifier takes images in [0,1], so eps is in pixels for any std."""
    wrapped = tiny_networks.classifier(nn.Flatten(), channels=1, mean=0.5, std=0.25)
    assert torch.equal(wrapped(torch.ones(1, 1, 2, 2)), torch.full((1, 4), 2.0))


def test_gradient_is_with_respect_to_pixels():
    """The gradient of the sum of (x - mean) / std is 1 / std."""
    wrapped = tiny_networks.classifier(nn.Flatten(), std=0.25)
    pixels = torch.rand(3, 1, 2, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(wrapped(pixels).sum(), pixels)
    assert torch.equal(gradient, torch.full_like(pixels, 4))


def test_passes_are_counted_in_images():
    wrapped = tiny_networks.classifier(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)))
    pixels = torch.rand(5, 1, 2, 2)
    wrapped(pixels)
    with torch.no_grad():
        wrapped(pixels[:2])
    assert (wrapped.passes.forward, wrapped.passes.backward) == (7, 0)
    leaf = pixels.clone().requires_grad_()
    logits = wrapped(leaf)
    for column in range(2):
        torch.autograd.grad(logits[:, column].sum(), leaf, retain_graph=True)
    assert (wrapped.passes.forward, wrapped.passes.backward) == (12, 10)


def test_on_pass_is_called_after_every_forward_pass():
    wrapped = tiny_networks.classifier(nn.Flatten())
    counts = []
    wrapped.on_pass = lambda: counts.append(wrapped.passes.forward)
    for _ in range(3):
        wrapped(torch.rand(2, 1, 2, 2))
    assert counts == [2, 4, 6]


def test_network_is_frozen_in_evaluation_mode():
    """Otherwise FAB would compute gradients of weights, and batch norm would adapt to adversarial images."""
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Dropout(), nn.Flatten())
    wrapped = tiny_networks.classifier(network)
    assert not [name for name, parameter in wrapped.named_parameters() if parameter.requires_grad]
    assert not [module for module in wrapped.network.modules() if module.training]
    before = {key: value.clone() for key, value in network.state_dict().items()}
    leaf = torch.rand(2, 1, 4, 4, requires_grad=True)
    wrapped(leaf).sum().backward()
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt", "w.pth", "odd name"])
def test_weights_from_a_file(tmp_path: Path, name: str):
    network = tiny_networks.vit()
    loaded = load(tiny_networks.save(network, tmp_path / name))
    assert torch.equal(loaded(images()), network((images() - 0.5) / 0.25))


def test_weights_in_file_of_training_script(tmp_path: Path):
    """Training scripts store weights under a key, with prefixes that data parallelism adds."""
    network = tiny_networks.vit()
    state = {f"module.{key}": value for key, value in network.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "w.pt")
    assert torch.equal(load(tmp_path / "w.pt")(images()), network((images() - 0.5) / 0.25))


def test_batch_norm_counter_may_be_missing(tmp_path: Path):
    """Files written by old PyTorch versions lack the counter, and evaluation does not use it."""
    network = timm.create_model("resnet10t", num_classes=5)
    state = {key: value for key, value in network.state_dict().items() if not key.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "w.pt")
    rgb = {**GREY, "input_size": (3, 32, 32), "mean": (0,) * 3, "std": (1,) * 3}
    changes = {"source": "timm:resnet10t", "options": {"num_classes": 5}, "preprocessing": Preprocessing(**rgb)}
    assert load(tmp_path / "w.pt", **changes)(torch.rand(1, 3, 32, 32)).shape == (1, 5)


def test_keys_that_do_not_fit_are_listed(tmp_path: Path):
    """The message has all three kinds of errors. timm would load the other keys without an error."""
    state = tiny_networks.vit().state_dict()
    del state["head.bias"]
    state["extra.weight"] = torch.zeros(1)
    state["cls_token"] = torch.zeros(1, 1, 8)
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(ModelError) as caught:
        load(tmp_path / "w.pt")
    message = str(caught.value)
    assert "w.pt does not fit" in message
    assert "1 missing keys (head.bias)" in message
    assert "1 unexpected keys (extra.weight)" in message
    assert "1 keys of other shape (cls_token is (1, 1, 8), expected (1, 1, 16))" in message


def test_weights_of_another_network(tmp_path: Path):
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "w.pt")
    with pytest.raises(ModelError, match=r"missing keys \(cls_token, pos_embed, .*, \.\.\.\); 2 unexpected keys"):
        load(tmp_path / "w.pt")


class Dangerous:
    """A pickle that creates a folder when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        """Return the call that pickle makes."""
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("conversion", ["none", "timm"])
def test_weights_file_runs_no_code(tmp_path: Path, conversion: str):
    torch.save({"state_dict": Dangerous(tmp_path / "pwned")}, tmp_path / "w.pt")
    hub = {"source": "timm:resnet10t.c3_in1k", "options": {}, "conversion": "timm"}
    with pytest.raises(ModelError):
        load(tmp_path / "w.pt", **(hub if conversion == "timm" else {}))
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
@pytest.mark.parametrize(
    "data", [b"", b"<!DOCTYPE html><html>rate limited</html>", b"\x80\x02}q\x00.", b"PK\x03\x04"]
)
def test_file_without_weights(tmp_path: Path, name: str, data: bytes):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ModelError, match="tiny: vit_tiny_patch16_224 cannot be built"):
        load(tmp_path / name)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_truncated_weights_file(tmp_path: Path, name: str, share: float):
    data = tiny_networks.save(tiny_networks.vit(), tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelError):
        load(tmp_path / name)


@pytest.mark.parametrize("content", [torch.zeros(3), [1, 2], {"cls_token": "text"}, {"epoch": 3}])
def test_torch_file_without_state_dict(tmp_path: Path, content: object):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(ModelError):
        load(tmp_path / "w.pt")


def test_missing_file_raises_os_error(tmp_path: Path):
    """The error is not a ModelError, because another machine may have the file."""
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "w.pt")


@pytest.mark.parametrize("options", [{"no_such_option": 1}, {"depth": "two"}, {"img_size": -1}])
def test_invalid_options(tmp_path: Path, options: dict[str, Any]):
    weights = tiny_networks.save(tiny_networks.vit(), tmp_path / "w.pt")
    with pytest.raises(ModelError, match="cannot be built"):
        load(weights, options={**OPTIONS, **options})


def test_unknown_architecture(tmp_path: Path):
    """The pair was submitted with another version of timm."""
    with pytest.raises(ModelError, match="cannot be built"):
        load(tmp_path / "w.pt", source="timm:no_such_network")


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_weights_of_tag_from_hub_cache(tmp_path: Path, file: str):
    """`make weights` leaves files in the hub's cache; timm loads them from there without network access."""
    torch.manual_seed(0)
    network = timm.create_model("resnet10t").eval()
    home = tmp_path / file_download.repo_folder_name(repo_id="timm/resnet10t.c3_in1k", repo_type="model")
    (home / "snapshots" / "abc").mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("abc")
    tiny_networks.save(network, home / "snapshots" / "abc" / file)
    found = hub_cache.find_weights(tmp_path, "timm/resnet10t.c3_in1k")
    assert found is not None
    rgb = {**GREY, "input_size": (3, 32, 32), "mean": (0.5,) * 3, "std": (0.25,) * 3}
    fields = {"source": "timm:resnet10t.c3_in1k", "options": {}, "preprocessing": Preprocessing(**rgb)}
    pixels = torch.rand(2, 3, 32, 32)
    with_conversion = load(found, **fields, conversion="timm")(pixels)
    as_state_dict = load(found, **fields)(pixels)
    assert torch.equal(with_conversion, network((pixels - 0.5) / 0.25))
    assert torch.equal(as_state_dict, with_conversion)
