"""Each corruption against the formula and the parameters that Hendrycks & Dietterich published (2019)."""

import colorsys
import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from alignsec.evaluation import imagenet_c
from alignsec.evaluation.corruption_generator import CorruptionGenerator

SIDE = 224
SEVERITIES = pytest.mark.parametrize("severity", range(1, 6))
NOISE = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
PHOTOGRAPH = np.uint8(ndimage.gaussian_filter(NOISE.astype(float), (6, 6, 0)) * 4 % 256)
"""A smooth random colour image with some sharp edges."""


def constant(*colour: int) -> np.ndarray:
    return np.broadcast_to(np.uint8(colour), (SIDE, SIDE, 3)).copy()


def corrupt(kind: str, severity: int, image: np.ndarray, name: str = "a") -> np.ndarray:
    return CorruptionGenerator(kind, severity, 0).corrupt(name, image).astype(float)


@SEVERITIES
def test_gaussian_noise(severity: int):
    """Normal noise: 30.85 % of the values are half a standard deviation below the mean."""
    scale = (0.08, 0.12, 0.18, 0.26, 0.38)[severity - 1]
    below = (corrupt("gaussian_noise", severity, constant(128, 128, 128)) <= 128 - 0.5 * 255 * scale).mean()
    assert below == pytest.approx(0.3085, abs=0.01)


@SEVERITIES
def test_shot_noise(severity: int):
    """A Poisson count of photons, which is 0 with probability exp(-mean)."""
    photons = (60, 25, 12, 5, 3)[severity - 1]
    values = corrupt("shot_noise", severity, constant(51, 51, 51)) / 255
    assert (values == 0).mean() == pytest.approx(np.exp(-photons * 0.2), abs=0.01)


@SEVERITIES
def test_impulse_noise(severity: int):
    """The share of values that become 0 or 255, half of them each."""
    share = (0.03, 0.06, 0.09, 0.17, 0.27)[severity - 1]
    values = corrupt("impulse_noise", severity, constant(100, 100, 100))
    assert (values == 0).mean() == pytest.approx(share / 2, abs=0.004)
    assert (values == 255).mean() == pytest.approx(share / 2, abs=0.004)


@SEVERITIES
def test_speckle_noise(severity: int):
    scale = (0.15, 0.2, 0.35, 0.45, 0.6)[severity - 1]
    below = (corrupt("speckle_noise", severity, constant(128, 128, 128)) <= 128 * (1 - 0.5 * scale)).mean()
    assert below == pytest.approx(0.3085, abs=0.01)


@SEVERITIES
def test_defocus_blur(severity: int):
    """A disk of the published radius, whose edge is smoothed by at most two pixels, blurs a step."""
    radius = (3, 4, 6, 8, 10)[severity - 1]
    step = constant(0, 0, 0)
    step[:, 112:] = 255
    inside = corrupt("defocus_blur", severity, step)[112, :, 0]
    changed = np.flatnonzero((inside > 0) & (inside < 255))
    assert radius - 1 <= 112 - changed.min() <= radius + 2


@SEVERITIES
def test_glass_blur(severity: int):
    """Pixels move by at most `delta` a round, between two Gaussian blurs."""
    sigma, delta, rounds = ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2))[severity - 1]
    step = constant(0, 0, 0)
    step[:, 112:] = 255
    values = corrupt("glass_blur", severity, step)[20:-20, :, 0]
    reach = delta * rounds * 12 + 2 * int(4 * sigma + 0.5)
    assert (values[:, : 112 - reach] == 0).all()
    assert values[:, 112 - delta : 112 + delta].std(axis=0).min() > 10, "pixels of a column differ"


@SEVERITIES
def test_motion_blur(severity: int):
    """A bright pixel becomes a line of half a Gaussian: the kernel of ImageMagick's motion blur."""
    radius, sigma = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))[severity - 1]
    point = constant(0, 0, 0)
    point[112, 112] = 255
    line = np.sort(corrupt("motion_blur", severity, point)[..., 0].ravel())[::-1]
    kernel = np.exp(-(np.arange(2 * radius + 1) ** 2) / (2 * sigma**2))
    assert line[0] == pytest.approx(255 * kernel[0] / kernel.sum(), abs=1)
    assert line.sum() == pytest.approx(255, abs=2 * radius + 1)


