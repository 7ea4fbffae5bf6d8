"""The `audit` key, and the choice of audited images."""

import pytest
from pydantic import ValidationError

from alignsec.spec.attack import Attack
from alignsec.spec.audit import OUTSIDE, PILOT, SECOND, find_images
from alignsec.spec.audit_plan import (
    assign_pilot,
    assign_second,
    assign_strata,
    count_strata,
    sample_sizes,
    stratum_sizes,
)
from alignsec.spec.budget import Budget
from alignsec.spec.deviations import describe_deviations

FIELDS = {"method": "autoattack", "norm": "Linf", "eps": ["1/255", "2/255"]}
RANKS = [(at * 7919) % 1000 for at in range(100)]


def audited(share="0.05", **more):
    return Attack.model_validate({**FIELDS, "audit": {"share": share}, **more})


@pytest.mark.parametrize("share", ["0", "1.01", "-0.1", "5 %", 0.05])
def test_a_share_outside_0_to_1_or_that_is_no_text_is_an_error(share):
    with pytest.raises(ValidationError):
        audited(share)


@pytest.mark.parametrize(
    ("more", "remedy"),
    [
        ({"implementation": "reference"}, "the reference does not have; remove implementation or audit"),
        ({"carry": True}, "has audit and carry, which cannot be combined"),
        ({"method": "apgd-ce"}, 'use method = "autoattack" or remove audit'),
        ({"method": "clean", "norm": None, "eps": []}, "has audit, which clean does not use"),
    ],
)
def test_an_audit_of_another_attack_is_an_error(more, remedy):
    with pytest.raises(ValidationError, match=remedy):
        audited(**more)


def test_the_share_is_part_of_the_fingerprint_and_labelled():
    """Expect no change without the key, one id for equal shares, and another for another share."""
    plain = Attack.model_validate(FIELDS)
    assert "audit" not in plain.fingerprint
    assert audited("0.05").fingerprint == audited("1/20").fingerprint != audited("0.1").fingerprint
    (text,) = describe_deviations(audited())
    assert "random share of 0.05" in text
    assert not describe_deviations(plain)


@pytest.mark.parametrize("survivors", [0, 1, 3, 7, 8, 50, 1000])
def test_sample_sizes_grow_with_the_share_up_to_all_survivors(survivors):
    shares = ("0.001", "0.02", "0.05", "0.2", "0.9", "1")
    sizes = [sample_sizes(stratum_sizes(survivors), Budget.parse(share)) for share in shares]
    for one in ("near", "far"):
        assert [size[one] for size in sizes] == sorted(size[one] for size in sizes)
    assert sum(sizes[-1].values()) == survivors
    assert sum(sizes[0].values()) >= min(survivors, 4)


def pilot_roles(share, near_broken=0):
    """Return the roles of 80 survivors of 100 images; the first ones break in the targeted part of the screen."""
    strata = assign_strata(range(80), 100, list(range(100)))
    screened = "t" * near_broken + "U" * (80 - near_broken) + "c" * 20
    return assign_pilot(strata, screened, RANKS, Budget.parse(share))


def choose(share, verdicts, full=False):
    return assign_second(pilot_roles(share), verdicts, RANKS, Budget.parse(share), full)


def test_images_that_the_targeted_screen_breaks_have_no_role():
    """Expect the other near images to stay in their stratum."""
    roles = pilot_roles("0.5", near_broken=4)
    assert roles[:4] == OUTSIDE * 4
    assert set(roles[4:10]) <= set("np")


def test_images_outside_the_screen_s_survivors_have_no_role():
    roles = choose("0.2", "R" * 100)
    assert roles[80:] == OUTSIDE * 20
    assert OUTSIDE not in roles[:80]
    assert set(roles[:10]) <= set("npa"), "the nearest eighth"
    assert set(roles[10:80]) <= set("fqb")


def test_counts_follow_from_the_letters():
    counts = count_strata(choose("0.2", "R" * 100), "t" + "R" * 99)
    assert (counts["near"].survivors, counts["far"].survivors) == (10, 70)
    assert counts["near"].audited + counts["far"].audited == 16
    assert counts["far"].broken == 0


def test_the_guard_audits_all_survivors():
    """Expect this if the pilot breaks, or if the model needs it; one broken image is not enough."""
    pilot = pilot_roles("0.2")
    images = find_images(pilot, PILOT)
    broken = "".join("t" if at in images else "R" for at in range(100))
    for roles in (choose("0.2", broken), choose("0.2", "R" * 100, full=True)):
        assert len(find_images(roles, PILOT)) + len(find_images(roles, SECOND)) == 80
    one = "".join("t" if at == images[0] else "R" for at in range(100))
    assert len(find_images(choose("0.2", one), SECOND)) < 20
