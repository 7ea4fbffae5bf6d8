"""Tests of Brain-Score's plugins, which test_brainscore.py runs in Brain-Score's environment.

They use the real package with another folder of plugins: one real plugin with random weights, and a few plugins
that this file writes.
"""

import importlib
import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from PIL import Image
from torch import nn

from alignsec.catalogue import brainscore
from alignsec.catalogue.generate import brainscore as brainscore_models
from alignsec.images.pack import Candidate
from alignsec.models import brainscore_archive, classifier
from alignsec.models.classifier import Classifier
from alignsec.models.errors import ModelError
from alignsec.models.images import ImageTransform
from alignsec.run.job_environment import HOME
from alignsec.spec.pair import File, PairModel
from alignsec.spec.preprocessing import Preprocessing

REAL = "shufflenet_v2_x1_0"
ALEXNETS: dict[str, Any] = {
    "input_size": (3, 224, 224),
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "interpolation": "bilinear",
    "crop_pct": 1.0,
    "crop_mode": "squash",
}
PLUGIN = """
import functools
from brainscore_vision import model_registry
from brainscore_vision.model_helpers.activations.pytorch import PytorchWrapper, load_preprocess_images
from brainscore_vision.model_helpers.brain_transformation import ModelCommitment
{more}
def get_model():
    import torch
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.head = torch.nn.Linear(3, 4)
        def forward(self, images, scale=1):
            return {{"features": images, "logits": scale * self.head(images.mean((2, 3)))}}
    torch.manual_seed(0)
    {preprocessing}
    return PytorchWrapper(identifier="{name}", model=Net(), preprocessing=preprocessing{arguments})
model_registry["{name}"] = lambda: ModelCommitment(
    identifier="{name}", activations_model=get_model(), layers=["head"], region_layer_map={{"IT": "head"}})
"""
PARTIAL = "preprocessing = functools.partial(load_preprocess_images, image_size=32, {})"
HALVES = PARTIAL.format("normalize_mean=(0.5, 0.5, 0.5), normalize_std=(0.5, 0.5, 0.5)")
OPENCV = """
def by_opencv(paths):
    import albumentations, numpy
    from PIL import Image
    steps = [albumentations.Resize(36, 36, interpolation=2), albumentations.CenterCrop(32, 32)]
    steps += [albumentations.Normalize(mean=[0.5] * 3, std=[0.5] * 3)]
    shown = [albumentations.Compose(steps)(image=numpy.array(Image.open(path)))["image"] for path in paths]
    return numpy.stack(shown).transpose(0, 3, 1, 2)
"""
"""Preprocessing of Brain-Score's scaling models: OpenCV resizes without keeping the aspect ratio, then crops."""
PLUGINS = {
    "halves": {"preprocessing": HALVES},
    "scaled": {"preprocessing": HALVES, "arguments": ", forward_kwargs={'scale': 3}"},
    "own_function": {"preprocessing": "preprocessing = lambda paths: load_preprocess_images(paths, 32) * 2"},
    "needs_more": {"preprocessing": HALVES, "more": "import a_package_that_is_not_here"},
    "in_two_places": {"preprocessing": HALVES},
    "opencv": {"preprocessing": "preprocessing = by_opencv", "more": OPENCV},
}
SMALL = Preprocessing(**{**ALEXNETS, "input_size": (3, 32, 32), "mean": (0.5,) * 3, "std": (0.5,) * 3})


