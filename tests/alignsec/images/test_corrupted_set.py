"""Sets of corrupted images on disk, laid out as ImageNet-C."""

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
        for number, wnid in enumerate(("n01", "n02")):
            write_image(tmp_path / "c" / "fog" / str(severity) / wnid / f"{number}.JPEG", seed=number, mode="RGB")
    return tmp_path / "c"


@pytest.mark.parametrize("names", [("n01/0.JPEG", "n02/1.JPEG"), ("0.JPEG", "1.JPEG")])
def test_images_are_found_by_name_or_by_class(folder: Path, names: tuple[str, str]):
    """A flat set's names do not say the class; its labels do."""
    chosen = [Candidate(name, label, Path(name), 512, 9) for label, name in enumerate(names)]
    found = corrupted_set.find_images(folder, "fog", 3, chosen)
    assert [(one.name, one.label) for one in found] == [(one.name, one.label) for one in chosen]
    assert [one.path.relative_to(folder).as_posix() for one in found] == ["fog/3/n01/0.JPEG", "fog/3/n02/1.JPEG"]
    assert all(one.read() == one.path.read_bytes() for one in found)


def test_a_flat_set_of_some_of_imagenets_classes(tmp_path: Path):
    """Its second class is not label 1: n01484850 is 2."""
    for wnid in ("n01440764", "n01484850"):
        write_image(tmp_path / "c" / "fog" / "3" / wnid / f"{wnid}.JPEG", seed=1, mode="RGB")
    chosen = [Candidate("n01484850.JPEG", 2, Path("x"))]
    (found,) = corrupted_set.find_images(tmp_path / "c", "fog", 3, chosen)
    assert found.path.parent.name == "n01484850"


def test_missing_images_are_counted(folder: Path):
    chosen = [Candidate("n01/0.JPEG", 0, Path("x")), Candidate("n02/7.JPEG", 1, Path("x"))]
    with pytest.raises(ConfigErrors, match=r"no image for 1 of the 2 chosen ones, such as n02/7\.JPEG"):
        corrupted_set.find_images(folder, "fog", 1, chosen)


def test_images_that_were_not_cropped_are_refused(folder: Path):
    """They are shown as they are, without another crop; whole photographs would be squeezed."""
    Image.new("RGB", (20, 16)).save(folder / "fog" / "1" / "n01" / "0.JPEG")
    with pytest.raises(
        ConfigErrors, match=r"0\.JPEG: is 20 x 16; a set of corrupted images has them cropped square"
    ):
        corrupted_set.find_images(folder, "fog", 1, [Candidate("n01/0.JPEG", 0, Path("x"))])


@pytest.mark.parametrize(
    ("kind", "severity", "told"), [("fogg", 1, "did you mean fog"), ("fog", 2, "unpacked whole")]
)
def test_a_missing_folder_is_named(folder: Path, kind: str, severity: int, told: str):
    with pytest.raises(ConfigErrors, match=f"{kind}/{severity}: is no folder of corrupted images; .*{told}"):
        corrupted_set.find_images(folder, kind, severity, [])
