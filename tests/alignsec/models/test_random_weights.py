"""Networks that are made by code: parameters that stay random are refused, unless the study accepts them."""

import random
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from alignsec.models import classifier
from alignsec.models.errors import ModelError
from alignsec.models.random_weights import build_reproducibly
from alignsec.spec.pair import File, PairModel
from alignsec.spec.preprocessing import Preprocessing
from tests import tiny
from tests.tiny import GREY

CODE = """
import torch
from torch import nn

def trained():
    network = nn.Linear(3, 2)
    nn.init.ones_(network.weight)
    nn.init.zeros_(network.bias)
    return network

def head_left():
    return nn.Sequential(trained(), nn.Linear(2, 4))

def seeded():
    torch.manual_seed(5)
    return nn.Linear(3, 2)
"""


def _load(tmp_path: Path, function: str, **changes: object) -> nn.Module:
    (tmp_path / "code.py").write_text(CODE)
    code = File(name="code.py", sha256="1" * 64)
    model = PairModel(
        name="m", source=f"python:{function}", code=code, preprocessing=Preprocessing(**GREY), **changes
    )  # type: ignore[arg-type]
    return classifier.load(model, tmp_path, torch.device("cpu")).network


@pytest.mark.parametrize("function", ["trained", "seeded"])
def test_a_network_that_is_the_same_in_each_job_is_accepted(tmp_path: Path, function: str):
    one, other = (_load(tmp_path, function).state_dict() for _ in range(2))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_layer_that_stays_random_is_refused_by_name(tmp_path: Path):
    with pytest.raises(ModelError, match=r"leaves 2 of 4 .* random \(1\.bias, 1\.weight\)"):
        _load(tmp_path, "head_left")


def test_an_accepted_random_network_is_the_same_in_each_job(tmp_path: Path):
    one, other = (_load(tmp_path, "head_left", random_weights=True).state_dict() for _ in range(2))
    assert all(torch.equal(one[key], other[key]) for key in one)


def _buffer() -> nn.Module:
    network = nn.Identity()
    network.register_buffer("noise", torch.from_numpy(np.random.rand(3)), persistent=False)
    return network


def _python_random() -> nn.Module:
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, random.random())  # noqa: S311
    return network


@pytest.mark.parametrize("build", [_buffer, _python_random, lambda: nn.Linear(1, 1).bfloat16()])
def test_all_random_sources_and_buffers_count(build: Callable[[], nn.Module]):
    with pytest.raises(ModelError, match="random"):
        build_reproducibly(build, allowed=False)


def test_the_callers_random_numbers_are_unchanged():
    before = torch.random.get_rng_state(), random.getstate()
    build_reproducibly(lambda: nn.Linear(1, 1), allowed=True)
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert before[1] == random.getstate()


def test_the_key_changes_an_id_only_if_it_is_set():
    plain = tiny.pair()
    allowed = tiny.pair(random_weights=True)
    assert "random_weights" not in plain.model_dump_json()
    assert plain.id != allowed.id
    assert plain.id == tiny.pair(random_weights=False).id


PLUGIN = """
import torch
from brainscore_vision import model_registry

def get_model(fill):
    network = torch.nn.Linear(3, 2)
    if fill:
        torch.nn.init.ones_(network.weight), torch.nn.init.zeros_(network.bias)
    return type("Wrapper", (), {"_model": network})()

model_registry["filled"] = lambda: get_model(True)
model_registry["left"] = lambda: get_model(False)
"""


@pytest.fixture
def brainscore_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package in Brain-Score's layout with one plugin."""
    folder = tmp_path / "site/brainscore_vision"
    (folder / "models/plugin").mkdir(parents=True)
    (folder / "__init__.py").write_text("model_registry = {}\n")
    (folder / "models/__init__.py").touch()
    (folder / "models/plugin/__init__.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        del sys.modules[name]


def _load_plugin(folder: Path, name: str, *, allowed: bool = False) -> nn.Module:
    with tarfile.open(folder / "w.tar", "w"):
        pass
    model = PairModel(
        name="m",
        source=f"brainscore:{name}",
        weights=File(name="w.tar", sha256="1" * 64),
        conversion="brainscore",
        random_weights=allowed,
        preprocessing=Preprocessing(**GREY),
    )
    return classifier.load(model, folder, torch.device("cpu")).network


@pytest.mark.usefixtures("brainscore_package")
def test_a_plugin_that_leaves_a_layer_random_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The comparison of the preprocessing, which needs Brain-Score's own wrapper, is left out."""
    monkeypatch.setattr("alignsec.models.brainscore._check_preprocessing", lambda *_: None)
    assert float(_load_plugin(tmp_path, "filled").weight.sum()) == 6
    with pytest.raises(ModelError, match=r"leaves 2 of 2 .* random \(bias, weight\)"):
        _load_plugin(tmp_path, "left")
    one, other = (_load_plugin(tmp_path, "left", allowed=True).weight for _ in range(2))
    assert torch.equal(one, other)
