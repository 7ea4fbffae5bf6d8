"""Labels from class folders: certain, or refused with what was found."""

from pathlib import Path

import pytest

from alignsec.errors import ConfigErrors
from alignsec.study.images import StudyImages
from submit import validation
from submit.images import class_folders, image_set
from submit.images.files import Folder, ImageFiles
from tests.paths import SHARED_CASES
from tests.submit.images.image_files import pack_tar
from tests.tiny import write_image


def write(root: Path, *names: str) -> Folder:
    """Write an image for each name, which is a class folder unless it has a suffix."""
    for seed, name in enumerate(names):
        write_image(root / (name if name.endswith(".png") else f"{name}/a.png"), seed=seed)
    return Folder(root)


def labels(files: ImageFiles) -> dict[str, int]:
    """Return the label of each class folder."""
    return {image.name.split("/")[0]: image.label for image in class_folders.label_by_folder(files)[0]}


def errors(files: ImageFiles) -> str:
    """Return the errors of an image set whose labels are not certain."""
    with pytest.raises(ConfigErrors) as caught:
        class_folders.label_by_folder(files)
    return str(caught.value)


@pytest.mark.parametrize("packed", [False, True])
def test_whole_numbers_are_the_labels(tmp_path: Path, packed: bool):
    """In sorted order of text, 10 would be class 1 and 2 would be class 3."""
    folder = write(tmp_path / "val", "0", "2", "10", "100", "007")
    expected = {"0": 0, "2": 2, "10": 10, "100": 100, "007": 7}
    assert labels(pack_tar(folder.root) if packed else folder) == expected


@pytest.mark.parametrize("packed", [None, "", "./", "val/"])
def test_imagenet_folders_get_imagenet_labels_if_classes_are_missing(tmp_path: Path, packed: str | None):
    """Numbered in sorted order, the shark would be class 1. Images in a tar are read from it."""
    folder = write(tmp_path / "val", "n01440764", "n01484850", "n15075141")
    files: ImageFiles = folder if packed is None else pack_tar(folder.root, packed)
    found, origin = class_folders.label_by_folder(files)
    assert {one.name.removesuffix("/a.png"): one.label for one in found} == {
        "n01440764": 0,
        "n01484850": 2,
        "n15075141": 999,
    }
    assert all(one.read() == (folder.root / one.name).read_bytes() for one in found)
    assert origin.classes == 1000
    assert origin.describe(found) == (
        "WordNet ids of the class folders, in ImageNet's order, 3 classes: "
        "n01440764 = 0, n01484850 = 2, n15075141 = 999"
    )


def test_a_description_may_follow_a_wordnet_id(tmp_path: Path):
    names = ("n01496331_electric_ray", "n01484850-great white shark", "n01440764", "n15075141.toilet_tissue")
    assert list(labels(write(tmp_path, *names)).values()) == [0, 2, 5, 999]


def test_a_class_folder_may_have_folders(tmp_path: Path):
    """Tiny ImageNet has n01443537/images/n01443537_0.JPEG."""
    assert labels(write(tmp_path, "n01443537/images", "n01440764/0")) == {"n01443537": 1, "n01440764": 0}


@pytest.mark.parametrize(
    ("names", "remedy"),
    [
        (
            ("cat", "dog"),
            "names do not state the labels: cat, dog; expected WordNet ids",
        ),
        (("images",), "has 1 class folders whose names do not state the labels: images"),
        (
            ("train/n01440764", "val/n01440764"),
            "train/n01440764, which is named like a class inside a class",
        ),
        (("1/n01440764", "2/n01440764"), "1/n01440764, which is named like a class inside a class folder"),
        (("5/0", "5/1"), "5/0, which is named like a class inside a class folder; is the image folder one level"),
        (("train/cats", "val/cats"), "it contains folders, such as cats: is it one level too high?"),
        (("0",), "has all images in one folder, 0, so they would have one label"),
        (("1", "01"), "has several folders of class 1: 01, 1; keep one"),
        (("n01440764", "n01440764_tench"), "has several folders of class 0"),
        (("n01440764", "n01443537", "n01234567"), "n01234567: is not an ImageNet class, but 2 other folders are"),
        (("0", "1", "n01440764"), "n01440764: is not a whole number, but 2 other folders are; remove it"),
        (("0", "1", "-1"), "-1: is not a whole number"),
        (("0", "1", "2.0"), "2.0: is not a whole number"),
        (("0", "1", "١"), "is not a whole number"),
        (("001.Black_footed_Albatross", "002.Laysan_Albatross"), "do not state the labels"),
        (("01440764", "01443537"), "do not state the labels"),
        (("N01440764", "N01443537"), "do not state the labels"),
        (("n014407641", "n01440764x"), "do not state the labels"),
        (
            ("n01440764/n01443537_1.png", "n01443537"),
            "is in another class folder than its name, n01443537,",
        ),
    ],
)
def test_uncertain_labels_are_refused(tmp_path: Path, names: tuple[str, ...], remedy: str):
    assert remedy in errors(write(tmp_path, *names))


