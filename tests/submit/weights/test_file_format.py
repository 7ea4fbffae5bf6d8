"""Formats of real files, whole and truncated."""

import io
import json
import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from random import Random

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


def header(text: str | bytes, data: bytes = b"") -> bytes:
    """Return a safetensors file with this header."""
    encoded = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(encoded)) + encoded + data


def tensor(offsets: object, shape: object = (1,), kind: object = "F32") -> str:
    return json.dumps({"w": {"dtype": kind, "shape": shape, "data_offsets": offsets}})


@pytest.mark.parametrize(
    "content",
    [
        header(tensor([0, "4"]), bytes(4)),
        header(tensor([0, None]), bytes(4)),
        header(tensor([0, 4.0]), bytes(4)),
        header(tensor([False, 4]), bytes(4)),
        header(tensor([-4, 4]), bytes(4)),
        header(tensor([4, 8]), bytes(8)),
        header(tensor([0]), bytes(4)),
        header(tensor([0, 8]), bytes(8)),
        header(tensor([0, 4], [-1]), bytes(4)),
        header(tensor([0, 4], [10**30]), bytes(4)),
        header(tensor("04"), bytes(4)),
        header(tensor({"0": 4}), bytes(4)),
        header('{"w": 4}'),
        header('{"w": null}'),
        header("{" + '"a": [' * 2_000),
        header('{"a": ' + "[" * 100_000),
        header('{"w": {"dtype": "F32", "shape": [' + "9" * 5000 + '], "data_offsets": [0, 4]}}', bytes(4)),
        header(b'{"\xff": 1}'),
        header("{not json}" + " " * 20),
        header('{"__metadata__": [1]}' + " " * 20),
    ],
)
def test_a_damaged_safetensors_header_is_an_error(tmp_path: Path, content: bytes):
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(InvalidWeightsError) as caught:
        file_format.detect_format(tmp_path / "w")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "content",
    [
        header('{"__metadata__": {"format": "pt"}}' + " " * 20),
        header('{"b": {"dtype": "F4", "shape": [3], "data_offsets": [0, 2]}}', bytes(2)),
        header('{"e": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}'),
    ],
)
def test_unusual_safetensors_files_are_valid(tmp_path: Path, content: bytes):
    """No tensors, a type of less than a byte, an empty tensor."""
    (tmp_path / "w").write_bytes(content)
    assert file_format.detect_format(tmp_path / "w") == "safetensors"


@pytest.mark.parametrize("kind", ["torch", "npz", "safetensors", "legacy torch"])
def test_no_change_of_bytes_causes_another_exception(tmp_path: Path, kind: str):
    """The directory of an archive is at its end, the header of a safetensors file at its beginning."""
    path = write_file(tmp_path / "w", kind)
    data = path.read_bytes()
    random = Random(0)  # noqa: S311
    for _ in range(300):
        changed = bytearray(data)
        start = random.choice((0, len(data) - 400))
        for _ in range(random.choice((1, 1, 2, 8))):
            changed[start + random.randrange(400)] = random.randrange(256)
        path.write_bytes(changed)
        with suppress(InvalidWeightsError):
            file_format.detect_format(path)
