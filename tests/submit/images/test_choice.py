"""Which images are chosen: by seed, class by class, or by a list."""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignsec.errors import ConfigErrors
from alignsec.images.pack import Candidate
from submit.images import choice

names = st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=30, unique=True)


def found(images: list[str]) -> list[Candidate]:
    return [Candidate(name, 0, Path(name)) for name in images]


def chosen(images: list[str], count: int | None, seed: int) -> list[str]:
    return [candidate.name for candidate in choice.choose(found(images), count, seed)]


@given(names, st.integers(1, 30), st.integers(0, 5), st.randoms())
def test_the_choice_does_not_depend_on_the_order(images: list[str], count: int, seed: int, order: random.Random):
    """Folders are listed in another order on every file system."""
    shuffled = images.copy()
    order.shuffle(shuffled)
    assert chosen(shuffled, count, seed) == chosen(images, count, seed)


@given(names, st.integers(1, 15), st.integers(0, 15), st.integers(0, 5))
def test_a_larger_count_adds_images(images: list[str], count: int, more: int, seed: int):
    assert set(chosen(images, count, seed)) <= set(chosen(images, count + more, seed))
    assert len(chosen(images, count, seed)) == min(count, len(images))


def test_the_choice_is_stable():
    """The same on every machine, version and day: the choice is part of what a number means."""
    assert chosen([f"{n}.png" for n in range(10)], 4, 0) == ["4.png", "5.png", "6.png", "8.png"]


def test_the_seed_decides():
    images = [f"{n}.png" for n in range(100)]
    assert len({tuple(chosen(images, 10, seed)) for seed in range(10)}) == 10
    assert chosen(images, None, 0) == chosen(images, None, 1) == sorted(images)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(1, 60), st.integers(0, 5))
def test_stratified_classes_differ_by_one_at_most(labels: list[int], count: int, seed: int):
    """While a class has images left; and a larger count keeps a smaller one's images."""
    images = [Candidate(f"{number}.png", label, Path()) for number, label in enumerate(labels)]
    taken = choice.choose(images, count, seed, stratified=True)
    assert len(taken) == min(count, len(images))
    sizes, all_sizes = Counter(one.label for one in taken), Counter(labels)
    unspent = [sizes[label] for label, size in all_sizes.items() if sizes[label] < size]
    assert not unspent or max(sizes.values()) - min(unspent) <= 1
    more = choice.choose(images, count + 3, seed, stratified=True)
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
    """RobustBench's list names class folders; flat sets have none, the model hub's the class in the name."""
    (tmp_path / "list.txt").write_text(f"{IMAGENET[1].name}\n\n# a comment\n{IMAGENET[0].name}\n")
    assert {one.label for one in choice.listed(images, tmp_path / "list.txt")} == {0, 1}


def test_what_a_list_may_not_say(tmp_path: Path):
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
        choice.listed(images, tmp_path / "list.txt")
    assert {error.field: error.remedy for error in caught.value.errors} == {
        "line 2": "is listed more than once",
        "line 3": "says class 0, but the set says 1; are its labels ImageNet's?",
        "line 4": "may be a/1.png or b/1.png; write its whole name",
        "line 6": "is not an image of the set",
    }


def test_a_list_that_names_nothing(tmp_path: Path):
    (tmp_path / "list.txt").write_text("# nothing\n")
    with pytest.raises(ConfigErrors, match="names no images"):
        choice.listed(IMAGENET, tmp_path / "list.txt")
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigErrors, match="cannot be read"):
        choice.listed(IMAGENET, tmp_path / "list.txt")
