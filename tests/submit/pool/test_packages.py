"""Debian's packages for the private pool: where from, kept once, and why not; nothing is fetched."""

import os
from pathlib import Path

import pytest

from submit.pool import packages
from submit.pool.pool import PoolUnavailable
from tests.submit.fake_program import fake_program, output_of


@pytest.mark.parametrize(
    ("addresses", "chosen"),
    [
        (["http://a.example/debian-security/", "http://a.example/debian/"], "http://a.example/debian/"),
        (["http://a.example/debian"], "http://a.example/debian"),
        (["mirror+file:/etc/apt/mirrors/debian.list"], "mirror+file:/etc/apt/mirrors/debian.list"),
    ],
)
def test_the_mirror_is_the_hosts_own(addresses, chosen):
    assert packages.debian_mirror(addresses) == chosen


def assert_one_line_with_a_remedy(reason: pytest.ExceptionInfo[PoolUnavailable]) -> None:
    assert "\n" not in str(reason.value)
    assert "install" in str(reason.value)


@pytest.mark.parametrize("addresses", [[], ["http://a.example/ubuntu/", "http://a.example/debian-security/"]])
def test_no_debian_mirror_is_a_clear_reason(addresses):
    with pytest.raises(PoolUnavailable, match="no Debian mirror") as reason:
        packages.debian_mirror(addresses)
    assert_one_line_with_a_remedy(reason)


def test_no_apt_is_a_clear_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(PoolUnavailable, match="no apt-get") as reason:
        packages.prefix(packages.condor("trixie"), tmp_path / "cache")
    assert_one_line_with_a_remedy(reason)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.fixture
def apt(tmp_path, monkeypatch) -> Path:
    """An apt-get that knows a mirror and cannot reach it."""
    script = (
        'case "$*" in *indextargets*) echo http://a.example/debian/;; *) echo "E: no route" >&2; exit 100;; esac'
    )
    fake_program(tmp_path / "bin/dpkg-deb", "true")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    keyring = tmp_path / "keyring.gpg"
    keyring.touch()
    monkeypatch.setattr(packages, "_KEYRINGS", (keyring,))
    return fake_program(tmp_path / "bin/apt-get", script)


def test_no_keyring_is_a_clear_reason(apt, tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "_KEYRINGS", (tmp_path / "none.gpg",))
    with pytest.raises(PoolUnavailable, match="install debian-archive-keyring") as reason:
        packages.prefix(packages.condor("trixie"), tmp_path / "cache")
    assert_one_line_with_a_remedy(reason)


def test_no_network_is_told_in_apts_words(apt, tmp_path):
    with pytest.raises(PoolUnavailable, match=r"apt cannot fetch condor of Debian sid \(no route\)") as reason:
        packages.prefix(packages.condor("sid"), tmp_path / "cache")
    assert_one_line_with_a_remedy(reason)
    assert list((tmp_path / "cache").iterdir()) == []


BUNDLE = packages.Bundle("thing", "trixie", ("thing",), (), ("bin/thing", "--version"))


@pytest.fixture
def fetched(monkeypatch) -> list[Path]:
    """Stands in for the network: each fetch unpacks one program that works."""
    calls: list[Path] = []

    def fetch(bundle: packages.Bundle, aside: Path) -> None:
        calls.append(aside)
        fake_program(aside / "tree/usr/bin/thing", "echo fetched")

    monkeypatch.setattr(packages, "_fetch", fetch)
    monkeypatch.setattr(packages, "relocate", lambda staged, final, programs: None)
    return calls


def test_packages_are_fetched_once(fetched, tmp_path):
    assert packages.prefix(BUNDLE, tmp_path) == packages.prefix(BUNDLE, tmp_path) == tmp_path / "thing/usr"
    assert len(fetched) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["thing"], "nothing is left aside"


def test_packages_that_do_not_start_are_fetched_again(fetched, tmp_path):
    fake_program(tmp_path / "thing/usr/bin/thing", "exit 127")
    usr = packages.prefix(BUNDLE, tmp_path)
    assert output_of(usr / "bin/thing") == "fetched\n"


def test_of_two_fetches_at_once_the_first_stays(fetched, tmp_path, monkeypatch):
    """The other finishes while this one relocates."""

    def other_finishes(staged: Path, final: Path, programs: object) -> None:
        fake_program(final / "usr/bin/thing", "echo other")

    monkeypatch.setattr(packages, "relocate", other_finishes)
    usr = packages.prefix(BUNDLE, tmp_path)
    assert output_of(usr / "bin/thing") == "other\n"
    assert [path.name for path in tmp_path.iterdir()] == ["thing"]
