"""Accepted formats and limits of images."""

import io
from pathlib import Path

import pytest
from PIL import EpsImagePlugin, Image

from alignsec import limits
from alignsec.errors import ConfigErrors
from alignsec.images import corrupted_set, decoding
from alignsec.images import pack as image_pack
from alignsec.images.pack import Candidate
from tests.tiny import write_image

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n%%EndComments\n(x) print\n%%EOF\n"


@pytest.fixture
def ghostscript(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Record the calls of Ghostscript instead of starting it."""
    calls: list[object] = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *arguments, **_: calls.append(arguments))
    return calls


def test_postscript_is_not_an_image(tmp_path: Path, ghostscript: list[object]):
    """Pillow recognises a file by its content: a .jpg that contains PostScript would start a program."""
    path = tmp_path / "c" / "fog" / "1" / "a.jpg"
    path.parent.mkdir(parents=True)
    path.write_bytes(POSTSCRIPT)
    image = Candidate("a.jpg", 0, path)
    with pytest.raises(ConfigErrors, match="unknown image format; expected JPEG, PNG"):
        image_pack.write_pack([image], tmp_path / "packs")
    assert corrupted_set.find_images(tmp_path / "c", "fog", 1, [image])
    assert not ghostscript


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "TIFF", "PPM", "GIF"])
def test_accepted_formats(kind: str):
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, kind)
    with decoding.open_image(file.getvalue()) as picture:
        assert picture.convert("RGB").size == (8, 8)


@pytest.mark.parametrize("kind", ["PDF", "PCX", "ICO", "EPS", "JPEG2000"])
def test_other_formats_are_refused(kind: str):
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, kind)
    with pytest.raises(decoding.UNDECODABLE), decoding.open_image(file.getvalue()) as picture:
        picture.load()


def test_limits_of_an_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The pixels of an image that is too large are not decoded, and no more bytes than the limit are read."""
    write_image(tmp_path / "a.png", seed=1)
    image = Candidate("a.png", 0, tmp_path / "a.png")
    monkeypatch.setattr(limits, "IMAGE_PIXELS", 255)
    with pytest.raises(ConfigErrors, match="16 x 16 pixels; the limit is 255"):
        image_pack.write_pack([image], tmp_path / "packs")
    monkeypatch.setattr(limits, "IMAGE_BYTES", 100)
    assert len(image.read()) == 101
    with pytest.raises(ConfigErrors, match="more than the limit of 100 bytes"):
        image_pack.write_pack([image], tmp_path / "packs")


def test_images_are_opened_with_a_list_of_formats(checkout: Path):
    """Without one, Pillow accepts all its formats, and PostScript starts Ghostscript."""
    folders = ("alignsec", "jobs", "submit", "aggregate", "studies", "benchmarks")
    files = [path for folder in folders for path in (checkout / folder).rglob("*.py")]
    calls = [
        line for path in files for line in path.read_text(encoding="utf-8").splitlines() if "Image.open(" in line
    ]
    assert calls
    assert not [line for line in calls if "formats=" not in line]
