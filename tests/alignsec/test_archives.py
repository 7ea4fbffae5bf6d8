"""Damaged archives: every reader of an archive reports the damage, whatever tarfile or zipfile raises."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from alignsec.catalogue import brainscore_registry
from alignsec.catalogue.brainscore_registry import RegistryError
from alignsec.errors import ConfigErrors
from alignsec.images import pack as image_pack
from alignsec.images.pack import PackError
from alignsec.models import brainscore
from alignsec.models.errors import ModelError
from alignsec.run import outcome_file
from submit.images import files
from tests.alignsec.catalogue.registry_package import PLUGINS


def _list_outcomes(path: Path) -> None:
    for file in outcome_file.list_outcome_files(path):
        file.read()


READERS: dict[str, tuple[Callable[[Path], object], tuple[type[Exception], ...]]] = {
    "outcomes": (_list_outcomes, (tarfile.ReadError,)),
    "pack": (image_pack.list_members, (PackError,)),
    "images": (lambda path: list(files.read_tar(path)), (ConfigErrors,)),
    "plugin": (lambda path: brainscore.unpack(path, path.parent / "home"), (ModelError, OSError)),
}
HEADER = 512


def _tar(**pax: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("labels.csv", "a.json"):
            info = tarfile.TarInfo(name)
            info.size, info.pax_headers = 3, pax
            archive.addfile(info, io.BytesIO(b"abc"))
    return out.getvalue()


def _with_byte(data: bytes, at: int, value: int) -> bytes:
    """Change a byte of the first header and write its checksum again, so that tarfile goes on."""
    header = bytearray(data[:HEADER])
    header[at] = value
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 8 * 32 + sum(header[156:]))
    return bytes(header) + data[HEADER:]


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_header_of_a_tar_is_reported(name: str, tmp_path: Path):
    """Sizes that no memory holds, names with NUL, numbers that are none."""
    read, allowed = READERS[name]
    whole, path = _tar(), tmp_path / "a.tar"
    for at in [*range(0, 100, 33), *range(100, 157), 257, 263, *range(329, 345), 345, 482]:
        for value in (0, 0x80, 0xFF):
            path.write_bytes(_with_byte(whole, at, value))
            with suppress(*allowed):
                read(path)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "pax",
    [
        {"size": ""},
        {"size": "1" * 30},
        {"size": "-1"},
        {"mtime": "x"},
        {"GNU.sparse.map": "1,x"},
        {"path": "a\0b"},
    ],
)
def test_a_damaged_extended_header_of_a_tar_is_reported(name: str, pax: dict[str, str], tmp_path: Path):
    read, allowed = READERS[name]
    path = tmp_path / "a.tar"
    path.write_bytes(_tar(**pax))
    with suppress(*allowed):
        read(path)


def test_any_damaged_byte_of_a_wheel_is_reported(tmp_path: Path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in PLUGINS.items():
            archive.writestr(zipfile.ZipInfo(f"brainscore_vision/models/{name}/__init__.py"), text)
    path, whole = tmp_path / "a.whl", out.getvalue()
    messages = set()
    for at in range(len(whole)):
        for value in (0, 0xFF):
            path.write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])
            try:
                brainscore_registry.read_registrations(path)
            except RegistryError as error:
                messages.add(str(error).partition(":")[0])
    assert "is neither a folder nor a readable wheel" in messages
