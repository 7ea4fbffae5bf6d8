"""Corruptions in a study: one attack per type and severity."""

from pathlib import Path

import pytest

from alignsec.errors import ConfigErrors
from alignsec.spec import corruption
from alignsec.spec.attack import Attack
from alignsec.study import study
from tests.tiny import pair


def names(*entries: object, from_set: bool = False) -> list[tuple[int, str]]:
    expanded = corruption.expand_corruptions(list(entries), from_set=from_set)
    return [(position, Attack.model_validate(entry).name) for position, entry in expanded]


def test_a_list_gives_one_attack_per_type_and_severity():
    several = {"method": "corruption", "corruption": ["fog", "snow"], "severity": [1, 5]}
    one = {"method": "corruption", "corruption": "frost", "severity": 3, "name": "mine"}
    assert names({"method": "clean"}, several, one) == [
        (0, "clean"),
        (1, "fog-1"),
        (1, "fog-5"),
        (1, "snow-1"),
        (1, "snow-5"),
        (2, "mine-frost-3"),
    ]


def test_groups_of_types_and_default_severities():
    assert len(names({"method": "corruption", "corruption": "common"})) == 15 * 5
    assert [name for _, name in names({"method": "corruption", "corruption": "extra", "severity": 2})] == [
        "speckle_noise-2",
        "gaussian_blur-2",
        "spatter-2",
        "saturate-2",
    ]


def test_the_fingerprint_contains_the_generator():
    """Another version of the library changes it; a set on disk is identified by the digest of its pack."""
    entry = {"method": "corruption", "corruption": "fog", "severity": 3}
    ((_, made),) = corruption.expand_corruptions([entry], from_set=False)
    ((_, found),) = corruption.expand_corruptions([entry], from_set=True)
    fingerprint = Attack.model_validate(made).fingerprint
    assert fingerprint["generator"] == corruption.GENERATOR
    for other in ("imagecorruptions-imaug 1.1.5", corruption.describe_generator("1.1.6")):
        assert fingerprint != Attack.model_validate(made | {"generator": other}).fingerprint
    on_disk = Attack.model_validate(found)
    assert on_disk.generator == ""
    ids = {pair(attack=on_disk, corrupted={"name": "c.tar", "sha256": digit * 64}).id for digit in "12"}
    assert len(ids) == 2
    with pytest.raises(ValueError, match="needs either a pack"):
        pair(attack=on_disk)
    with pytest.raises(ValueError, match="needs either a pack"):
        pair(attack=Attack.model_validate(made), corrupted={"name": "c.tar", "sha256": "1" * 64})


@pytest.mark.parametrize(
    ("entry", "field", "remedy"),
    [
        ('corruption = ["fogg"]', "attacks[1]", "has the unknown corruption fogg; did you mean fog"),
        ('corruption = ["fog", "snow"]\nseverity = [0]', "attacks[1].severity", "must be greater than or equal"),
        ('corruption = "fog"\nseverity = "high"', "attacks[1].severity", "must be a valid integer"),
        ("severity = 3", "attacks[1]", "has no type; add corruption"),
        ("corruption = []", "attacks[1].corruption", "is not text"),
        ('corruption = ["fog", "fog"]\nseverity = 1', "attacks.name", "names 2 entries (attacks[1])"),
        ('corruption = "fog"\nseverity = 1\neps = ["1/255"]', "attacks[1]", "no norm and no eps; remove them"),
        ('corruption = "fog"\nseverity = 1\nsteps = 5', "attacks[1]", "has steps, which corruption does not use"),
    ],
)
def test_an_error_is_reported_once_with_the_index_of_its_entry(
    tmp_path: Path, entry: str, field: str, remedy: str
):
    """The first entry becomes five attacks; the invalid one is still number 1."""
    text = f"""
name = "x"
models = []
[images]
folder = "."
[[attacks]]
method = "corruption"
corruption = "snow"
[[attacks]]
method = "corruption"
{entry}
"""
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(ConfigErrors) as caught:
        study.Study.load(tmp_path / "s.toml")
    found = [error for error in caught.value.errors if error.field.startswith("attacks")]
    assert [error.field for error in found] == [field]
    assert remedy in str(found[0])


def test_other_attacks_reject_a_corruption():
    for field in ({"corruption": "fog"}, {"severity": 3}):
        with pytest.raises(ValueError, match="which only method"):
            Attack.model_validate({"method": "clean", **field})
