"""A private pool in a folder: brought up, taken down, and found again; and any other pool that is usable."""

import fcntl
import os
import pwd
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from submit.pool import apptainer, daemons, identity, packages
from submit.pool.config import FOLDERS, condor_config
from submit.pool.pool import Pool, PoolOptions, PoolUnavailable


def up(folder: Path, options: PoolOptions | None = None) -> Pool:
    """Bring up the private pool of a folder and wait until it takes jobs.

    A pool that is up already is returned as it is: its options are those it was started with. Jobs that were
    queued when an earlier pool in the folder ended, or was killed, run on.

    Args:
        folder: the pool's folder; made when absent. One folder serves one user.
        options: how to make it; PoolOptions() by default.

    Raises:
        PoolUnavailable: none can be had here, with the reason and the remedy.
    """
    options = options or PoolOptions()
    if not sys.platform.startswith("linux"):
        raise PoolUnavailable(
            f"a private HTCondor pool needs Linux, not {sys.platform}; submit from an access point"
        )
    folder = folder.resolve()
    try:
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            return _own(folder) or _start(folder, options)
    except PermissionError as error:
        raise PoolUnavailable(f"cannot write the pool's folder: {error}; remove it or name another") from error


def down(folder: Path) -> None:
    """End the folder's pool, if one is up or was killed; jobs stay queued in the folder for the next `up`."""
    folder = folder.resolve()
    if folder.is_dir():
        with _locked(folder):
            daemons.stop(folder / "condor_config")


def clean(folder: Path) -> None:
    """End the folder's pool and remove the folder, its queue included."""
    down(folder)
    shutil.rmtree(folder.resolve(), ignore_errors=True)


def find(folder: Path, environ: Mapping[str, str]) -> Pool | None:
    """A pool that is usable already: the host's, else the folder's own if it is up, else None.

    Args:
        folder: this checkout's pool folder.
        environ: the caller's environment; CONDOR_CONFIG and PATH say which pool is the host's.
    """
    folder = folder.resolve()
    return _host(folder, environ) or _own(folder)


def ensure(folder: Path, environ: Mapping[str, str], options: PoolOptions | None = None) -> Pool:
    """`find`, else `up`: with the HTCondor that is installed, where one is, else with Debian's.

    Raises:
        PoolUnavailable: none can be had here.
    """
    options = options or PoolOptions()
    return find(folder, environ) or up(folder, replace(options, installed=options.installed or installed(environ)))


def installed(environ: Mapping[str, str]) -> Path | None:
    """Prefix of the HTCondor on PATH, or in the folders for daemons that a user's PATH may lack."""
    places = [environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"]
    found = shutil.which("condor_master", path=os.pathsep.join(places))
    return None if found is None else Path(found).resolve().parent.parent


def _start(folder: Path, options: PoolOptions) -> Pool:
    who = identity.choose(options.root_as)
    prefix = options.installed or packages.prefix(packages.condor(options.suite), options.cache)
    libexec = prefix / "libexec/condor"
    if not libexec.is_dir():
        libexec = prefix / "libexec"  # where HTCondor's own tarballs have it
    if options.apptainer:
        if not who.may_nest:
            raise PoolUnavailable("apptainer needs user namespaces, and root may not make one here; leave it out")
        lines = apptainer.condor_config(packages.prefix(apptainer.BUNDLE, options.cache))
        options = replace(options, extra=lines + options.extra)
    config = folder / "condor_config"
    for name, script in identity.doors(who, prefix).items():
        (folder / "bin" / name).write_text(script)
        (folder / "bin" / name).chmod(0o755)
    try:
        config.write_text(condor_config(folder, prefix, libexec, who, options))
    except ValueError as error:
        raise PoolUnavailable(str(error)) from error
    if os.geteuid() == 0:
        for path in [folder, *folder.rglob("*")]:  # an earlier pool here may have run as another user
            os.chown(path, *who.owner, follow_symlinks=False)
    pool = Pool(folder, config, prefix, who.user, owned=True, enter=who.enter)
    daemons.start(pool)
    return pool


def _own(folder: Path) -> Pool | None:
    config = folder / "condor_config"
    pid = daemons.master(config)
    if pid is None:
        return None
    who = identity.of_process(pid)
    pool = Pool(folder, config, _release_dir(config), who.user, owned=True, enter=who.enter)
    return pool if daemons.answers(pool) else None


def _host(folder: Path, environ: Mapping[str, str]) -> Pool | None:
    config = Path(environ.get("CONDOR_CONFIG", "/etc/condor/condor_config"))
    if config == folder / "condor_config":
        return None
    other_checkout = _own(config.parent)
    if other_checkout is not None:
        return replace(other_checkout, folder=folder, owned=False)
    if os.geteuid() == 0:
        return None  # a pool that does not know of our stand-in runs no job for root
    prefix = None if shutil.which("condor_q", path=environ.get("PATH")) else _release_dir(config)
    pool = Pool(folder, config, prefix, pwd.getpwuid(os.geteuid()).pw_name, owned=False)
    return pool if daemons.answers(pool, environ) else None


def _release_dir(config: Path) -> Path | None:
    try:
        text = config.read_text()
    except OSError:
        return None
    found = re.search(r"^\s*RELEASE_DIR\s*=\s*(.+?)\s*$", text, re.MULTILINE | re.IGNORECASE)
    return None if found is None else Path(found.group(1))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One `up` or `down` at a time in a folder: a second waits."""
    with (folder / "up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
