"""The demo's images: real digits in three parts, as files and as tensors."""

import csv

import numpy as np
import pytest
from PIL import Image

from alignsec.images import pack as image_pack
from alignsec.models import images
from alignsec.spec.preprocessing import Preprocessing
from studies.demo.digits import SCORING, TEST, TRAINING, resize_digits, split_digits, write_images
from submit.images import labelling
from submit.images.files import Folder


@pytest.fixture(scope="module")
def parts():
    return split_digits(0)


def test_no_image_is_in_two_parts_and_none_is_lost(parts):
    numbers = [set(part.numbers) for part in (parts.training, parts.scoring, parts.test)]
    assert [len(part) for part in numbers] == [TRAINING, SCORING, TEST]
    assert set.union(*numbers) == set(range(1797))


def test_no_image_of_one_part_has_a_twin_in_another(parts):
    """The data set has no doubles, so parts by number are parts by content."""
    contents = [image.tobytes() for part in (parts.training, parts.scoring, parts.test) for image in part.pixels]
    assert len(set(contents)) == 1797


def test_another_seed_deals_other_parts(parts):
    assert set(split_digits(1).test.numbers) != set(parts.test.numbers)
    assert np.array_equal(split_digits(0).test.numbers, parts.test.numbers)


def test_every_part_has_every_class_and_the_full_range_of_ink(parts):
    for part in (parts.training, parts.scoring, parts.test):
        assert set(part.labels) == set(range(10))
        assert part.pixels.dtype == np.uint8
        assert (part.pixels.min(), part.pixels.max()) == (0, 255)
        assert len(np.unique(part.pixels)) == 17


def test_files_hold_the_pixels_and_labels(parts, tmp_path):
    write_images(parts.test, tmp_path / "images")
    with (tmp_path / "images" / "labels.csv").open(newline="") as text:
        rows = list(csv.DictReader(text))
    assert len(rows) == TEST == len(list((tmp_path / "images").glob("*.png")))
    for row, pixels, label in zip(rows, parts.test.pixels, parts.test.labels, strict=True):
        assert int(row["label"]) == label
        with Image.open(tmp_path / "images" / row["file"]) as image:
            assert (image.mode, image.format) == ("L", "PNG")
            assert np.array_equal(np.asarray(image), pixels)


def test_networks_learn_from_what_alignsec_will_show_them(parts, tmp_path):
    """The demo's own resizing gives, bit by bit, what a job gets from the same files."""
    write_images(parts.test, tmp_path / "images")
    found = labelling.label_by_file(Folder(tmp_path / "images"), tmp_path / "images" / "labels.csv")
    pack = image_pack.write(found[:50], tmp_path)
    preprocessing = Preprocessing(
        input_size=(1, 16, 16),
        mean=(0.5,),
        std=(0.25,),
        interpolation="bilinear",
        crop_pct=1.0,
        crop_mode="center",
    )
    shown = images.load_images(tmp_path / pack.name, pack.sha256, preprocessing)
    assert np.array_equal(shown.pixels[:], resize_digits(parts.test.pixels[:50], 16))
    assert np.array_equal(shown.labels, parts.test.labels[:50])
