"""A model of each source, from the study file through a job on a real pool to the report."""

import sys
from pathlib import Path

import timm
import torch
import torchvision
from safetensors.torch import save_file

from alignsec.models import brainscore_archive
from submit.pool.pool import Pool
from tests.paths import CHECKOUT
from tests.pool.runs import TinyRun

TAG = "test_resnet.r160_in1k"
STUDY = """
name = "tiny"
[images]
folder = "images"
labels = "labels.csv"

[[models]]
name = "a timm tag, from the hub's cache"
source = "timm:test_resnet.r160_in1k"

[[models]]
name = "a file of weights"
source = "checkpoint:timm/test_resnet"
weights = "checkpoint.safetensors"
preprocessing = { input_size = [3, 64, 64], STATED }

[[models]]
name = "a torchvision model"
source = "torchvision:shufflenet_v2_x1_0.IMAGENET1K_V1"
weights = "shufflenet.pth"

[[models]]
name = "code of my own"
source = "python:mine.py:build"
options = { width = 4 }
preprocessing = { input_size = [3, 32, 32], STATED }
"""
STATED = 'mean = [0.5, 0.5, 0.5], std = [0.5, 0.5, 0.5], interpolation = "bilinear", crop_pct = 1.0'
BRAINSCORE = """
[[models]]
name = "shufflenet_v2_x1_0"
source = "brainscore:shufflenet_v2_x1_0"
weights = "shufflenet.tar"
"""
ATTACKS = """
[[attacks]]
method = "apgd-ce"
norm = "Linf"
eps = ["1/255"]
steps = 2
"""
MINE = """
import torch
from torch import nn

def build(width):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))
"""


class EverySource(TinyRun):
    """A study of models from every source. The weights are random, everything else is real."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.python = CHECKOUT / ".brainscore" / "bin" / "python"
        torch.manual_seed(0)
        small = timm.create_model("test_resnet").state_dict()
        save_file(small, self.folder / "checkpoint.safetensors")
        cached = self.folder / "hub" / f"models--timm--{TAG}"
        (cached / "snapshots" / "abc").mkdir(parents=True)
        save_file(small, cached / "snapshots" / "abc" / "model.safetensors")
        (cached / "refs").mkdir()
        (cached / "refs" / "main").write_text("abc")
        shufflenet = torchvision.models.shufflenet_v2_x1_0().state_dict()
        torch.save(shufflenet, self.folder / "shufflenet.pth")
        (self.folder / "mine.py").write_text(MINE)
        # The file that the plugin would download, in the folder that it would use.
        url = torchvision.models.ShuffleNet_V2_X1_0_Weights.IMAGENET1K_V1.url
        home = self.folder / "home" / "torch" / "hub" / "checkpoints"
        home.mkdir(parents=True)
        torch.save(shufflenet, home / url.rpartition("/")[2])
        brainscore_archive.pack_home(self.folder / "home", self.folder / "shufflenet.tar")

    def write_study(self) -> Path:
        """Write the study file. Brain-Score's model is included if its environment exists."""
        path = self.folder / "tiny.toml"
        path.write_text(STUDY.replace("STATED", STATED) + (BRAINSCORE if self.python.exists() else "") + ATTACKS)
        return path


def test_a_model_of_each_source(pool: Pool, tmp_path: Path) -> None:
    """From the study file through a job on a real pool to the report."""
    every = EverySource(tmp_path, pool)
    every.submit(PYTHON=every.python if every.python.exists() else sys.executable)
    now = every.wait_for("ended", seconds=300)
    assert {pair.id: pair.reason for pair in now.pairs if pair.state != "ok"} == {}
    assert every.exit_code() == 0
    assert (every.run.analysis / "report.html").exists()
    by_model = {record.pair.model.name: record for record in every.read_records().values()}
    classes = {name: record.classes for name, record in by_model.items()}
    assert classes.pop("code of my own") == 10
    assert set(classes.values()) == {1000}
    # The network and weights are the same, but torchvision crops the centre and Brain-Score's plugin squashes.
    assert by_model["a torchvision model"].pair.model.preprocessing.crop_mode == "center"
    if every.python.exists():
        assert by_model["shufflenet_v2_x1_0"].pair.model.preprocessing.crop_mode == "squash"
