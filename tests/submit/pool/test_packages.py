"""Installing Debian's packages for a private pool, and its errors, without downloads."""

import os
from pathlib import Path

import pytest

from submit.pool import packages
from submit.pool.pool import PoolUnavailableError
from tests.submit.fake_program import fake_program, output_of


@pytest.mark.parametrize(
    ("addresses", "chosen"),
    [
        (["http://a.example/debian-security/", "http://a.example/debian/"], "http://a.example/debian/"),
        (["http://a.example/debian"], "http://a.example/debian"),
        (["mirror+file:/etc/apt/mirrors/debian.list"], "mirror+file:/etc/apt/mirrors/debian.list"),
    ],
)
def test_the_mirror_is_the_hosts(addresses, chosen):
    assert packages.find_debian_mirror(addresses) == chosen


def assert_one_line_with_a_remedy(reason: pytest.ExceptionInfo[PoolUnavailableError]) -> None:
    assert "\n" not in str(reason.value)
    assert "install" in str(reason.value)


@pytest.mark.parametrize("addresses", [[], ["http://a.example/ubuntu/", "http://a.example/debian-security/"]])
def test_a_missing_mirror_is_reported(addresses):
    with pytest.raises(PoolUnavailableError, match="no Debian mirror") as reason:
        packages.find_debian_mirror(addresses)
    assert_one_line_with_a_remedy(reason)


def test_a_missing_apt_is_reported(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(PoolUnavailableError, match="no apt-get") as reason:
        packages.install_bundle(packages.condor_bundle("trixie"), tmp_path / "cache")
    assert_one_line_with_a_remedy(reason)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.fixture
def apt(tmp_path, monkeypatch) -> Path:
    """A fake apt-get that knows a mirror but cannot reach it."""
    script = (
        'case "$*" in *indextargets*) echo http://a.example/debian/;; *) echo "E: no route" >&2; exit 100;; esac'
    )
    fake_program(tmp_path / "bin/dpkg-deb", "true")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    keyring = tmp_path / "keyring.gpg"
    keyring.touch()
    monkeypatch.setattr(packages, "_KEYRINGS", (keyring,))
    return fake_program(tmp_path / "bin/apt-get", script)


def test_a_missing_keyring_is_reported(apt, tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "_KEYRINGS", (tmp_path / "none.gpg",))
    with pytest.raises(PoolUnavailableError, match="install debian-archive-keyring") as reason:
        packages.install_bundle(packages.condor_bundle("trixie"), tmp_path / "cache")
    assert_one_line_with_a_remedy(reason)


def test_a_missing_network_is_reported_with_apts_message(apt, tmp_path):
    with pytest.raises(
        PoolUnavailableError, match=r"apt cannot download condor of Debian sid \(no route\)"
    ) as reason:
        packages.install_bundle(packages.condor_bundle("sid"), tmp_path / "cache")
    assert_one_line_with_a_remedy(reason)
    assert list((tmp_path / "cache").iterdir()) == []


BUNDLE = packages.Bundle("thing", "trixie", ("thing",), (), ("bin/thing", "--version"))


@pytest.fixture
def downloads(monkeypatch) -> list[Path]:
    """The calls of a fake download that installs one working program."""
    calls: list[Path] = []

    def download(bundle: packages.Bundle, aside: Path) -> None:
        calls.append(aside)
        fake_program(aside / "tree/usr/bin/thing", "echo downloaded")

    monkeypatch.setattr(packages, "_download", download)
    monkeypatch.setattr(packages, "relocate", lambda staged, final, programs: None)
    return calls


def test_packages_are_downloaded_once(downloads, tmp_path):
    assert (
        packages.install_bundle(BUNDLE, tmp_path)
        == packages.install_bundle(BUNDLE, tmp_path)
        == tmp_path / "thing/usr"
    )
    assert len(downloads) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["thing"], "no temporary folder is left"


def test_packages_that_do_not_start_are_downloaded_again(downloads, tmp_path):
    fake_program(tmp_path / "thing/usr/bin/thing", "exit 127")
    usr = packages.install_bundle(BUNDLE, tmp_path)
    assert output_of(usr / "bin/thing") == "downloaded\n"


def test_of_two_simultaneous_downloads_the_first_is_kept(downloads, tmp_path, monkeypatch):
    """The other process finishes while this one relocates."""

    def other_finishes(staged: Path, final: Path, programs: object) -> None:
        fake_program(final / "usr/bin/thing", "echo other")

    monkeypatch.setattr(packages, "relocate", other_finishes)
    usr = packages.install_bundle(BUNDLE, tmp_path)
    assert output_of(usr / "bin/thing") == "other\n"
    assert [path.name for path in tmp_path.iterdir()] == ["thing"]
