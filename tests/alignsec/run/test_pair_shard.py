"""Shards: the files from which jobs read their pairs."""

import json
from pathlib import Path

import pytest

from alignsec.run.folder import RunFolder
from alignsec.run.pair_shard import PAIRS_PER_SHARD, PairFileError, read_pair, shard_name, write_shards
from alignsec.spec.pair import File, Pair
from tests.tiny import attack, pair

PACK = File(name="fog.tar", sha256="3" * 64)
FOG = attack(method="corruption", norm=None, eps=[], steps=100, corruption="fog", severity=1)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path)
    made.pairs.mkdir()
    return made


def many_pairs(count: int) -> list[Pair]:
    """Return pairs that share one model and one attack."""
    first = pair()
    return [Pair.from_parts(first.model, first.attack, first.images, None, seed) for seed in range(count)]


def test_every_pair_is_equal_after_writing_and_reading(folder: RunFolder):
    audited = attack(method="autoattack", steps=100, audit={"share": "0.1"})
    extended = pair(attack=audited, extends=File(name="smaller.json", sha256="4" * 64))
    pairs = [*many_pairs(PAIRS_PER_SHARD + 1), pair(name="ü", attack=FOG, corrupted=PACK), extended]
    write_shards(pairs, folder)
    assert sorted(path.name for path in folder.pairs.iterdir()) == ["shard-00000.json", "shard-00001.json"]
    for index, one in enumerate(pairs):
        found = read_pair(folder.pair_file(shard_name(index)), one.id)
        assert found == one
        assert found.id == one.id


def test_a_shard_stores_shared_parts_once(folder: RunFolder):
    """Each job transfers a shard. One with 100 whole pairs would take more than 100 kB."""
    write_shards(many_pairs(PAIRS_PER_SHARD), folder)
    data = folder.pair_file(shard_name(0)).read_bytes()
    content = json.loads(data)
    assert [len(content[part]) for part in ("models", "attacks", "packs", "pairs")] == [1, 1, 1, PAIRS_PER_SHARD]
    assert len(data) < 15_000


def test_a_pair_with_other_content_is_refused(folder: RunFolder):
    one, other = many_pairs(2)
    write_shards([one, other], folder)
    path = folder.pair_file(shard_name(0))
    content = json.loads(path.read_bytes())
    content["pairs"][one.id]["seed"] = 1
    path.write_text(json.dumps(content))
    with pytest.raises(PairFileError, match=f"{one.id} has the content of another pair, {other.id}"):
        read_pair(path, one.id)
    assert read_pair(path, other.id) == other


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pairs": {}}, "does not have the pair"),
        ({"models": []}, "index out of range"),
        ({"schema_version": 2}, "invalid file of pairs"),
        ({"attacks": [{"method": "guess"}]}, "invalid file of pairs"),
        ({"attacks": [FOG.model_dump(mode="json")]}, "a corruption needs either"),
    ],
)
def test_a_damaged_shard_is_refused(folder: RunFolder, change: dict[str, object], message: str):
    (one,) = many_pairs(1)
    write_shards([one], folder)
    path = folder.pair_file(shard_name(0))
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **change}))
    with pytest.raises(PairFileError, match=message):
        read_pair(path, one.id)


def test_the_number_of_the_shard_is_the_position_in_the_plan():
    assert [shard_name(index) for index in (0, 99, 100, 99_999)] == [
        *("shard-00000", "shard-00000", "shard-00001", "shard-00999"),
    ]
