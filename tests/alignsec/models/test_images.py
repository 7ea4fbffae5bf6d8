"""Images: preprocessing equals timm's, without normalisation."""

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
from alignsec.images.pack import Candidate, PackError
from alignsec.models.images import ImageError, ImageLoader, ImageTransform, load_images
from alignsec.spec.preprocessing import Preprocessing
from tests.tiny import GREY, LabelledImage, unchecked_pack, write_image

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
    written = image_pack.write_pack([Candidate(name, n, folder / name) for n, name in enumerate(names)], into)
    return into / written.name, written.sha256


@pytest.mark.parametrize(
    "settings", SETTINGS, ids=lambda s: f"{s['input_size']} {s['interpolation']} {s.get('crop_mode', 'center')}"
)
def test_pixels_equal_timm_s_pipeline(shared: Path, tmp_path: Path, settings: dict[str, Any]):
    """On real JPEG files the normalised pixels have the same bits as the input in timm's evaluation."""
    folder = shared / "imagenet_sample"
    names = sorted(path.name for path in folder.glob("*.JPEG"))[:3]
    preprocessing = Preprocessing(**settings)
    found = load_images(*pack(folder, names, tmp_path), preprocessing)
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
def test_resizing_without_low_pass_filter(tmp_path: Path, crop_mode: str, interpolation: str):
    """The result equals torch's resizing of tensors. Pillow filters when shrinking and picks other neighbours."""
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


def test_image_of_input_size_is_not_resized(tmp_path: Path):
    """The pixels are the 8-bit values divided by 255."""
    write_image(tmp_path / "a.png", seed=3)
    found = load_images(*pack(tmp_path, ["a.png"], tmp_path), Preprocessing(**GREY))
    expected = torch.tensor(list(Image.open(tmp_path / "a.png").tobytes())).view(1, 1, 16, 16) / 255
    assert torch.equal(found.pixels[:], expected)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK", "LA", "P", "1"])
@pytest.mark.parametrize("channels", [1, 3])
def test_image_modes_are_converted_to_channels_of_model(tmp_path: Path, mode: str, channels: int):
    file = tmp_path / "a.tif"
    write_image(tmp_path / "rgb.png", seed=4, mode="RGB")
    Image.open(tmp_path / "rgb.png").convert(mode).save(file)
    values = {"input_size": (channels, 16, 16), "mean": (0.5,) * channels, "std": (0.5,) * channels}
    found = load_images(*pack(tmp_path, ["a.tif"], tmp_path), Preprocessing(**{**GREY, **values}))
    assert found.pixels.shape == (1, channels, 16, 16)


def test_exif_rotation_is_ignored(tmp_path: Path):
    """The loaders of torchvision and timm ignore the rotation in EXIF, so published results do not use it."""
    write_image(tmp_path / "a.png", seed=2, mode="RGB", size=16)
    picture = Image.open(tmp_path / "a.png")
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.png", exif=exif)
    picture.save(tmp_path / "plain.png")
    found = load_images(*pack(tmp_path, ["plain.png", "turned.png"], tmp_path), Preprocessing(**RGB))
    assert torch.equal(found.pixels[0], found.pixels[1])


@pytest.mark.parametrize("kind", ["WEBP", "PNG", "GIF", "TIFF"])
def test_first_frame_of_animation_is_used(tmp_path: Path, kind: str):
    """convert("RGB"), which every pipeline calls, returns the first frame."""
    frames = []
    for seed in (1, 2, 3):
        write_image(tmp_path / f"{seed}.png", seed=seed, mode="L", size=16)
        frames.append(Image.open(tmp_path / f"{seed}.png").convert("RGB"))
    more = {"lossless": True} if kind == "WEBP" else {}
    frames[0].save(tmp_path / "moving.png", kind, save_all=True, append_images=frames[1:], **more)
    found = load_images(*pack(tmp_path, ["1.png", "moving.png"], tmp_path), Preprocessing(**RGB))
    assert torch.equal(found.pixels[0], found.pixels[1])


def test_error_names_image_that_cannot_be_decoded(tmp_path: Path):
    """The pack, made by another program, has the expected digest but contains an invalid image."""
    write_image(tmp_path / "a.png", seed=1)
    broken = [
        LabelledImage("a.png", 0, (tmp_path / "a.png").read_bytes()),
        LabelledImage("half.png", 0, (tmp_path / "a.png").read_bytes()[:100]),
    ]
    data = unchecked_pack(broken)
    (tmp_path / "p.tar").write_bytes(data)
    with load_images(tmp_path / "p.tar", image_pack.digest.sha256_of_bytes(data), Preprocessing(**GREY)) as found:
        assert found.pixels[:1].shape == (1, 1, 16, 16)
        with pytest.raises(ImageError, match=r"half\.png cannot be decoded"):
            _ = found.pixels[:2]


def test_truncated_pack_is_rejected(tmp_path: Path):
    write_image(tmp_path / "a.png", seed=1)
    path, sha256 = pack(tmp_path, ["a.png"], tmp_path)
    path.write_bytes(io.BytesIO(path.read_bytes()).read(2000))
    with pytest.raises(PackError):
        load_images(path, sha256, Preprocessing(**GREY))


@pytest.mark.parametrize("threads", [1, 7])
def test_order_does_not_depend_on_threads(tmp_path: Path, threads: int):
    names = [f"{number:02}.png" for number in range(40)]
    for number, name in enumerate(names):
        write_image(tmp_path / name, seed=number)
    images = image_pack.read_index(*pack(tmp_path, names, tmp_path))
    with ImageLoader(images, Preprocessing(**GREY), threads=threads) as found:
        shown = found.pixels[:]
    for name, pixels in zip(names, shown, strict=True):
        assert pixels.mul(255).round().byte().flatten().tolist() == list(Image.open(tmp_path / name).tobytes())


def test_first_images_do_not_wait_for_last(tmp_path: Path):
    """A batch is available while a later image is still decoding, and leaving the loader ends the threads."""
    for number in range(9):
        write_image(tmp_path / f"{number}.png", seed=number)
    images = image_pack.read_index(*pack(tmp_path, [f"{number}.png" for number in range(9)], tmp_path))
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


def test_decoding_stops_with_loader(tmp_path: Path):
    """A job that stops does not decode the remaining images first."""
    write_image(tmp_path / "a.png", seed=1)
    images = image_pack.read_index(*pack(tmp_path, ["a.png"], tmp_path)) * 200
    seen = []
    with ImageLoader(
        images, Preprocessing(**GREY), change=lambda n, i: (seen.append(n), sleep(0.01), i)[2], threads=1
    ):
        pass
    assert len(seen) < 100