def test_folders_that_may_mean_an_incomplete_set_are_refused(tmp_path: Path):
    """An empty class folder, or a folder of no ImageNet class among others, may mean an incomplete image set."""
    folder = write(tmp_path, "n01440764", "n01443537", "leftovers")
    (tmp_path / "n01484850").mkdir()
    (tmp_path / "n01484850" / ".hidden").mkdir()
    write_image(tmp_path / "n01484850" / ".hidden" / "a.png", seed=1)
    with pytest.raises(ConfigErrors) as caught:
        class_folders.label_by_folder(folder)
    remedies = {Path(error.path).name: error.remedy for error in caught.value.errors}
    assert set(remedies) == {"n01484850", "leftovers"}
    assert "is a class folder without images; unpack the image set again" in remedies["n01484850"]
    assert "is not an ImageNet class, but 2 other folders are" in remedies["leftovers"]


def test_a_folder_without_classes_is_refused(tmp_path: Path):
    assert "contains no class folders with images; set labels = FILE" in errors(write(tmp_path, "a.png"))


def test_images_outside_the_class_folders_are_counted(tmp_path: Path):
    found, origin = class_folders.label_by_folder(write(tmp_path, "0", "1", "loose.png"))
    assert [image.name for image in found] == ["0/a.png", "1/a.png"]
    assert "1 images outside the class folders are not used" in origin.describe(found)


def test_a_study_can_state_the_sorted_order(tmp_path: Path):
    """torchvision's ImageFolder numbers the folders in this order for training."""
    folder = write(tmp_path, "n02", "n01", ".cache", "n03/deeper").root
    found = image_set.read_source(StudyImages(folder=folder, class_order="sorted"))
    assert {image.name: image.label for image in found.images} == {
        "n01/a.png": 0,
        "n02/a.png": 1,
        "n03/deeper/a.png": 2,
    }
    assert found.origin.classes == 3


def test_a_name_that_is_not_text_is_refused(tmp_path: Path):
    """Linux accepts any bytes as a file name; a manifest and an outcome must be valid text, on one line."""
    write(tmp_path, "1")
    for name in (b"caf\xe9.png", b"line\nbreak.png", "gnp.\u202eexe.png".encode(), b"esc\x1b[2J.png"):
        path = tmp_path / "0" / name.decode("utf-8", "surrogateescape")
        write_image(tmp_path / "0" / "plain.png", seed=1)
        (tmp_path / "0" / "plain.png").rename(path)
    with pytest.raises(ConfigErrors) as caught:
        image_set.read_source(StudyImages(folder=tmp_path))
    found = str(caught.value)
    assert len(caught.value.errors) == 4
    assert "caf\\udce9.png': has a file name with bytes that are not valid UTF-8; rename it" in found
    assert "gnp.\\u202eexe.png': has a file name with an invisible character" in found
    assert found.count("has a file name with a control character") == 2
    assert "\x1b" not in found


def test_the_labels_of_numeric_folders_of_a_real_case(tmp_path: Path):
    study = SHARED_CASES / "01-numeric-class-folders" / "study.toml"
    if not study.is_file():
        pytest.skip(f"needs {study}")
    validated = validation.validate(study, tmp_path)
    assert len(validated.selection.images) == 60
    assert all(image.label == int(image.name.split("/")[0]) for image in validated.selection.images)
    assert validated.describe_labels() == (
        "names of the class folders, which are whole numbers, 60 classes: 0 = 0, 5 = 5, 10 = 10, ...; "
        "1 model with 1000 classes"
    )
