"""Files of kept examples: any change is noticed, and named in one line."""

from pathlib import Path

import numpy as np
import pytest

from alignsec import digest
from alignsec.images import clean_pixels
from alignsec.run import examples_file
from alignsec.run.examples_file import DamagedExamplesError, ExampleEntry, ExamplesFile, ImageEntry
from alignsec.spec.budget import Budget


def make_file() -> bytes:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (3, 6, 5), dtype=np.uint8)
    clean = clean_pixels.to_floats(pixels)
    example = (clean + np.float32(0.01)).clip(0, 1)
    data, packed = clean_pixels.pack_clean(pixels), examples_file.pack_example(example, clean, "Linf", 0.01)
    image = ImageEntry(image=3, name="a.png", label=1, confidence=0.9, size=len(data))
    entry = ExampleEntry(
        budget=0, image=3, component="apgd-ce", distance=0.01, predicted=2, confidence=0.8,
        kinds=len(packed.kinds), others=len(packed.others),
    )  # fmt: skip
    budgets = [Budget.parse("0.01")]
    return examples_file.dump("p", (3, 6, 5), "Linf", budgets, [(image, data)], [(entry, packed)])


def reseal(data: bytes) -> bytes:
    body = data.partition(b"\n")[2]
    return b"alignsec examples 1 sha256 " + digest.sha256_of_bytes(body).encode() + b"\n" + body


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 4, 7), (3, 5, 2), (4, 3, 3)])
def test_clean_images_are_restored(shape: tuple[int, int, int]):
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(clean_pixels.unpack_clean(clean_pixels.pack_clean(pixels), shape), pixels)


def test_every_changed_byte_is_noticed():
    data = make_file()
    ExamplesFile.parse(data)
    for at in range(0, len(data), 3):
        with pytest.raises(DamagedExamplesError):
            ExamplesFile.parse(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(DamagedExamplesError):
            ExamplesFile.parse(data[:at])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"shape":[3,6,5]', b'"shape":[9999,9999,9999]', "damaged"),
        (b'"shape":[3,6,5]', b'"shape":[3,6,4]', "damaged"),
        (b'"image":3,"component"', b'"image":4,"component"', "has no clean image 4"),
        (b'"budget":0', b'"budget":7', "example 0"),
        (b'"schema_version":1', b'"schema_version":2', "has another layout"),
        (b'"label":1', b'"label":-1', "has another layout"),
    ],
)
def test_a_forged_file_is_an_error(old: bytes, new: bytes, message: str):
    """Expect no other exception, and no memory for pixels that are not there."""
    data = make_file()
    assert old in data
    with pytest.raises(DamagedExamplesError, match=message):
        ExamplesFile.parse(reseal(data.replace(old, new))).read_example(0)


def test_a_file_is_read_by_its_digest(tmp_path: Path):
    path, data = tmp_path / "f", make_file()
    path.write_bytes(data)
    assert examples_file.read(path, digest.sha256_of_bytes(data)).images[0].name == "a.png"
    with pytest.raises(DamagedExamplesError, match="its outcome names 111111111111"):
        examples_file.read(path, "1" * 64)
    with pytest.raises(DamagedExamplesError, match="is missing"):
        examples_file.read(tmp_path / "absent", "1" * 64)
    with pytest.raises(DamagedExamplesError, match="is a directory, not a file"):
        examples_file.read(tmp_path, "1" * 64)
