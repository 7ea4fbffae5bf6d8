"""Loads: every parameter of a network comes from its weights file, or the load is refused."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import nn
from torchvision.models import get_model

from alignsec.models import classifier, state_dict
from alignsec.models.classifier import Classifier
from alignsec.models.errors import ModelError
from alignsec.spec.pair import File, PairModel
from alignsec.spec.preprocessing import Preprocessing
from tests import paths, tiny_networks

RGB = Preprocessing(input_size=(3, 64, 64), mean=(0,) * 3, std=(1,) * 3, interpolation="bilinear", crop_pct=1)
TAG = "timm:test_resnet.r160_in1k"


def load(file: Path, **fields: Any) -> Classifier:
    weights = File(name=file.name, sha256="1" * 64)
    model = PairModel.model_validate({"name": "m", "preprocessing": RGB, "weights": weights, **fields})
    return classifier.load(model, file.parent, torch.device("cpu"))


def write(folder: Path, name: str = "test_resnet", **options: Any) -> tuple[nn.Module, Path]:
    torch.manual_seed(1)
    network = timm.create_model(name, pretrained=False, **options)
    return network, tiny_networks.save(network, folder / "w.pth")


def assert_same(loaded: Classifier, network: nn.Module) -> None:
    own = loaded.network.state_dict()
    assert own.keys() == network.state_dict().keys()
    assert all(torch.equal(own[key], value) for key, value in network.state_dict().items())


@pytest.mark.parametrize("conversion", ["timm", "none"])
def test_fine_tuned_head_is_the_files(tmp_path: Path, conversion: str):
    network, file = write(tmp_path, num_classes=10)
    assert_same(load(file, source=TAG, conversion=conversion, options={"num_classes": 10}), network)


@pytest.mark.parametrize("conversion", ["timm", "none"])
@pytest.mark.parametrize(("in_file", "options"), [(10, {}), (1000, {"num_classes": 10}), (7, {"num_classes": 10})])
def test_head_of_another_size_is_refused(tmp_path: Path, conversion: str, in_file: int, options: dict[str, Any]):
    _, file = write(tmp_path, num_classes=in_file)
    with pytest.raises(ModelError, match=r"fc\.weight.*set num_classes in the model's options"):
        load(file, source=TAG, conversion=conversion, options=options)


@pytest.mark.parametrize("options", [{}, {"num_classes": 10}])
def test_another_architecture_is_refused(tmp_path: Path, options: dict[str, Any]):
    _, file = write(tmp_path, "test_vit", **options)
    with pytest.raises(ModelError, match="does not fit"):
        load(file, source=TAG, conversion="timm", options=options)


@pytest.mark.parametrize("part", ["fc.bias", "layer1.0.bn1.running_mean", "conv1.0.weight"])
@pytest.mark.parametrize("strict", [True, False])
def test_missing_part_is_named(tmp_path: Path, part: str, strict: bool):
    """Also where timm itself does not check the keys."""
    network, file = write(tmp_path)
    part = part if part in network.state_dict() else next(key for key in network.state_dict() if "weight" in key)
    torch.save({key: value for key, value in network.state_dict().items() if key != part}, file)
    options = {} if strict else {"pretrained_strict": False}
    with pytest.raises(ModelError, match=part):
        load(file, source=TAG, conversion="timm", options=options)


@pytest.mark.parametrize("name", ["test_vit", "test_efficientnet", "test_convnext", "test_byobnet"])
def test_complete_files_of_other_families_are_loaded(tmp_path: Path, name: str):
    network, file = write(tmp_path, name)
    assert_same(load(file, source=f"timm:{name}.r160_in1k", conversion="timm"), network)


def test_torchvision_head_of_another_size_is_refused(tmp_path: Path):
    file = tiny_networks.save(get_model("resnet18", num_classes=10), tmp_path / "w.pth")
    source = "torchvision:resnet18.IMAGENET1K_V1"
    with pytest.raises(ModelError, match='set conversion = "none"'):
        load(file, source=source, conversion="torchvision", options={"num_classes": 10})
    with pytest.raises(ModelError, match=r"fc\.weight"):
        load(file, source=source, conversion="torchvision")


def test_values_that_a_load_left_are_named():
    network = nn.BatchNorm1d(2)
    state_dict.fill_with_nan(network)
    network.weight.data.zero_()
    with pytest.raises(ValueError, match=r"w.pt does not contain 3 .*bias, running_mean, running_var"):
        state_dict.require_filled(network, "w.pt")


def test_case_of_a_fine_tuned_head():
    file = paths.SHARED_CASES / "16-finetuned-head-with-timm-conversion/ten.pth"
    if not file.exists():
        pytest.skip(f"{file} is absent")
    options = {"num_classes": 10}
    plain = load(file, source=TAG, options=options)
    for _ in range(2):
        assert_same(load(file, source=TAG, conversion="timm", options=options), plain.network)
