"""Photographs: what a model is shown is what timm would show it, less the normalisation."""

import io
from pathlib import Path
from threading import Event
from time import sleep
from typing import Any

import pytest
import torch
from PIL import Image
from timm.data.transforms_factory import create_transform
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.transforms.functional import pil_to_tensor

from alignsec.images import pack as image_pack
from alignsec.images.pack import BadPack, Candidate
from alignsec.models import images as photographs
from alignsec.models.images import ImageError, ImageLoader, ImageTransform
from alignsec.spec.preprocessing import Preprocessing
from tests.tiny import GREY, unchecked_pack, write_image

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
SETTINGS: list[dict[str, Any]] = [
    {"input_size": (3, 224, 224), **IMAGENET, "interpolation": "bicubic", "crop_pct": 0.95},
    {"input_size": (3, 224, 224), **IMAGENET, "interpolation": "bilinear", "crop_pct": 0.875},
    {"input_size": (3, 96, 160), **IMAGENET, "interpolation": "bicubic", "crop_pct": 0.9},
    {"input_size": (3, 64, 64), **IMAGENET, "interpolation": "bicubic", "crop_pct": 1.0, "crop_mode": "squash"},
    {"input_size": (3, 64, 64), **IMAGENET, "interpolation": "lanczos", "crop_pct": 1.0, "crop_mode": "border"},
    {"input_size": (3, 64, 64), **IMAGENET, "interpolation": "nearest", "crop_pct": 1.15},
    {"input_size": (1, 28, 28), "mean": (0.13,), "std": (0.31,), "interpolation": "bilinear", "crop_pct": 1.0},
]
RGB: dict[str, Any] = {**GREY, "input_size": (3, 16, 16), "mean": (0.5,) * 3, "std": (0.5,) * 3}


def pack(folder: Path, names: list[str], into: Path) -> tuple[Path, str]:
    written = image_pack.write([Candidate(name, n, folder / name) for n, name in enumerate(names)], into)
    return into / written.name, written.sha256


@pytest.mark.parametrize(
    "settings", SETTINGS, ids=lambda s: f"{s['input_size']} {s['interpolation']} {s.get('crop_mode', 'center')}"
)
def test_equal_to_timms_own_pipeline(shared: Path, tmp_path: Path, settings: dict[str, Any]):
    """On real JPEGs, bit for bit: our pixels, normalised, are what timm's evaluation would feed the network."""
    folder = shared / "imagenet_sample"
    names = sorted(path.name for path in folder.glob("*.JPEG"))[:3]
    preprocessing = Preprocessing(**settings)
    found = photographs.load_images(*pack(folder, names, tmp_path), preprocessing)
    transform = create_transform(is_training=False, **settings)
    mode = "L" if preprocessing.input_size[0] == 1 else "RGB"
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (preprocessing.mean, preprocessing.std))
    assert found.names == names
    assert found.labels.tolist() == [0, 1, 2]
    assert found.pixels.shape == (3, *preprocessing.input_size)
    assert found.pixels[:].dtype == torch.float32
    assert 0 <= found.pixels[:].min() < found.pixels[:].max() <= 1
    for name, pixels in zip(names, found.pixels[:], strict=True):
        expected = transform(Image.open(folder / name).convert(mode))
        assert torch.equal((pixels - mean) / std, expected)


