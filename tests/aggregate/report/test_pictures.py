"""Pictures of adversarial examples: read from folder or archive, bounded in size, and damaged files named."""

import base64
import io
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aggregate.collect.examples import ShownExample, read_examples
from aggregate.figures import examples as figure
from aggregate.report import pictures
from aggregate.report.report import describe_verification
from alignsec import digest
from alignsec.images.clean_pixels import pack_clean, to_floats
from alignsec.run import examples_file
from alignsec.run.examples_file import ExampleEntry, ImageEntry
from alignsec.run.plan import Plan, PlannedPair
from alignsec.run.verification import Finding, Verification
from alignsec.spec.pair import File, Pair
from tests import tiny


def make_plan(*pairs: Pair) -> Plan:
    return Plan(
        name="r", title="R", seed=0, study_sha256="1" * 64, code_sha256="2" * 64, written="2026", scores=None,
        images=File(name="i.tar", sha256="2" * 64), image_count=9,
        planned=tuple(PlannedPair(pair=pair, inputs=()) for pair in pairs),
    )  # fmt: skip


def write_examples(path: Path, pair: Pair, count: int = 3) -> str:
    """Write a file with some examples at each of two budgets; return its digest."""
    random = np.random.default_rng(0)
    pixels = random.integers(20, 200, (count, 1, 16, 16), dtype=np.uint8)
    images, examples = [], []
    for at, one in enumerate(pixels):
        data = pack_clean(one)
        entry = ImageEntry(image=at, name=f"{at}.png", label=at, confidence=0.75, size=len(data))
        images.append((entry, data))
    for budget, eps in enumerate(pair.attack.budgets):
        for at, one in enumerate(pixels):
            clean = to_floats(one)
            packed = examples_file.pack_example(clean + np.float32(float(eps)), clean, "Linf", float(eps))
            example = ExampleEntry(
                budget=budget, image=at, component="apgd-ce", distance=float(eps), predicted=4, confidence=0.5,
                kinds=len(packed.kinds), others=len(packed.others),
            )  # fmt: skip
            examples.append((example, packed))
    data = examples_file.dump(pair.id, (1, 16, 16), "Linf", pair.attack.budgets, images, examples)
    path.write_bytes(data)
    return digest.sha256_of_bytes(data)


@pytest.mark.parametrize("archived", [False, True])
def test_the_first_examples_of_each_budget_are_read(tmp_path: Path, archived: bool):
    """Expect them from a folder and from the FINAL node's archive."""
    pair, failed = tiny.pair(), list[str]()
    folder = tmp_path / "outcomes"
    folder.mkdir()
    sha256 = write_examples(folder / f"{pair.id}.examples", pair)
    place = folder
    if archived:
        place = tmp_path / "outcomes.tar"
        with tarfile.open(place, "w") as archive:
            archive.add(folder, "outcomes")
    shown = list(read_examples(make_plan(pair), place, {pair.id: sha256}, 2, failed))
    assert [(one.eps, one.image) for one in shown] == [
        ("1/255", "0.png"), ("1/255", "1.png"), ("8/255", "0.png"), ("8/255", "1.png"),
    ]  # fmt: skip
    assert not failed
    assert shown[0].amplification == pytest.approx(0.5 * 255, rel=1e-4)
    assert shown[3].component == "APGD-CE"


def test_a_damaged_or_missing_file_is_one_sentence(tmp_path: Path):
    one, two = tiny.pair(name="one"), tiny.pair(name="two")
    write_examples(tmp_path / f"{one.id}.examples", one)
    failed = list[str]()
    assert not list(read_examples(make_plan(one, two), tmp_path, {one.id: "1" * 64, two.id: "2" * 64}, 2, failed))
    assert [sentence.partition(": their file ")[2][:12] for sentence in failed] == ["has SHA-256 ", "is missing."]


def make_examples(tmp_path: Path, names: list[str]) -> list[ShownExample]:
    pairs = [tiny.pair(name=name) for name in names]
    named = {pair.id: write_examples(tmp_path / f"{pair.id}.examples", pair) for pair in pairs}
    return list(read_examples(make_plan(*pairs), tmp_path, named, 2, []))


def test_pictures_show_three_images_and_say_what_they_show(tmp_path: Path):
    made = pictures.make_pictures(make_examples(tmp_path, ["a", "b"]))
    assert {name: len(found) for name, found in made.by_model.items()} == {"a": 4, "b": 4}
    first = made.by_model["a"][0]
    image = Image.open(io.BytesIO(base64.b64decode(first["source"].partition(",")[2])), formats=("WEBP",))
    assert image.height == pictures.SIDE
    assert 3 * pictures.SIDE <= image.width <= 4 * pictures.SIDE
    for words in ("class 0 (75.0 %)", "became 4 (50.0 %)", "APGD-CE", "Perturbation ×127"):
        assert words in first["caption"].replace("\u202f", " ").replace("\u00a0", " ")
    assert "amplified 127 times" in first["alt"]


def test_pictures_are_bounded(tmp_path: Path):
    """Expect the first ones, and the number of those that are left out."""
    examples = make_examples(tmp_path, ["a", "b"])
    whole = pictures.make_pictures(examples)
    size = sum(len(one["source"]) for found in whole.by_model.values() for one in found)
    made = pictures.make_pictures(examples, most_bytes=size // 2)
    kept = [one["source"] for found in made.by_model.values() for one in found]
    assert sum(map(len, kept)) <= size // 2
    assert len(kept) + made.left_out == 8
    assert "b" not in made.by_model


def test_the_figure_has_one_row_for_each_budget(tmp_path: Path):
    """Expect different images where possible, text alternatives, and bytes that do not depend on the run."""
    made = pictures.make_pictures(make_examples(tmp_path, ["a", "b"]))
    assert [(one.eps, one.image) for one in made.figure_examples] == [("1/255", "0.png"), ("8/255", "1.png")]
    (drawing,) = figure.make_drawings(made.figure_examples)
    assert [len(row) for row in drawing.rows] == [3, 3]
    assert "amplified 127 times" in drawing.panels[1].summary
    assert drawing.files() == drawing.files()
    assert not list(figure.make_drawings([]))


def test_the_report_mentions_a_current_verification():
    table = pd.DataFrame({"pair": ["p", "p", "q", ""], "outcome_sha256": ["1" * 64, "1" * 64, "2" * 64, ""]})
    outcomes = {"p": "1" * 64, "q": "2" * 64}
    verification = Verification(
        finished="2026-11-25T12:00:00", device="CPU", versions={}, outcomes=outcomes, examples=3,
        clean_verdicts=40, unconfirmed=[Finding(subject="p", reason="missing")],
    )  # fmt: skip
    text = describe_verification(verification, table)
    assert "3 adversarial examples and 40 clean verdicts confirmed, 0 claims refuted, 1 not confirmed" in text
    assert describe_verification(None, table) == ""
    other = verification.model_copy(update={"outcomes": {}})
    assert "is of other outcomes; run make verify again" in describe_verification(other, table)
