"""Labels from files of labels, and their errors."""

from pathlib import Path

import pytest
from timm.data import ImageNetInfo

from alignsec.errors import ConfigErrors
from alignsec.images import imagenet
from submit.images import devkit, labelling
from submit.images.files import Folder
from tests.submit.images.image_files import pack_tar
from tests.tiny import write_image, write_labels


def test_labels_from_a_file(tmp_path: Path):
    """The file may have other columns, a byte order mark, other line ends, and names with commas and quotes."""
    for name in ('a,"b".png', "sub/c d.png"):
        write_image(tmp_path / name, seed=1)
    text = '\ufefffile,wnid,label\r\n"a,""b"".png",n1, 7\r\nsub/c d.png,n2,0\r\n'
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8", newline="")
    found, _ = labelling.label_by_file(Folder(tmp_path), tmp_path / "labels.csv")
    labelled = {one.name: one.label for one in found}
    assert labelled == {'a,"b".png': 7, "sub/c d.png": 0}


def test_all_bad_rows_are_reported_together(tmp_path: Path):
    folder = tmp_path / "images"
    for name in ("a.png", "b.png", "c.png", "d.png", "e.png", "twice.png"):
        write_image(folder / name, seed=1)
    write_image(tmp_path / "outside.png", seed=1)
    rows: list[tuple[str, object]] = [
        ("a.png", 0),
        ("gone.png", 0),
        ("b.png", "cat"),
        ("c.png", -1),
        ("d.png", "1.5"),
        ("e.png", "9" * 5000),
        ("../outside.png", 0),
        (str(folder / "a.png"), 0),
        ("./a.png", 0),
        ("", 0),
        ("twice.png", 0),
        ("twice.png", 1),
        (".", 0),
    ]
    write_labels(tmp_path / "labels.csv", rows)
    with (tmp_path / "labels.csv").open("a", encoding="utf-8") as file:
        file.write("short.png\n")
    with pytest.raises(ConfigErrors) as caught:
        labelling.label_by_file(Folder(folder), tmp_path / "labels.csv")
    lines = {int(error.field.removeprefix("line ")): error for error in caught.value.errors}
    assert set(lines) == set(range(3, len(rows) + 3))
    assert "is not a file in" in lines[3].remedy
    assert "whole number from 0" in lines[4].remedy
    assert "more than once" in lines[12].remedy
    assert lines[8].given == '"../outside.png"'


@pytest.mark.parametrize("text", ["", "file,label\n", "name,class\na.png,0\n", "a.png,0\n"])
def test_labels_without_header_or_rows(tmp_path: Path, text: str):
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(ConfigErrors, match="must have a header with the columns file and label, and rows"):
        labelling.label_by_file(Folder(tmp_path), tmp_path / "labels.csv")


def test_labels_that_are_not_text_are_refused(tmp_path: Path):
    (tmp_path / "labels.csv").write_bytes(b"file,label\n\xff\xfe,0\n")
    with pytest.raises(ConfigErrors, match="cannot be read as CSV"):
        labelling.label_by_file(Folder(tmp_path), tmp_path / "labels.csv")


def test_labels_that_contradict_their_wordnet_ids_are_refused(tmp_path: Path):
    """Labels that count from 1 are off by one. Ids of no ImageNet class are ignored."""
    for name in ("a.png", "b.png", "c.png"):
        write_image(tmp_path / name, seed=1)
    text = "file,wnid,label\na.png,n01440764,0\nb.png,n01443537,2\nc.png,n99999999,7\n"
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(ConfigErrors) as caught:
        labelling.label_by_file(Folder(tmp_path), tmp_path / "labels.csv")
    (error,) = caught.value.errors
    assert (error.field, error.given) == ("line 3", '"2"')
    assert "does not match n01443537, which is class 1" in error.remedy


def test_imagenets_classes_equal_timms():
    assert list(imagenet.labels_by_wordnet_id()) == ImageNetInfo().label_names()


def flat(folder: Path, *numbers: int) -> Folder:
    for number in numbers:
        write_image(folder / f"{imagenet.validation_name(number)}.JPEG", seed=number, mode="RGB")
    return Folder(folder)


@pytest.mark.parametrize("packed", [False, True])
def test_a_flat_set_with_kaggles_labels(tmp_path: Path, packed: bool):
    """Kaggle's file has image ids without suffixes, WordNet ids and boxes."""
    folder = flat(tmp_path / "val", 1, 2)
    lines = ("ILSVRC2012_val_00000002,n01443537 85 1 499 272 ", "ILSVRC2012_val_00000001,n01484850 1 1 2 2")
    (tmp_path / "LOC_val_solution.csv").write_text("\n".join(("ImageId,PredictionString", *lines)))
    files = pack_tar(folder.root) if packed else folder
    found, origin = labelling.label_by_file(files, tmp_path / "LOC_val_solution.csv")
    assert origin.classes == 1000
    labels = {one.name: one.label for one in found}
    assert labels == {"ILSVRC2012_val_00000002.JPEG": 1, "ILSVRC2012_val_00000001.JPEG": 2}


def test_a_flat_set_with_the_devkits_ground_truth(tmp_path: Path):
    """The first lines of the published file are 490, 361 and 171; these images have the labels 65, 970 and 230."""
    folder = flat(tmp_path / "val", 1, 2, 3)
    truth = tmp_path / "ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("490\n361\n171\n")
    assert [one.label for one in labelling.label_by_file(folder, truth)[0]] == [65, 970, 230]
    truth.write_text("n01484850\nn01440764\nn01443537\n")
    assert [one.label for one in labelling.label_by_file(folder, truth)[0]] == [2, 0, 1]


@pytest.mark.parametrize("number", ["0", "1001"])
def test_an_unknown_id_of_the_devkit_is_refused(tmp_path: Path, number: str):
    folder = flat(tmp_path / "val", 1, 2)
    truth = tmp_path / "truth.txt"
    truth.write_text(f"3\n{number}\n")
    with pytest.raises(ConfigErrors, match=f'line 2: "ILSVRC2012_ID {number}" is not a label'):
        labelling.label_by_file(folder, truth)


def test_the_devkit_has_an_id_for_each_class():
    assert sorted(devkit.wordnet_ids().values()) == list(imagenet.labels_by_wordnet_id())
    assert [devkit.wordnet_ids()[number] for number in (1, 2, 1000)] == ["n02119789", "n02100735", "n03255030"]
