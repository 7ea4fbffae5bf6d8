"""What a file is, told from its bytes: real files of every kind, and cut ones."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from submit.weights import file_kind
from submit.weights.file_kind import NoCheckpoint, Unrecognised
from tests import tiny_networks
from tests.submit.weights.stand_in import safetensors


def written(path: Path, kind: str) -> Path:
    state = {"w": torch.arange(1000.0), "b": torch.zeros(3)}
    if kind == "safetensors":
        return tiny_networks.save(torch.nn.Linear(20, 30), path.with_suffix(".safetensors"))
    if kind == "npz":
        np.savez(path.with_suffix(".npz"), w=np.arange(1000.0))
        return path.with_suffix(".npz")
    torch.save(state, path, _use_new_zipfile_serialization=kind == "torch")
    return path


@pytest.mark.parametrize("kind", ["safetensors", "torch", "npz", "torch of old"])
def test_each_kind(tmp_path: Path, kind: str):
    assert file_kind.kind(written(tmp_path / "w", kind)) == kind.removesuffix(" of old")


@pytest.mark.parametrize("kind", ["safetensors", "torch", "npz"])
@pytest.mark.parametrize("keep", [0.5, 0.99])
def test_a_cut_file_is_found(tmp_path: Path, kind: str, keep: float):
    path = written(tmp_path / "w", kind)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(NoCheckpoint, match="cut short"):
        file_kind.kind(path)


def test_a_byte_too_many_is_found(tmp_path: Path):
    (tmp_path / "w").write_bytes(safetensors() + b"x")
    with pytest.raises(NoCheckpoint, match="cut short or changed"):
        file_kind.kind(tmp_path / "w")


def test_an_archive_of_other_things_may_be_known_to_others(tmp_path: Path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("readme.txt", "x")
    (tmp_path / "w").write_bytes(buffer.getvalue())
    with pytest.raises(Unrecognised, match=r"it holds readme\.txt"):
        file_kind.kind(tmp_path / "w")


def test_a_huge_header_is_not_read(tmp_path: Path):
    (tmp_path / "w").write_bytes(b"\xff" * 7 + b"\x00{" + b"x" * 600)
    with pytest.raises(NoCheckpoint):
        file_kind.kind(tmp_path / "w")
