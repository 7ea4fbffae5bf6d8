"""Sets of corrupted images on disk, in ImageNet-C's layout."""

from pathlib import Path

import pytest
from PIL import Image

from alignsec.errors import ConfigErrors
from alignsec.images import corrupted_set
from alignsec.images.pack import Candidate
from tests.tiny import write_image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for severity in (1, 3):
        for number, wnid in enumerate(("n01440764", "n01443537")):
            write_image(tmp_path / "c" / "fog" / str(severity) / wnid / f"{number}.JPEG", seed=number, mode="RGB")
    return tmp_path / "c"


@pytest.mark.parametrize("names", [("n01440764/0.JPEG", "n01443537/1.JPEG"), ("0.JPEG", "1.JPEG")])
def test_images_are_found_by_name_or_by_class(folder: Path, names: tuple[str, str]):
    """Names in a flat set do not contain the class folder; the label gives it."""
    chosen = [Candidate(name, label, Path(name), 512, 9) for label, name in enumerate(names)]
    found = corrupted_set.find_images(folder, "fog", 3, chosen)
    assert [(one.name, one.label) for one in found] == [(one.name, one.label) for one in chosen]
    assert [one.path.relative_to(folder).as_posix() for one in found] == [
        "fog/3/n01440764/0.JPEG",
        "fog/3/n01443537/1.JPEG",
    ]
    assert all(one.read() == one.path.read_bytes() for one in found)


def test_labels_of_a_flat_set_with_few_classes_are_imagenets(tmp_path: Path):
    """n01484850 is the second folder but has label 2."""
    for wnid in ("n01440764", "n01484850"):
        write_image(tmp_path / "c" / "fog" / "3" / wnid / f"{wnid}.JPEG", seed=1, mode="RGB")
    chosen = [Candidate("n01484850.JPEG", 2, Path("x"))]
    (found,) = corrupted_set.find_images(tmp_path / "c", "fog", 3, chosen)
    assert found.path.parent.name == "n01484850"


def test_hidden_folders_and_whole_numbers(tmp_path: Path):
    """In sorted order of text, 10 would be the folder of label 1, and a hidden folder that of label 0."""
    for name in (".cache", "2", "10"):
        write_image(tmp_path / "c" / "fog" / "3" / name / "a.png", seed=1)
    (found,) = corrupted_set.find_images(tmp_path / "c", "fog", 3, [Candidate("a.png", 10, Path("x"))])
    assert found.path.parent.name == "10"


def test_a_link_out_of_the_set_is_not_followed(tmp_path: Path):
    write_image(tmp_path / "outside" / "a.png", seed=1)
    (tmp_path / "c" / "fog" / "3").mkdir(parents=True)
    (tmp_path / "c" / "fog" / "3" / "0").symlink_to(tmp_path / "outside")
    with pytest.raises(ConfigErrors, match="links out of the folder do not count"):
        corrupted_set.find_images(tmp_path / "c", "fog", 3, [Candidate("0/a.png", 0, Path("x"))])


def test_missing_images_are_counted(folder: Path):
    chosen = [Candidate("n01440764/0.JPEG", 0, Path("x")), Candidate("n01443537/7.JPEG", 1, Path("x"))]
    with pytest.raises(ConfigErrors, match=r"no image for 1 of the 2 chosen images, such as n01443537/7\.JPEG"):
        corrupted_set.find_images(folder, "fog", 1, chosen)


def test_images_that_are_not_square_are_refused(folder: Path):
    """They are resized without a crop, which would distort uncropped photographs."""
    Image.new("RGB", (20, 16)).save(folder / "fog" / "1" / "n01440764" / "0.JPEG")
    with pytest.raises(ConfigErrors, match=r"0\.JPEG: is 20 x 16; corrupted images must be cropped square"):
        corrupted_set.find_images(folder, "fog", 1, [Candidate("n01440764/0.JPEG", 0, Path("x"))])


@pytest.mark.parametrize(
    ("corruption", "severity", "remedy"), [("fogg", 1, "did you mean fog"), ("fog", 2, "unpacked completely")]
)
def test_a_missing_folder_is_reported(folder: Path, corruption: str, severity: int, remedy: str):
    with pytest.raises(
        ConfigErrors, match=f"{corruption}/{severity}: is not a folder of corrupted images; .*{remedy}"
    ):
        corrupted_set.find_images(folder, corruption, severity, [])
