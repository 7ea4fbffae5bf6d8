"""The demo's digits in three parts, as files and as tensors."""

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
def splits():
    return split_digits(0)


def test_parts_are_disjoint_and_cover_the_data_set(splits):
    numbers = [set(part.numbers) for part in (splits.training, splits.scoring, splits.test)]
    assert [len(part) for part in numbers] == [TRAINING, SCORING, TEST]
    assert set.union(*numbers) == set(range(1797))


def test_no_image_has_a_duplicate_in_another_part(splits):
    """The data set has no duplicates, so parts with disjoint numbers have disjoint contents."""
    contents = [
        image.tobytes() for part in (splits.training, splits.scoring, splits.test) for image in part.pixels
    ]
    assert len(set(contents)) == 1797


def test_split_depends_on_the_seed_only(splits):
    assert set(split_digits(1).test.numbers) != set(splits.test.numbers)
    assert np.array_equal(split_digits(0).test.numbers, splits.test.numbers)


def test_every_part_has_every_class_and_all_17_grey_levels(splits):
    for part in (splits.training, splits.scoring, splits.test):
        assert set(part.labels) == set(range(10))
        assert part.pixels.dtype == np.uint8
        assert (part.pixels.min(), part.pixels.max()) == (0, 255)
        assert len(np.unique(part.pixels)) == 17


def test_files_contain_the_pixels_and_labels(splits, tmp_path):
    write_images(splits.test, tmp_path / "images")
    with (tmp_path / "images" / "labels.csv").open(newline="") as text:
        rows = list(csv.DictReader(text))
    assert len(rows) == TEST == len(list((tmp_path / "images").glob("*.png")))
    for row, pixels, label in zip(rows, splits.test.pixels, splits.test.labels, strict=True):
        assert int(row["label"]) == label
        with Image.open(tmp_path / "images" / row["file"]) as image:
            assert (image.mode, image.format) == ("L", "PNG")
            assert np.array_equal(np.asarray(image), pixels)


def test_training_images_equal_those_of_a_job(splits, tmp_path):
    """The demo's resizing is bit-identical to that of a job that reads the same files."""
    write_images(splits.test, tmp_path / "images")
    found, _ = labelling.label_by_file(Folder(tmp_path / "images"), tmp_path / "images" / "labels.csv")
    pack = image_pack.write_pack(found[:50], tmp_path)
    preprocessing = Preprocessing(
        input_size=(1, 16, 16),
        mean=(0.5,),
        std=(0.25,),
        interpolation="bilinear",
        crop_pct=1.0,
        crop_mode="center",
    )
    loaded = images.load_images(tmp_path / pack.name, pack.sha256, preprocessing)
    assert np.array_equal(loaded.pixels[:], resize_digits(splits.test.pixels[:50], 16))
    assert np.array_equal(loaded.labels, splits.test.labels[:50])