@SEVERITIES
def test_zoom_blur(severity: int):
    """The mean of the image and its zoomed copies: a centred square covers the pixels of each zoom's share."""
    zooms = (
        np.arange(1, 1.11, 0.01),
        np.arange(1, 1.16, 0.01),
        np.arange(1, 1.21, 0.02),
        np.arange(1, 1.26, 0.02),
        np.arange(1, 1.31, 0.03),
    )[severity - 1]
    square = constant(0, 0, 0)
    square[52:172, 52:172] = 255
    row = corrupt("zoom_blur", severity, square)[112, :, 0] / 255
    mean_width = (120 + 120 * zooms.sum()) / (len(zooms) + 1)
    assert row.sum() == pytest.approx(mean_width, abs=1)


@SEVERITIES
def test_snow(severity: int):
    """Without a flake, a grey pixel becomes c x + (1 - c) max(x, 1.5 x + 0.5); flakes are brighter."""
    keep = (0.8, 0.7, 0.7, 0.65, 0.55)[severity - 1]
    least = keep * 0.2 + (1 - keep) * (1.5 * 0.2 + 0.5)
    values = corrupt("snow", severity, constant(51, 51, 51)) / 255
    assert values.min() >= least - 1 / 255
    if severity < 3:
        assert values.min() == pytest.approx(least, abs=1 / 255)
    assert (values > least + 0.05).any()


@SEVERITIES
def test_frost_uses_five_textures(severity: int, monkeypatch: pytest.MonkeyPatch):
    own, added = ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))[severity - 1]
    grey = {f"frost{at}.png": 20 * at for at in (1, 2, 3)} | {"frost4.jpg": 80, "frost5.jpg": 100}
    monkeypatch.setattr(imagenet_c, "read_texture", lambda name: np.full((300, 500, 3), grey[name], np.uint8))
    values = {float(corrupt("frost", severity, constant(50, 50, 50), f"{at}").max()) for at in range(60)}
    assert values == {float(int(own * 50 + added * texture)) for texture in grey.values()}


def test_frost_texture_is_cropped_at_its_own_size():
    black = corrupt("frost", 5, constant(0, 0, 0))
    crops = []
    for name in imagenet_c.TEXTURES:
        texture = imagenet_c.read_texture(name)
        rows, columns = texture.shape[0] - SIDE, texture.shape[1] - SIDE
        corner = np.uint8(0.75 * texture[:rows, :columns])
        for top, left in zip(*np.nonzero((corner == black[0, 0]).all(-1)), strict=True):
            crops.append(np.array_equal(np.uint8(0.75 * texture[top : top + SIDE, left : left + SIDE]), black))
    assert sum(crops) == 1


@SEVERITIES
def test_fog(severity: int):
    """A constant image becomes (x + thickness height) x / (x + thickness), with one height for all channels.

    The height is a plasma fractal from 0 to 1: each halving of the step divides its noise by the decay squared.
    """
    thickness = (1.5, 2, 2.5, 2.5, 3)[severity - 1]
    decay = (2, 2, 1.7, 1.5, 1.4)[severity - 1]
    images = np.stack([corrupt("fog", severity, constant(204, 204, 204), f"{at}") for at in range(20)]) / 255
    assert (images[..., 0] == images[..., 2]).all()
    height = (images[..., 0] * (0.8 + thickness) / 0.8 - 0.8) / thickness
    assert height.min() >= -0.02
    assert 0.9 < height.max() <= 1.01
    rounding = 1.25 / 12 * ((0.8 + thickness) / 0.8 / thickness / 255) ** 2
    large, small = (midpoint_noise(height, step) - rounding for step in (64, 32))
    assert large / small == pytest.approx(decay**4, rel=0.35)


def midpoint_noise(height: np.ndarray, step: int) -> float:
    """Return the variance of the centre of each square minus the mean of its corners."""
    corners = height[:, ::step, ::step]
    means = (corners[:, 1:, 1:] + corners[:, 1:, :-1] + corners[:, :-1, 1:] + corners[:, :-1, :-1]) / 4
    centres = height[:, step // 2 :: step, step // 2 :: step][:, : means.shape[1], : means.shape[2]]
    return float((centres - means).var())


@SEVERITIES
@pytest.mark.parametrize("kind", ["brightness", "saturate"])
def test_brightness_and_saturate(kind: str, severity: int):
    """Value plus c, or saturation times a plus b, in HSV."""
    more = (0.1, 0.2, 0.3, 0.4, 0.5)[severity - 1]
    factor, offset = ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2))[severity - 1]
    colour = (120, 60, 90)
    hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))
    if kind == "brightness":
        value = min(value + more, 1)
    else:
        saturation = min(saturation * factor + offset, 1)
    expected = [255 * channel for channel in colorsys.hsv_to_rgb(hue, saturation, value)]
    assert corrupt(kind, severity, constant(*colour))[5, 5] == pytest.approx(expected, abs=1)


