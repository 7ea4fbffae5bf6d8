"""Debian packages fetched through the host's own apt and relocated under a prefix: no root, no change to the host.

A newer suite's programs need a newer C library than the host has, so each is patched (with the suite's own
patchelf) to start under the loader that came with it and to find its libraries beside itself.
"""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from submit.pool.pool import REMEDY, PoolUnavailable, Suite

_KEYRINGS = tuple(Path("/usr/share/keyrings") / f"debian-archive-keyring.{ending}" for ending in ("gpg", "pgp"))
# Only what the programs load; the packages' other dependencies (perl, adduser, init scripts) are for a host.
_CONDOR = (
    *("condor", "libc6", "libstdc++6", "libgcc-s1", "libgomp1", "libssl3t64", "zlib1g", "libzstd1"),
    *("libpcre2-8-0", "libuuid1", "libsqlite3-0"),
)
_CONDOR_PROGRAMS = ("bin/*", "sbin/*", "libexec/condor/*", "lib/lib*.so*", "lib/condor/*")


@dataclass(frozen=True)
class Bundle:
    """Packages that make one relocated tree.

    Attributes:
        name: the tree's folder in the cache.
        suite: where the packages come from.
        packages: their names, with every library that their programs load.
        programs: globs under the tree's usr/ of the programs and libraries to patch.
        proof: a command under usr/ that shows the tree works.
        settle: what else the tree needs before it is moved; takes its folder now and the one it will have.
    """

    name: str
    suite: Suite
    packages: tuple[str, ...]
    programs: tuple[str, ...]
    proof: tuple[str, ...]
    settle: Callable[[Path, Path], None] | None = None


def condor(suite: Suite) -> Bundle:
    """HTCondor: 23.9 from trixie, 25.x from sid."""
    return Bundle(f"condor-{suite}", suite, _CONDOR, _CONDOR_PROGRAMS, ("bin/condor_version",))


def prefix(bundle: Bundle, cache: Path) -> Path:
    """The usr/ folder of the relocated tree, fetched when the cache has none that works.

    Trees are made aside and renamed, so nobody sees half a tree and of two fetches at once one is kept.

    Raises:
        PoolUnavailable: no apt, no Debian keyring or mirror, no network, or a library is missing.
    """
    tree = cache / bundle.name
    if tree.exists():
        if _proves(tree, bundle):
            return tree / "usr"
        shutil.rmtree(tree)  # its programs name their loader by full path: a moved cache is of no use
    try:
        cache.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{bundle.name}.", dir=cache))
    except OSError as error:
        raise PoolUnavailable(f"cannot keep packages in {cache}: {error.strerror}; name another folder") from error
    try:
        _fetch(bundle, aside)
        relocate(aside / "tree", tree, bundle.programs)
        if bundle.settle is not None:
            bundle.settle(aside / "tree", tree)
        try:
            (aside / "tree").rename(tree)
        except OSError:  # another fetch was first, and a folder with content is not replaced
            if not tree.exists():
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    if not _proves(tree, bundle):
        shutil.rmtree(tree, ignore_errors=True)
        raise PoolUnavailable(f"Debian {bundle.suite}'s {bundle.packages[0]} does not start here; {REMEDY}")
    return tree / "usr"