@pytest.fixture(scope="session", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the real package; the package that is imported has the test plugins instead."""
    real = brainscore_models.find_package()
    shadow = tmp_path_factory.mktemp("site") / "brainscore_vision"
    (shadow / "models").mkdir(parents=True)
    for entry in real.iterdir():
        if entry.name != "models":
            (shadow / entry.name).symlink_to(entry)
    (shadow / "models" / "__init__.py").touch()
    (shadow / "models" / REAL).symlink_to(real / "models" / REAL)
    for name, parts in PLUGINS.items():
        text = PLUGIN.format(name=name, **{"more": "", "arguments": "", **parts})
        for place in (name, "again") if name == "in_two_places" else (name,):
            (shadow / "models" / place).mkdir()
            (shadow / "models" / place / "__init__.py").write_text(text)
            (shadow / "models" / place / "requirements.txt").write_text("a_package_that_is_not_here")
    sys.path.insert(0, str(shadow.parent))
    yield real
    sys.path.remove(str(shadow.parent))


def archive(folder: Path, files: dict[str, bytes]) -> File:
    with tarfile.open(folder / "w.tar", "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return File(name="w.tar", sha256="1" * 64)


def load(
    folder: Path, name: str, preprocessing: Preprocessing, files: dict[str, bytes] | None = None
) -> Classifier:
    model = PairModel(
        name="m",
        source=f"brainscore:{name}",
        weights=archive(folder, files or {}),
        conversion="brainscore",
        preprocessing=preprocessing,
    )
    return classifier.load(model, folder, torch.device("cpu"))


def test_catalogue_equals_registry_of_installed_package(installed: Path):
    """After a change of brainscore_vision's version, run `make catalogue`."""
    written = io.StringIO()
    brainscore_models.write(installed, written)
    kept = Path(brainscore.__file__).with_name(brainscore.FILE)
    assert written.getvalue() == kept.read_text(encoding="utf-8")


def catalogue_preprocessings() -> list[Preprocessing]:
    """Return each preprocessing in the catalogue once."""
    ways = {str(entry.preprocessing): entry.preprocessing for entry in brainscore.read_models().values()}
    return [Preprocessing.model_validate(way) for way in ways.values() if way]


@pytest.mark.parametrize(
    "way", catalogue_preprocessings(), ids=lambda way: f"{way.crop_mode}-{way.input_size[1]}-{way.mean[0]}"
)
@pytest.mark.parametrize("shape", [(137, 211), (500, 375)])
def test_preprocessing_equals_brainscore_s_loader(tmp_path: Path, way: Preprocessing, shape: tuple[int, int]):
    """All pixels are equal, for squashing and for cropping."""
    loader = importlib.import_module("brainscore_vision.model_helpers.activations.pytorch")
    path = tmp_path / "x.png"
    height, width = shape
    noise = torch.randint(0, 256, (height, width, 3), dtype=torch.uint8)
    Image.fromarray(noise.numpy()).save(path)
    size = way.input_size[1]
    arguments = {"normalize_mean": way.mean, "normalize_std": way.std}
    if way.crop_mode == "center":
        arguments = {"preprocess_type": "inception"}
    theirs = torch.as_tensor(loader.load_preprocess_images([str(path)], image_size=size, **arguments)[0])
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (way.mean, way.std))
    ours = ImageTransform(way)(Candidate(path.name, 0, path)).float() / 255
    assert torch.allclose(theirs, (ours - mean) / std, atol=1e-5)


def test_real_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """shufflenet_v2_x1_0 takes weights from torch's cache and preprocessing from a partial, without pip."""
    torch.manual_seed(0)
    network = torchvision.models.shufflenet_v2_x1_0().eval()
    weights = io.BytesIO()
    torch.save(network.state_dict(), weights)
    url = torchvision.models.ShuffleNet_V2_X1_0_Weights.IMAGENET1K_V1.url
    files = {f"torch/hub/checkpoints/{url.rpartition('/')[2]}": weights.getvalue()}
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / HOME / "torch" / "hub"))

    run = subprocess.run

    def no_pip(*arguments: Any, **options: Any) -> Any:
        assert "pip" not in str(arguments), arguments
        return run(*arguments, **options)

    monkeypatch.setattr(subprocess, "run", no_pip)
    told = brainscore.read_model_info(REAL).preprocessing
    assert Preprocessing.model_validate(told) == Preprocessing(**ALEXNETS)
    loaded = load(tmp_path, REAL, Preprocessing.model_validate(told), files)
    pixels = torch.rand(2, 3, 224, 224)
    mean, std = (torch.tensor(ALEXNETS[name]).view(1, -1, 1, 1) for name in ("mean", "std"))
    assert torch.equal(loaded(pixels), network((pixels - mean) / std))
    (tmp_path / HOME / "torch" / "hub" / "checkpoints" / url.rpartition("/")[2]).unlink()
    with pytest.raises(ModelError, match=r"tried to download from .*; the file is missing from its archive"):
        load(tmp_path, REAL, Preprocessing(**ALEXNETS))


