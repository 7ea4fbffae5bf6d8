"""Pairs: the id changes with everything that changes the verdicts, and with nothing else."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from alignsec import digest
from alignsec.spec.attack import Attack
from alignsec.spec.pair import File, Pair, Published, slug
from alignsec.spec.preprocessing import Preprocessing
from tests.tiny import GREY, OPTIONS, attack, pair

NODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*--[a-z0-9]+(-[a-z0-9]+)*--[0-9a-f]{10}")

CHANGES: list[dict[str, Any]] = [
    {"name": "other"},
    {"source": "timm:vit_small_patch16_224"},
    {"options": {**OPTIONS, "depth": 2}},
    {"weights": File(name="weights.safetensors", sha256="3" * 64)},
    {"conversion": "timm"},
    {"weights": None},
    {"code": File(name="code.py", sha256="5" * 64)},
    *({"preprocessing": Preprocessing(**{**GREY, **change})}
      for change in ({"mean": (0.4,)}, {"std": (0.2,)}, {"interpolation": "bicubic"}, {"crop_pct": 0.9},
                     {"crop_mode": "squash"}, {"input_size": (1, 16, 17)})),
    *({"attack": attack(**change)}
      for change in ({"eps": ["1/255"]}, {"norm": "L2"}, {"method": "apgd-t"}, {"steps": 4}, {"restarts": 2},
                     {"implementation": "reference"}, {"name": "other"})),
    {"images": File(name="images.tar", sha256="4" * 64)},
    {"seed": 1},
]  # fmt: skip


@pytest.mark.parametrize("changes", CHANGES, ids=",".join)
def test_a_change_of_the_evaluation_changes_the_id(changes: dict[str, Any]):
    assert pair(**changes).id != pair().id


def test_every_change_gives_a_different_id():
    assert len({pair(**changes).id for changes in CHANGES}) == len(CHANGES)


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": File(name="renamed.pt", sha256="1" * 64)},
        {"classes": 5},
        {"published": Published(top1=0.76, tolerance=0.01, where="a table")},
        {"images": File(name="elsewhere.tar", sha256="2" * 64)},
        {"options": dict(reversed(OPTIONS.items()))},
        {"attack": attack(eps=["16/510", "2/510"])},
        {"attack": attack(eps=["8/255", "1/255"])},
    ],
    ids=["weights", "classes", "published", "pack", "order of options", "spelling of eps", "order of eps"],
)
def test_other_changes_keep_the_id(changes: dict[str, Any]):
    assert pair(**changes).id == pair().id


def test_the_id_is_pinned():
    """A changed id makes all finished outcomes stale; change it only together with VERDICTS_VERSION."""
    assert pair().id == "tiny--apgd-ce-linf--5b9e1ad624"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"method": "autoattack"}, "tiny--autoattack-linf--fa487b8a53"),
        ({"method": "apgd-t"}, "tiny--apgd-t-linf--33d8d11cfe"),
        ({"method": "fab-t", "norm": "L2"}, "tiny--fab-t-l2--27993f27a9"),
        ({"method": "square", "steps": 100}, "tiny--square-linf--65b96b2d74"),
        ({"method": "autoattack", "norm": "L1"}, "tiny--autoattack-l1--79512e0bb0"),
        (
            {"method": "autoattack", "implementation": "reference", "targets": 5},
            "tiny--autoattack-linf--2b4e3b57a6",
        ),
    ],
)
def test_the_ids_of_all_methods_are_pinned(changes: dict[str, Any], expected: str):
    """Expect the ids of runs that were made before components had records."""
    assert pair(attack=attack(**changes)).id == expected


@pytest.mark.parametrize("keep", [None, 0, 4, 100, "all"])
def test_keep_does_not_change_the_id(keep: object):
    """Kept examples change no verdict; without the field, a pair's file has the bytes that it always had."""
    made = pair(attack=attack(keep=keep))
    assert made.id == pair().id
    assert ("keep" in made.model_dump_json()) == (keep is not None)
    assert Pair.model_validate_json(made.model_dump_json()) == made


@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60))
def test_any_name_gives_a_valid_id(model: str, attack_name: str):
    """Node names of DAGMan and file names have only letters, digits and hyphens, and a bounded length."""
    try:
        made = pair(name=model, attack=attack(name=attack_name))
    except ValidationError:
        return
    assert NODE.fullmatch(made.id), made.id
    assert len(made.id) <= 40 + 2 + 40 + 2 + 10


@given(st.text(max_size=80))
def test_a_slug_is_its_own_slug(name: str):
    assert slug(slug(name)) == slug(name)
    assert slug(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [("resnet50", "ResNet50"), ("a.b", "a+b"), ("模型", "モデル"), ("x" * 50, "x" * 51), ("café", "cafe")],
)
def test_different_names_with_the_same_slug_have_different_ids(one: str, other: str):
    assert slug(one) == slug(other)
    assert pair(name=one).id != pair(name=other).id


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.booleans() | st.text(max_size=5), max_size=4))
def test_json_keeps_a_pair_and_its_id(options: dict[str, Any]):
    made = pair(options=options)
    again = Pair.model_validate_json(made.model_dump_json())
    assert (again, again.id) == (made, made.id)


@pytest.mark.parametrize("name", ["", "a/b", "/etc/passwd", "..", ".", "nul\0"])
def test_a_file_name_has_no_folder(name: str):
    """All files of a job are in its working folder."""
    with pytest.raises(ValidationError):
        File(name=name, sha256="1" * 64)


@pytest.mark.parametrize("sha256", ["", "1" * 63, "g" * 64, "A" * 64, "1" * 64 + "\n"])
def test_a_digest_has_64_digits(sha256: str):
    with pytest.raises(ValidationError):
        File(name="f", sha256=sha256)


def test_an_unknown_key_in_a_pair_file_is_rejected():
    """A pair file of a later version may need a feature that this code does not have."""
    content = {**json.loads(pair().model_dump_json()), "patience": 3}
    with pytest.raises(ValidationError, match="patience"):
        Pair.model_validate(content)


@pytest.mark.parametrize(
    "one",
    [
        pair(),
        pair(name="ü", options={"b": 1, "a": "é\u2028"}, seed=-7),
        pair(
            attack=attack(method="corruption", norm=None, eps=[], steps=100, corruption="fog", severity=1),
            corrupted=File(name="fog.tar", sha256="3" * 64),
        ),
    ],
)
def test_the_id_is_the_digest_of_the_whole_fingerprint(one: Pair):
    """It is put together from texts of the shared parts; a difference would make every outcome stale."""
    assert one.id.endswith(f"--{digest.sha256_of_json(one.fingerprint)[:10]}")


def test_a_changed_copy_of_a_model_has_another_id():
    one = pair()
    before = one.id
    model = one.model.model_copy(update={"source": "timm:other"})
    assert one.model_copy(update={"model": model}).id != before
    assert one.id == before


def test_the_code_of_a_custom_attack_is_part_of_the_id():
    """The id is that of the whole fingerprint's canonical JSON, which has the digest of the file."""
    fields = {"method": "python:pgd", "norm": "Linf", "eps": ["1/255"], "options": {"steps": 5}}
    custom = Attack.model_validate(fields)
    made = [pair(attack=custom, attack_code=File(name="a.py", sha256=letter * 64)) for letter in "ab"]
    assert made[0].id != made[1].id
    for one in made:
        assert one.id.endswith(digest.sha256_of_json(one.fingerprint)[:10])
    with pytest.raises(ValidationError, match="a custom attack needs the file"):
        pair(attack=custom)
