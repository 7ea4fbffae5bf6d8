"""Formats of real files, whole and truncated."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from submit.weights import file_format
from submit.weights.file_format import InvalidWeightsError, UnknownFormatError
from tests import tiny_networks
from tests.submit.weights.file_server import safetensors


def write_file(path: Path, kind: str) -> Path:
    state = {"w": torch.arange(1000.0), "b": torch.zeros(3)}
    if kind == "safetensors":
        return tiny_networks.save(torch.nn.Linear(20, 30), path.with_suffix(".safetensors"))
    if kind == "npz":
        np.savez(path.with_suffix(".npz"), w=np.arange(1000.0))
        return path.with_suffix(".npz")
    torch.save(state, path, _use_new_zipfile_serialization=kind == "torch")
    return path


@pytest.mark.parametrize("kind", ["safetensors", "torch", "npz", "legacy torch"])
def test_each_format(tmp_path: Path, kind: str):
    assert file_format.detect_format(write_file(tmp_path / "w", kind)) == kind.removeprefix("legacy ")


@pytest.mark.parametrize("kind", ["safetensors", "torch", "npz"])
@pytest.mark.parametrize("keep", [0.5, 0.99])
def test_a_truncated_file_is_detected(tmp_path: Path, kind: str, keep: float):
    path = write_file(tmp_path / "w", kind)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(InvalidWeightsError, match="truncated"):
        file_format.detect_format(path)


def test_an_extra_byte_is_detected(tmp_path: Path):
    (tmp_path / "w").write_bytes(safetensors() + b"x")
    with pytest.raises(InvalidWeightsError, match="truncated or changed"):
        file_format.detect_format(tmp_path / "w")


def test_an_archive_without_tensors_has_an_unknown_format(tmp_path: Path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("readme.txt", "x")
    (tmp_path / "w").write_bytes(buffer.getvalue())
    with pytest.raises(UnknownFormatError, match=r"it contains readme\.txt"):
        file_format.detect_format(tmp_path / "w")


def test_a_huge_header_is_not_read(tmp_path: Path):
    (tmp_path / "w").write_bytes(b"\xff" * 7 + b"\x00{" + b"x" * 600)
    with pytest.raises(InvalidWeightsError):
        file_format.detect_format(tmp_path / "w")
