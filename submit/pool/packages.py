"""Debian packages downloaded with the host's apt and relocated, without root and without changes to the host.

Programs of a newer suite need a newer C library than the host's. Each program is therefore patched, with the
suite's patchelf, to use the loader and the libraries of its own suite.
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

from submit.pool.pool import REMEDY, PoolUnavailableError, Suite

_KEYRINGS = tuple(Path("/usr/share/keyrings") / f"debian-archive-keyring.{ending}" for ending in ("gpg", "pgp"))
# Only the libraries that the programs load. Other dependencies (perl, adduser, init scripts) are not needed here.
_CONDOR = (
    *("condor", "libc6", "libstdc++6", "libgcc-s1", "libgomp1", "libssl3t64", "zlib1g", "libzstd1"),
    *("libpcre2-8-0", "libuuid1", "libsqlite3-0"),
)
_CONDOR_PROGRAMS = ("bin/*", "sbin/*", "libexec/condor/*", "lib/lib*.so*", "lib/condor/*")


@dataclass(frozen=True)
class Bundle:
    """Packages that form one relocated tree.

    Attributes:
        name: The tree's folder in the cache.
        suite: The Debian suite of the packages.
        packages: The package names, including every library that their programs load.
        programs: Globs below the tree's usr/ of the programs and libraries to patch.
        proof: A command below usr/ that succeeds if the tree works.
        configure: Further changes before the tree is moved; called with its present and its final folder.
    """

    name: str
    suite: Suite
    packages: tuple[str, ...]
    programs: tuple[str, ...]
    proof: tuple[str, ...]
    configure: Callable[[Path, Path], None] | None = None


def condor_bundle(suite: Suite) -> Bundle:
    """Return the packages of HTCondor: 23.9 from trixie, 25.x from sid."""
    return Bundle(f"condor-{suite}", suite, _CONDOR, _CONDOR_PROGRAMS, ("bin/condor_version",))


def install_bundle(bundle: Bundle, cache: Path) -> Path:
    """Return the usr/ folder of the relocated tree. Install the tree if the cache has none that works.

    A tree is built in a temporary folder and renamed, so that an incomplete tree is never used. If two processes
    build it at once, one tree is kept.

    Args:
        bundle: The packages.
        cache: The folder of all trees.

    Raises:
        PoolUnavailableError: There is no apt, Debian keyring, mirror or network, or a library is missing.
    """
    tree = cache / bundle.name
    if tree.exists():
        if _works(tree, bundle):
            return tree / "usr"
        shutil.rmtree(tree)  # after the cache was moved: the programs contain the full path of their loader
    try:
        cache.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{bundle.name}.", dir=cache))
    except OSError as error:
        raise PoolUnavailableError(
            f"cannot write packages to {cache}: {error.strerror}; choose another folder"
        ) from error
    try:
        _download(bundle, aside)
        relocate(aside / "tree", tree, bundle.programs)
        if bundle.configure is not None:
            bundle.configure(aside / "tree", tree)
        try:
            (aside / "tree").rename(tree)
        except OSError:  # another process was faster, and rename does not replace a folder with content
            if not tree.exists():
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    if not _works(tree, bundle):
        shutil.rmtree(tree, ignore_errors=True)
        raise PoolUnavailableError(
            f"{bundle.packages[0]} of Debian {bundle.suite} does not start on this machine; {REMEDY}"
        )
    return tree / "usr"


def _works(tree: Path, bundle: Bundle) -> bool:
    program, *arguments = bundle.proof
    try:
        done = subprocess.run([tree / "usr" / program, *arguments], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def _download(bundle: Bundle, aside: Path) -> None:
    """Download the packages to aside/debs and unpack them into aside/tree."""
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        raise PoolUnavailableError(f"HTCondor not found, and no {missing[0]} to download Debian's; {REMEDY}")
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
    """Return options that ignore the host's apt state, pins and sources, but keep its proxies and logins."""
    for folder in ("lists/partial", "cache/archives/partial"):
        (aside / folder).mkdir(parents=True)
    (aside / "sources.list").write_text(f"deb [signed-by={_keyring()}] {_mirror()} {suite} main\n")
    (aside / "status").touch()  # empty, so that the host's installed packages do not affect the download
    settings = {
        "Dir::Etc::sourcelist": aside / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::Etc::preferences": "-",
        "Dir::Etc::preferencesparts": "-",
        "Dir::State::status": aside / "status",
        "Dir::State::Lists": aside / "lists",
        "Dir::Cache": aside / "cache",
        "APT::Default-Release": suite,
        # apt started by root would otherwise change to a user who cannot write here
        "APT::Sandbox::User": pwd.getpwuid(os.geteuid()).pw_name,
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    return ["-qq", *(part for key, value in settings.items() for part in ("-o", f"{key}={value}"))]


def _apt(arguments: list[str], cwd: Path, bundle: Bundle) -> None:
    done = subprocess.run(["apt-get", *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith("E:")] or ["E: no reason given"]
        raise PoolUnavailableError(
            f"apt cannot download {bundle.packages[0]} of Debian {bundle.suite} ({errors[0][3:]}); {REMEDY}"
        )


def _keyring() -> Path:
    for path in _KEYRINGS:
        if path.exists():
            return path
    raise PoolUnavailableError(
        f"HTCondor not found, and no Debian keyring to download it: install debian-archive-keyring, or {REMEDY}"
    )


def _mirror() -> str:
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return find_debian_mirror(done.stdout.splitlines())


def find_debian_mirror(addresses: Iterable[str]) -> str:
    """Return the first address of a full Debian mirror, not of the security archive or another distribution.

    Args:
        addresses: Addresses of apt's sources.

    Raises:
        PoolUnavailableError: There is none.
    """
    for address in addresses:
        # Cloud images have a file with a list of mirrors: mirror+file:/etc/apt/mirrors/debian.list
        if re.search(r"/debian(\.list)?/*$", address.strip()):
            return address.strip()
    raise PoolUnavailableError(
        f"HTCondor not found, and apt's sources have no Debian mirror to download it from; {REMEDY}"
    )


def relocate(staged: Path, final: Path, programs: Iterable[str]) -> None:
    """Patch the programs of a tree so that they run after the tree was renamed to its final path.

    Args:
        staged: A tree of unpacked packages, with the suite's libc6 and patchelf. It is changed in place.
        final: The final path of the tree, absolute.
        programs: Globs below usr/. Files that are not ELF are not changed.

    Raises:
        PoolUnavailableError: A program needs a library that the tree lacks.
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
            raise PoolUnavailableError(
                f"{file.name} needs {absent.group(1)}, which is not in the packages; {REMEDY}"
            )
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
