"""Selecting images by seed, stratified by class, and by a list."""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignsec.errors import ConfigErrors
from alignsec.images.pack import Candidate
from submit.images import sampling

names = st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=30, unique=True)


def found(images: list[str]) -> list[Candidate]:
    return [Candidate(name, 0, Path(name)) for name in images]


def sampled(images: list[str], count: int | None, seed: int) -> list[str]:
    return [candidate.name for candidate in sampling.sample(found(images), count, seed)]


@given(names, st.integers(1, 30), st.integers(0, 5), st.randoms())
def test_the_sample_does_not_depend_on_the_order(images: list[str], count: int, seed: int, order: random.Random):
    """File systems list folders in different orders."""
    shuffled = images.copy()
    order.shuffle(shuffled)
    assert sampled(shuffled, count, seed) == sampled(images, count, seed)


@given(names, st.integers(1, 15), st.integers(0, 15), st.integers(0, 5))
def test_a_larger_count_adds_images(images: list[str], count: int, more: int, seed: int):
    assert set(sampled(images, count, seed)) <= set(sampled(images, count + more, seed))
    assert len(sampled(images, count, seed)) == min(count, len(images))


def test_the_sample_is_stable():
    """The sample is the same on every machine and in every version, because results depend on it."""
    assert sampled([f"{n}.png" for n in range(10)], 4, 0) == ["4.png", "5.png", "6.png", "8.png"]


def test_another_seed_gives_another_sample():
    images = [f"{n}.png" for n in range(100)]
    assert len({tuple(sampled(images, 10, seed)) for seed in range(10)}) == 10
    assert sampled(images, None, 0) == sampled(images, None, 1) == sorted(images)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(1, 60), st.integers(0, 5))
def test_stratified_classes_differ_by_at_most_one(labels: list[int], count: int, seed: int):
    """This holds while classes have images left. A larger count keeps the images of a smaller one."""
    images = [Candidate(f"{number}.png", label, Path()) for number, label in enumerate(labels)]
    taken = sampling.sample(images, count, seed, stratified=True)
    assert len(taken) == min(count, len(images))
    sizes, all_sizes = Counter(one.label for one in taken), Counter(labels)
    unspent = [sizes[label] for label, size in all_sizes.items() if sizes[label] < size]
    assert not unspent or max(sizes.values()) - min(unspent) <= 1
    more = sampling.sample(images, count + 3, seed, stratified=True)
    assert {one.name for one in taken} <= {one.name for one in more}


IMAGENET = [
    Candidate("n01440764/ILSVRC2012_val_00000293.JPEG", 0, Path()),
    Candidate("n01443537/ILSVRC2012_val_00000236.JPEG", 1, Path()),
    Candidate("n01484850/ILSVRC2012_val_00002338.JPEG", 2, Path()),
]


def renamed(name: str) -> list[Candidate]:
    stems = [one.name.split("/")[1].removesuffix(".JPEG") for one in IMAGENET]
    return [Candidate(name.format(stem), one.label, Path()) for stem, one in zip(stems, IMAGENET, strict=True)]


@pytest.mark.parametrize(
    "images", [IMAGENET, renamed("{}.JPEG"), renamed("{}_n01484850.JPEG"), renamed("x/{}.png")]
)
def test_a_list_finds_imagenets_images_under_other_names(tmp_path: Path, images: list[Candidate]):
    """RobustBench's list has class folders. Flat sets have none; the hub's set has the class in the file name."""
    (tmp_path / "list.txt").write_text(f"{IMAGENET[1].name}\n\n# a comment\n{IMAGENET[0].name}\n")
    assert {one.label for one in sampling.select_listed(images, tmp_path / "list.txt")} == {0, 1}


def test_invalid_lines_of_a_list_are_reported(tmp_path: Path):
    images = [*IMAGENET, *(Candidate(name, 5, Path()) for name in ("a/1.png", "b/1.png", "c/2.png"))]
    lines = [
        "n01440764/ILSVRC2012_val_00000293.JPEG",
        "ILSVRC2012_val_00000293.JPEG",
        "n01440764/ILSVRC2012_val_00000236.JPEG",
        "1.png",
        "2.png",
        "3.png",
        "b/1.png",
    ]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    with pytest.raises(ConfigErrors) as caught:
        sampling.select_listed(images, tmp_path / "list.txt")
    assert {error.field: error.remedy for error in caught.value.errors} == {
        "line 2": "is listed more than once",
        "line 3": "has class 0, but the image set has 1; are its labels ImageNet's?",
        "line 4": "matches a/1.png and b/1.png; write the full name",
        "line 6": "is not an image of the set",
    }


def test_a_list_without_names_is_refused(tmp_path: Path):
    (tmp_path / "list.txt").write_text("# nothing\n")
    with pytest.raises(ConfigErrors, match="names no images"):
        sampling.select_listed(IMAGENET, tmp_path / "list.txt")
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigErrors, match="cannot be read"):
        sampling.select_listed(IMAGENET, tmp_path / "list.txt")
