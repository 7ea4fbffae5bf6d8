"""Starting, stopping and finding the private pool of a folder, and finding another usable pool."""

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

from submit.pool import apptainer, daemons, packages, user
from submit.pool.config import FOLDERS, condor_config
from submit.pool.pool import Pool, PoolOptions, PoolUnavailableError


def up(folder: Path, options: PoolOptions | None = None) -> Pool:
    """Start the private pool of a folder and wait until it accepts jobs.

    A running pool is returned unchanged, with the options it was started with. Jobs that were queued when an
    earlier pool in the folder ended, or was killed, continue.

    Args:
        folder: The pool's folder, created if it is missing. A folder can be used by one user only.
        options: The options; PoolOptions() by default.

    Raises:
        PoolUnavailableError: No pool is available, with the reason and the remedy.
    """
    options = options or PoolOptions()
    if not sys.platform.startswith("linux"):
        raise PoolUnavailableError(
            f"a private HTCondor pool needs Linux, but this is {sys.platform}; submit from an access point"
        )
    folder = folder.resolve()
    try:
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            return _own(folder) or _start(folder, options)
    except PermissionError as error:
        raise PoolUnavailableError(
            f"cannot write the pool's folder: {error}; remove it or choose another"
        ) from error


def down(folder: Path) -> None:
    """Stop the folder's pool and what a killed one left. Jobs stay queued in the folder for the next `up`."""
    folder = folder.resolve()
    if folder.is_dir():
        with _locked(folder):
            daemons.stop(folder / "condor_config")


def clean(folder: Path) -> None:
    """Stop the folder's pool and remove the folder with its queue."""
    down(folder)
    shutil.rmtree(folder.resolve(), ignore_errors=True)


def find(folder: Path, environ: Mapping[str, str]) -> Pool | None:
    """Return the host's pool, otherwise the folder's own pool if it is running, otherwise None.

    Args:
        folder: This checkout's pool folder.
        environ: The caller's environment. CONDOR_CONFIG and PATH determine the host's pool.
    """
    folder = folder.resolve()
    return _host(folder, environ) or _own(folder)


def ensure(folder: Path, environ: Mapping[str, str], options: PoolOptions | None = None) -> Pool:
    """Return the pool of `find`; without one, start a private pool.

    The private pool uses the installed HTCondor if there is one, otherwise Debian's.

    Args:
        folder: This checkout's pool folder.
        environ: The caller's environment.
        options: The options of the private pool.

    Raises:
        PoolUnavailableError: No pool is available.
    """
    options = options or PoolOptions()
    return find(folder, environ) or up(
        folder, replace(options, installed=options.installed or find_installed(environ))
    )


def find_installed(environ: Mapping[str, str]) -> Path | None:
    """Return the prefix of the HTCondor on PATH or in the folders of daemons, which a user's PATH may lack."""
    places = [environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"]
    found = shutil.which("condor_master", path=os.pathsep.join(places))
    return None if found is None else Path(found).resolve().parent.parent


def _start(folder: Path, options: PoolOptions) -> Pool:
    pool_user = user.choose_user(options.root_as)
    prefix = options.installed or packages.install_bundle(packages.condor_bundle(options.suite), options.cache)
    libexec = prefix / "libexec/condor"
    if not libexec.is_dir():
        libexec = prefix / "libexec"  # as in HTCondor's own tarballs
    if options.apptainer:
        if not pool_user.may_nest:
            raise PoolUnavailableError(
                "apptainer needs user namespaces, which root cannot create here; omit --apptainer"
            )
        lines = apptainer.condor_config(packages.install_bundle(apptainer.BUNDLE, options.cache))
        options = replace(options, extra=lines + options.extra)
    config = folder / "condor_config"
    for name, script in user.tool_wrappers(pool_user, prefix).items():
        (folder / "bin" / name).write_text(script)
        (folder / "bin" / name).chmod(0o755)
    try:
        config.write_text(condor_config(folder, prefix, libexec, pool_user, options))
    except ValueError as error:
        raise PoolUnavailableError(str(error)) from error
    if os.geteuid() == 0:
        for path in [folder, *folder.rglob("*")]:  # an earlier pool of this folder may have run as another user
            os.chown(path, *pool_user.owner, follow_symlinks=False)
    pool = Pool(folder, config, prefix, pool_user.name, owned=True, enter=pool_user.enter)
    daemons.start(pool)
    return pool


def _own(folder: Path) -> Pool | None:
    config = folder / "condor_config"
    pid = daemons.find_master(config)
    if pid is None:
        return None
    pool_user = user.user_of_process(pid)
    pool = Pool(folder, config, _release_dir(config), pool_user.name, owned=True, enter=pool_user.enter)
    return pool if daemons.schedd_answers(pool) else None


def _host(folder: Path, environ: Mapping[str, str]) -> Pool | None:
    config = Path(environ.get("CONDOR_CONFIG", "/etc/condor/condor_config"))
    if config == folder / "condor_config":
        return None
    other_checkout = _own(config.parent)
    if other_checkout is not None:
        return replace(other_checkout, folder=folder, owned=False)
    if os.geteuid() == 0:
        return None  # HTCondor runs no job as root, and this pool does not know our substitute user
    prefix = None if shutil.which("condor_q", path=environ.get("PATH")) else _release_dir(config)
    pool = Pool(folder, config, prefix, pwd.getpwuid(os.geteuid()).pw_name, owned=False)
    return pool if daemons.schedd_answers(pool, environ) else None


def _release_dir(config: Path) -> Path | None:
    try:
        text = config.read_text()
    except OSError:
        return None
    found = re.search(r"^\s*RELEASE_DIR\s*=\s*(.+?)\s*$", text, re.MULTILINE | re.IGNORECASE)
    return None if found is None else Path(found.group(1))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Allow one `up` or `down` at a time in a folder; a second one waits."""
    with (folder / "up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