@SEVERITIES
def test_contrast(severity: int):
    factor = (0.4, 0.3, 0.2, 0.1, 0.05)[severity - 1]
    mean = PHOTOGRAPH.mean(axis=(0, 1))
    assert np.abs(corrupt("contrast", severity, PHOTOGRAPH) - ((PHOTOGRAPH - mean) * factor + mean)).max() <= 1


@SEVERITIES
def test_gaussian_blur(severity: int):
    sigma = (1, 2, 3, 4, 6)[severity - 1]
    expected = ndimage.gaussian_filter(PHOTOGRAPH.astype(float), (sigma, sigma, 0), mode="nearest", truncate=4)
    assert np.abs(corrupt("gaussian_blur", severity, PHOTOGRAPH) - expected).max() <= 1.01


@SEVERITIES
def test_pixelate(severity: int):
    """Box averaging to a share of the size, then each pixel is repeated."""
    side = int(SIDE * (0.6, 0.5, 0.4, 0.3, 0.25)[severity - 1])
    box = Image.Resampling.BOX
    expected = np.array(Image.fromarray(PHOTOGRAPH).resize((side, side), box).resize((SIDE, SIDE), box))
    assert np.array_equal(corrupt("pixelate", severity, PHOTOGRAPH), expected)


@SEVERITIES
def test_jpeg_compression(severity: int):
    saved = io.BytesIO()
    Image.fromarray(PHOTOGRAPH).save(saved, "JPEG", quality=(25, 18, 15, 10, 7)[severity - 1])
    assert np.array_equal(corrupt("jpeg_compression", severity, PHOTOGRAPH), np.array(Image.open(saved)))


@SEVERITIES
def test_spatter(severity: int):
    """Pixels without a drop keep their value; water is turquoise and brightens, mud is brown and covers."""
    values = corrupt("spatter", severity, constant(100, 100, 100))
    covered = np.abs(values - 100).max(-1) > 1
    assert 0.01 < covered.mean() < 0.6
    if severity <= 3:
        assert (values >= 99).all(), "water adds light"
    else:
        mud = values[np.abs(values - (63, 42, 20)).max(-1) <= 3]
        assert len(mud) > 100


AMPLITUDES = ((488, 170.8), (488, 19.52), (12.2, 2.44), (17.08, 2.44), (29.28, 2.44))


@pytest.mark.parametrize("severity", [2, 3, 4, 5])
def test_elastic_displacement(severity: int, monkeypatch: pytest.MonkeyPatch):
    """Uniform noise of variance 1/3, smoothed by a Gaussian, has the variance 1/3 / (4 pi sigma^2).

    Truncation to bytes adds 1/12. A ramp shows the displacement. The affine part is switched off.
    """
    monkeypatch.setattr(imagenet_c.cv2, "warpAffine", lambda image, *_, **__: image)
    amplitude, sigma = AMPLITUDES[severity - 1]
    ramp = np.broadcast_to(np.uint8(np.arange(SIDE))[:, None], (SIDE, SIDE, 3))
    ramp = np.ascontiguousarray(ramp.transpose(1, 0, 2))
    moved = np.concatenate([corrupt("elastic_transform", severity, ramp, f"{at}") - ramp for at in range(4)])
    expected = np.sqrt(amplitude**2 / (12 * np.pi * sigma**2) + 1 / 12)
    assert moved[:, 60:160, 0].std() == pytest.approx(expected, rel=0.05 if severity > 2 else 0.3)


@pytest.mark.parametrize(("severity", "largest"), [(1, 24.4), (2, 48.8), (3, 4.88), (4, 4.88), (5, 4.88)])
def test_elastic_affine_part(severity: int, largest: float, monkeypatch: pytest.MonkeyPatch):
    """Three points of a centred square move by at most the published distance, evenly distributed."""
    shifts = []

    def record(start: np.ndarray, end: np.ndarray) -> np.ndarray:
        assert start.tolist() == [[186, 186], [186, 38], [38, 38]]
        shifts.append(end - start)
        return np.float64([[1, 0, 0], [0, 1, 0]])

    monkeypatch.setattr(imagenet_c.cv2, "getAffineTransform", record)
    monkeypatch.setattr(imagenet_c, "_smooth_noise", lambda shape, *_: np.zeros(shape))
    for at in range(50):
        assert np.array_equal(corrupt("elastic_transform", severity, PHOTOGRAPH, f"{at}"), PHOTOGRAPH)
    found = np.abs(shifts)
    assert 0.95 * largest < found.max() <= largest * 1.0001
    assert found.mean() == pytest.approx(largest / 2, rel=0.1)