def _proves(tree: Path, bundle: Bundle) -> bool:
    program, *arguments = bundle.proof
    try:
        done = subprocess.run([tree / "usr" / program, *arguments], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def _fetch(bundle: Bundle, aside: Path) -> None:
    """Download the bundle into aside/debs and unpack it as aside/tree."""
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        raise PoolUnavailable(f"no HTCondor here and no {missing[0]} to fetch Debian's with; {REMEDY}")
    options = _apt_options(bundle.suite, aside)
    _apt([*options, "update"], aside, bundle)
    debs = aside / "debs"
    debs.mkdir()
    _apt([*options, "download", *bundle.packages, "patchelf"], debs, bundle)
    for deb in debs.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", deb, aside / "tree"], check=True)
    for manual in ("doc", "man", "locale", "lintian"):
        shutil.rmtree(aside / "tree/usr/share" / manual, ignore_errors=True)


def _apt_options(suite: Suite, aside: Path) -> list[str]:
    """Options that leave apt's own state, pins and sources alone, yet keep the host's proxies and logins."""
    for folder in ("lists/partial", "cache/archives/partial"):
        (aside / folder).mkdir(parents=True)
    (aside / "sources.list").write_text(f"deb [signed-by={_keyring()}] {_mirror()} {suite} main\n")
    (aside / "status").touch()  # empty: what the host has installed must not decide what is downloaded
    settings = {
        "Dir::Etc::sourcelist": aside / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::Etc::preferences": "-",
        "Dir::Etc::preferencesparts": "-",
        "Dir::State::status": aside / "status",
        "Dir::State::Lists": aside / "lists",
        "Dir::Cache": aside / "cache",
        "APT::Default-Release": suite,
        # root's apt would change to a user who may not write here
        "APT::Sandbox::User": pwd.getpwuid(os.geteuid()).pw_name,
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    return ["-qq", *(part for key, value in settings.items() for part in ("-o", f"{key}={value}"))]


def _apt(arguments: list[str], cwd: Path, bundle: Bundle) -> None:
    done = subprocess.run(["apt-get", *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith("E:")] or ["E: no reason given"]
        raise PoolUnavailable(
            f"apt cannot fetch {bundle.packages[0]} of Debian {bundle.suite} ({errors[0][3:]}); {REMEDY}"
        )


def _keyring() -> Path:
    for path in _KEYRINGS:
        if path.exists():
            return path
    raise PoolUnavailable(
        f"no HTCondor here and no Debian keyring to fetch it with: install debian-archive-keyring, or {REMEDY}"
    )


def _mirror() -> str:
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return debian_mirror(done.stdout.splitlines())


def debian_mirror(addresses: Iterable[str]) -> str:
    """The first address that is a whole Debian mirror: not its security archive, not another distribution's.

    Raises:
        PoolUnavailable: there is none.
    """
    for address in addresses:
        # cloud images name a file with a list of mirrors: mirror+file:/etc/apt/mirrors/debian.list
        if re.search(r"/debian(\.list)?/*$", address.strip()):
            return address.strip()
    raise PoolUnavailable(f"no HTCondor here and apt's sources name no Debian mirror to fetch it from; {REMEDY}")


def relocate(staged: Path, final: Path, programs: Iterable[str]) -> None:
    """Patch the programs of a staged tree so that they run once the tree has been renamed to final.

    Args:
        staged: a tree of unpacked packages, with the suite's libc6 and patchelf; changed in place.
        final: where the tree will be, absolute.
        programs: globs under usr/; files that are not ELF are left alone.

    Raises:
        PoolUnavailable: a program needs a library that the tree lacks.
    """
    loader = next((staged / "usr/lib").glob("*/ld-linux*.so.*"))
    libraries, final_libraries = loader.parent, final / "usr/lib" / loader.parent.name
    path = f"{final}/usr/lib:{final_libraries}"
    under_loader = [str(loader), "--library-path", f"{staged}/usr/lib:{libraries}"]
    patchelf = [*under_loader, str(staged / "usr/bin/patchelf")]
    for file in _elf_files(staged / "usr", programs):
        listed = subprocess.run([*under_loader, "--list", file], capture_output=True, text=True, check=False)
        absent = re.search(r"(\S+) => not found", listed.stdout)
        if absent:
            raise PoolUnavailable(f"{file.name} needs {absent.group(1)}, which the packages lack; {REMEDY}")
        subprocess.run([*patchelf, "--force-rpath", "--set-rpath", path, file], check=True)
        asked = subprocess.run([*patchelf, "--print-interpreter", file], capture_output=True, check=False)
        if asked.returncode == 0:  # a program, not a library
            interpreter = final_libraries / loader.name
            subprocess.run([*patchelf, "--set-interpreter", str(interpreter), file], check=True)


def _elf_files(usr: Path, programs: Iterable[str]) -> Iterator[Path]:
    for file in sorted(found for pattern in programs for found in usr.glob(pattern)):
        if file.is_file() and not file.is_symlink() and file.name != "patchelf":
            with file.open("rb") as opened:
                if opened.read(4) == b"\x7fELF":
                    yield file
