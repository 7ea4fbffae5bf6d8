"""Conversion to safetensors: the same bits, and the same result when timm reads the file."""

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file
from timm.models import load_state_dict
from torch import Tensor, nn

from alignsec.models import conversion
from alignsec.models.conversion import ConversionError
from tests import tiny_networks


def have_same_tensors(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(conversion._is_same(one[key], other[key]) for key in one)


@pytest.fixture
def state() -> dict[str, Tensor]:
    """The tiny network's weights with special tensors: NaN, -0, halves, shared and transposed ones, a scalar."""
    whole = dict(tiny_networks.vit().state_dict())
    odd = torch.tensor([float("nan"), -0.0, float("inf"), 1e-45])
    shared = torch.arange(12.0).reshape(3, 4)
    return {**whole, "odd": odd, "half": odd.half(), "brain": odd.bfloat16(), "shared": shared, "again": shared,
            "turned": shared.T, "scalar": torch.tensor(7), "empty": torch.zeros(0, 3)}  # fmt: skip


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model", "state_dict_ema"])
def test_bits_are_kept_and_timm_reads_the_same(tmp_path: Path, state: dict[str, Tensor], wrapper: str | None):
    """The torch file may also contain training state, and keys with the prefix of a parallel wrapper."""
    named = {f"module.{key}": tensor for key, tensor in state.items()} if wrapper else state
    content = {"epoch": 3, "model": {}, "optimizer": {"lr": 0.1}, wrapper: named} if wrapper else named
    if wrapper not in (None, "model"):
        content["model"] = {"w": torch.zeros(1)}
    torch.save(content, tmp_path / "w.pth")
    conversion.convert(tmp_path / "w.pth", tmp_path / "w.safetensors")
    assert have_same_tensors(load_file(tmp_path / "w.safetensors"), named)
    by_timm = [load_state_dict(str(tmp_path / name)) for name in ("w.pth", "w.safetensors")]
    assert have_same_tensors(by_timm[0], by_timm[1])


def test_timm_still_renames_keys(tmp_path: Path):
    """For a tag whose published keys differ from its network's keys, both files give the same network."""
    name, options = "swin_tiny_patch4_window7_224", {"depths": (1, 1), "embed_dim": 24, "num_heads": (1, 2)}
    torch.manual_seed(1)
    published = timm.create_model(name, **options).state_dict()
    old = {
        key.replace("layers.1.downsample", "layers.0.downsample").replace("head.fc.", "head."): value
        for key, value in published.items()
    }
    torch.save({"model": old}, tmp_path / "w.pth")
    conversion.convert(tmp_path / "w.pth", tmp_path / "w.safetensors")
    networks: list[nn.Module] = [
        timm.create_model(name, pretrained=True, pretrained_cfg_overlay={"file": str(tmp_path / file)}, **options)
        for file in ("w.pth", "w.safetensors")
    ]
    assert have_same_tensors(networks[0].state_dict(), networks[1].state_dict())
    assert have_same_tensors(networks[1].state_dict(), published)


@pytest.mark.parametrize(
    "content",
    [
        {"w": torch.zeros(2), "config": {"depth": 3}},
        {"w": torch.zeros(2), "version": 1},
        {},
        [torch.zeros(2)],
        {"w": torch.zeros(2).to_sparse()},
    ],
    ids=["config", "number", "empty", "list", "sparse"],
)
def test_unsupported_content_is_not_converted(tmp_path: Path, content: object):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(ConversionError):
        conversion.convert(tmp_path / "w.pth", tmp_path / "w.safetensors")
    assert conversion.main(str(tmp_path / "w.pth"), str(tmp_path / "w.safetensors")) == conversion.UNSUPPORTED
    assert not (tmp_path / "w.safetensors").exists()


class Bomb:
    """A pickle that runs code when it is loaded."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("bomb"),))  # type: ignore[return-value]


def test_file_that_runs_code_is_rejected(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    torch.save({"w": Bomb()}, tmp_path / "w.pth")
    assert conversion.main(str(tmp_path / "w.pth"), str(tmp_path / "out")) == conversion.UNREADABLE
    assert "UnpicklingError" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("data", [b"", b"neither", b"PK\x03\x04"])
def test_unreadable_file_gives_message(tmp_path: Path, data: bytes, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "w.pth").write_bytes(data)
    assert conversion.main(str(tmp_path / "w.pth"), str(tmp_path / "out")) == conversion.UNREADABLE
    assert capsys.readouterr().err