@pytest.mark.parametrize("crop_mode", ["center", "squash"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_without_a_low_pass_filter(tmp_path: Path, crop_mode: str, interpolation: str):
    """As torch resizes tensors of one image; Pillow blurs what shrinks, and picks other neighbours."""
    write_image(tmp_path / "0.png", seed=0, size=90, mode="RGB")
    shown = Preprocessing(
        input_size=(3, 24, 24), mean=(0,) * 3, std=(1,) * 3, crop_pct=0.8,
        interpolation=interpolation, crop_mode=crop_mode, antialias=False,
    )  # fmt: skip
    picture = Candidate("0.png", 0, tmp_path / "0.png")
    pixels = pil_to_tensor(Image.open(tmp_path / "0.png"))[None].float()
    corners = {} if interpolation == "nearest" else {"align_corners": False}
    resized = interpolate(pixels, (30, 30), mode=interpolation, **corners)[0, :, 3:27, 3:27]
    assert (ImageTransform(shown)(picture).float() - resized.clamp(0, 255)).abs().max() <= 0.51, "rounded"
    filtered = ImageTransform(shown.model_copy(update={"antialias": True}))(picture).float()
    assert (ImageTransform(shown)(picture).float() - filtered).abs().max() > 10


def test_pixels_of_the_input_size_are_left_alone(tmp_path: Path):
    """No resizing, no rounding: 8-bit values over 255."""
    write_image(tmp_path / "a.png", seed=3)
    found = photographs.load_images(*pack(tmp_path, ["a.png"], tmp_path), Preprocessing(**GREY))
    expected = torch.tensor(list(Image.open(tmp_path / "a.png").tobytes())).view(1, 1, 16, 16) / 255
    assert torch.equal(found.pixels[:], expected)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK", "LA", "P", "1"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_of_image_has_the_models_channels(tmp_path: Path, mode: str, channels: int):
    file = tmp_path / "a.tif"
    write_image(tmp_path / "rgb.png", seed=4, mode="RGB")
    Image.open(tmp_path / "rgb.png").convert(mode).save(file)
    values = {"input_size": (channels, 16, 16), "mean": (0.5,) * channels, "std": (0.5,) * channels}
    found = photographs.load_images(*pack(tmp_path, ["a.tif"], tmp_path), Preprocessing(**{**GREY, **values}))
    assert found.pixels.shape == (1, channels, 16, 16)


def test_a_rotated_photograph_stays_as_it_lies(tmp_path: Path):
    """EXIF says to turn it; neither torchvision's loader nor timm's does, so no published number rests on that."""
    write_image(tmp_path / "a.png", seed=2, mode="RGB", size=16)
    picture = Image.open(tmp_path / "a.png")
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.png", exif=exif)
    picture.save(tmp_path / "plain.png")
    found = photographs.load_images(*pack(tmp_path, ["plain.png", "turned.png"], tmp_path), Preprocessing(**RGB))
    assert torch.equal(found.pixels[0], found.pixels[1])


@pytest.mark.parametrize("kind", ["WEBP", "PNG", "GIF", "TIFF"])
def test_of_an_animation_the_first_picture_is_shown(tmp_path: Path, kind: str):
    """As convert("RGB") has it, which every pipeline calls."""
    frames = []
    for seed in (1, 2, 3):
        write_image(tmp_path / f"{seed}.png", seed=seed, mode="L", size=16)
        frames.append(Image.open(tmp_path / f"{seed}.png").convert("RGB"))
    more = {"lossless": True} if kind == "WEBP" else {}
    frames[0].save(tmp_path / "moving.png", kind, save_all=True, append_images=frames[1:], **more)
    found = photographs.load_images(*pack(tmp_path, ["1.png", "moving.png"], tmp_path), Preprocessing(**RGB))
    assert torch.equal(found.pixels[0], found.pixels[1])


def test_an_image_that_cannot_be_decoded_is_named(tmp_path: Path):
    """A pack made elsewhere: its digest fits, an image in it does not decode."""
    write_image(tmp_path / "a.png", seed=1)
    broken = [
        image_pack.LabelledImage("a.png", 0, (tmp_path / "a.png").read_bytes()),
        image_pack.LabelledImage("half.png", 0, (tmp_path / "a.png").read_bytes()[:100]),
    ]
    data = unchecked_pack(broken)
    (tmp_path / "p.tar").write_bytes(data)
    with photographs.load_images(
        tmp_path / "p.tar", image_pack.digest.sha256_of_bytes(data), Preprocessing(**GREY)
    ) as found:
        assert found.pixels[:1].shape == (1, 1, 16, 16)
        with pytest.raises(ImageError, match=r"half\.png cannot be decoded"):
            _ = found.pixels[:2]


def test_a_pack_cut_short_is_refused(tmp_path: Path):
    write_image(tmp_path / "a.png", seed=1)
    path, sha256 = pack(tmp_path, ["a.png"], tmp_path)
    path.write_bytes(io.BytesIO(path.read_bytes()).read(2000))
    with pytest.raises(BadPack):
        photographs.load_images(path, sha256, Preprocessing(**GREY))


@pytest.mark.parametrize("threads", [1, 7])
def test_order_is_the_packs_whatever_the_threads(tmp_path: Path, threads: int):
    names = [f"{number:02}.png" for number in range(40)]
    for number, name in enumerate(names):
        write_image(tmp_path / name, seed=number)
    images = image_pack.entries(*pack(tmp_path, names, tmp_path))
    with ImageLoader(images, Preprocessing(**GREY), threads=threads) as found:
        shown = found.pixels[:]
    for name, pixels in zip(names, shown, strict=True):
        assert pixels.mul(255).round().byte().flatten().tolist() == list(Image.open(tmp_path / name).tobytes())


def test_the_first_images_do_not_wait_for_the_last(tmp_path: Path):
    """A batch is there while a later image is still being decoded; leaving early ends the threads."""
    for number in range(9):
        write_image(tmp_path / f"{number}.png", seed=number)
    images = image_pack.entries(*pack(tmp_path, [f"{number}.png" for number in range(9)], tmp_path))
    go = Event()

    def slow(name: str, image: Tensor) -> Tensor:
        if name == "4.png":
            assert go.wait(60)
        return image

    with ImageLoader(images, Preprocessing(**GREY), change=slow, threads=2) as found:
        assert found.pixels[:4].shape[0] == 4
        assert not found._rows[4].done()
        go.set()
        assert found.pixels[8].shape == (1, 16, 16)


def test_what_is_not_wanted_any_more_is_not_decoded(tmp_path: Path):
    """A job that is stopped does not first decode all the rest."""
    write_image(tmp_path / "a.png", seed=1)
    images = image_pack.entries(*pack(tmp_path, ["a.png"], tmp_path)) * 200
    seen = []
    with ImageLoader(
        images, Preprocessing(**GREY), change=lambda n, i: (seen.append(n), sleep(0.01), i)[2], threads=1
    ):
        pass
    assert len(seen) < 100