@pytest.mark.parametrize(("name", "scale"), [("halves", 1), ("scaled", 3)])
def test_written_plugin(tmp_path: Path, name: str, scale: int):
    """The output is a mapping, and the keyword arguments of the wrapper are used."""
    loaded = load(tmp_path, name, SMALL)
    torch.manual_seed(0)
    head = nn.Linear(3, 4)
    pixels = torch.rand(2, 3, 32, 32)
    assert torch.allclose(loaded(pixels), scale * head(((pixels - 0.5) / 0.5).mean((2, 3))), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("halves", {"std": (0.229, 0.224, 0.225)}, "normalises images differently from the study"),
        ("halves", {"crop_mode": "center"}, "resizes images differently from the study"),
        (
            "halves",
            {"input_size": (3, 64, 64)},
            r"shape \(3, 32, 32\), the study's preprocessing of shape \(3, 64, 64\)",
        ),
        ("own_function", {}, "normalises images differently from the study"),
        ("opencv", {"crop_pct": 32 / 36}, "resizes images differently from the study"),
        ("needs_more", {}, "its plugin needs the package a_package_that_is_not_here"),
        ("no_such_model", {}, "has no model no_such_model"),
        ("in_two_places", {}, "in several folders"),
    ],
)
def test_unusable_plugins_are_rejected(tmp_path: Path, name: str, change: dict[str, Any], message: str):
    with pytest.raises(ModelError, match=message):
        load(tmp_path, name, SMALL.model_copy(update=change))


def test_custom_preprocessing_is_accepted_if_study_states_it(tmp_path: Path):
    """own_function doubles the result, which equals half of ImageNet's std."""
    stated = {"mean": ALEXNETS["mean"], "std": tuple(value / 2 for value in ALEXNETS["std"])}
    assert load(tmp_path, "own_function", SMALL.model_copy(update=stated))(torch.rand(1, 3, 32, 32)).shape == (
        1,
        4,
    )


def test_resizing_without_filter_may_differ_by_grey_level(tmp_path: Path):
    """OpenCV rounds differently from torch."""
    stated = {"crop_pct": 32 / 36, "interpolation": "bicubic", "antialias": False}
    assert load(tmp_path, "opencv", SMALL.model_copy(update=stated))(torch.rand(1, 3, 32, 32)).shape == (1, 4)


@pytest.mark.parametrize("data", [b"", b"<html>", b"PK\x03\x04"])
def test_file_that_is_not_an_archive(tmp_path: Path, data: bytes):
    archive(tmp_path, {})
    (tmp_path / "w.tar").write_bytes(data)
    model = PairModel(
        name="m", source="brainscore:halves", weights=File(name="w.tar", sha256="1" * 64), preprocessing=SMALL
    )
    with pytest.raises(ModelError, match="is not an archive"):
        classifier.load(model, tmp_path, torch.device("cpu"))


def test_archive_of_same_files_is_identical(tmp_path: Path):
    """Times and links of files do not matter, and files that libraries leave are excluded."""
    for home in ("one", "two"):
        (tmp_path / home / "torch" / "hub").mkdir(parents=True)
        (tmp_path / home / "torch" / "hub" / "w.pth").write_bytes(b"weights")
        (tmp_path / home / "hub" / ".locks").mkdir(parents=True)
        (tmp_path / home / "hub" / ".locks" / home).touch()
        (tmp_path / home / "hub" / "link").symlink_to(tmp_path / home / "torch" / "hub" / "w.pth")
        assert brainscore_archive.pack_home(tmp_path / home, tmp_path / f"{home}.tar") == 2
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as tar:
        assert tar.getnames() == ["hub/link", "torch/hub/w.pth"]
        assert tar.extractfile("hub/link").read() == b"weights"  # type: ignore[union-attr]
