"""The user that a private pool's daemons and jobs run as. HTCondor runs no job as root.

An ordinary user's pool runs as that user. For root there are two methods, and neither adds a user:

- namespace: a user namespace in which root appears under another name. Every file keeps its owner, so jobs can
  read a Python below a home folder of mode 0700, and can write into root's checkout. Python bindings in an
  ordinary root process can submit, because the schedd sees root under that name.
- capabilities: another user who keeps the two capabilities that ignore file permissions. For containers that
  forbid user namespaces. Files that the jobs write belong to that user. Python bindings in a root process can
  query, but can submit only if started through Pool.run.

Root's shell finds wrappers of the tools in PATH that change to the pool's user. CONDOR_IDS is the owner of the
files, because a tool that root starts without a wrapper changes to that user first. In a namespace, any other
user would appear as nobody.
"""

import os
import pwd
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from submit.pool.pool import REMEDY, PoolUnavailableError, RootAs

_KEPT = "+dac_override,+fowner"


@dataclass(frozen=True)
class PoolUser:
    """The user of a private pool.

    Attributes:
        name: The user name that the pool's daemons see.
        owner: User and group id of the files that the pool writes, as seen on this machine.
        enter: Command line that runs the command after it as this user; empty for an ordinary user.
        may_nest: True if the pool's jobs may create user namespaces, which apptainer needs.
    """

    name: str
    owner: tuple[int, int]
    enter: tuple[str, ...] = ()
    may_nest: bool = True


def choose_user(root_as: RootAs = "auto") -> PoolUser:
    """Return the user of a pool started by this process.

    Args:
        root_as: The method for root; "auto" takes the first that works.

    Raises:
        PoolUnavailableError: The present user has no name, or root cannot become another user here.
    """
    if os.geteuid() != 0:
        return _ordinary(os.geteuid())
    for method in (_namespace, _capabilities):
        if root_as not in ("auto", method.__name__.removeprefix("_")):
            continue
        user = method(_substitute_user())
        if _works(user):
            return user
    raise PoolUnavailableError(
        "HTCondor runs no job as root, and neither `unshare -U` nor `setpriv --ambient-caps` "
        "(package util-linux) works here; run as an ordinary user, or " + REMEDY
    )


def tool_wrappers(user: PoolUser, prefix: Path) -> dict[str, str]:
    """Return shell scripts, by name, that run HTCondor's tools as the pool's user. They come first in root's PATH.

    Args:
        user: The user that the pool runs as. An ordinary user needs no wrappers.
        prefix: The prefix of HTCondor, which contains the tools in bin/.
    """
    tools = sorted((prefix / "bin").glob("condor_*")) if user.enter else []
    enter = shlex.join(user.enter)
    return {
        tool.name: (
            "#!/bin/sh\n# A tool may start another one, which already runs as this user.\n"
            f'[ "$(id -u)" = 0 ] || exec {shlex.quote(str(tool))} "$@"\n'
            f'exec {enter} {shlex.quote(str(tool))} "$@"\n'
        )
        for tool in tools
    }


def user_of_process(pid: int) -> PoolUser:
    """Return the user of a running pool from the owner of its master. In a namespace, the owner is root.

    Args:
        pid: Process id of the master.

    Raises:
        PoolUnavailableError: The present user has no name.
        FileNotFoundError: There is no such process.
    """
    if os.geteuid() != 0:
        return _ordinary(os.geteuid())
    owner = Path(f"/proc/{pid}").stat().st_uid
    return _namespace(_substitute_user()) if owner == 0 else _capabilities(pwd.getpwuid(owner))


def _ordinary(uid: int) -> PoolUser:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise PoolUnavailableError(
            f"user id {uid} has no name in /etc/passwd, which HTCondor needs; run as a user with a name"
        ) from None
    return PoolUser(entry.pw_name, (uid, os.getegid()))


def _substitute_user() -> pwd.struct_passwd:
    """Return the user that root's pool appears as: daemon if possible, never nobody (unmapped users)."""
    users = [entry for entry in pwd.getpwall() if entry.pw_uid not in (0, 65534)]
    if not users:
        raise PoolUnavailableError("/etc/passwd has only root, and HTCondor runs no job as root; add a user")
    return next((entry for entry in users if entry.pw_name == "daemon"), users[0])


def _namespace(entry: pwd.struct_passwd) -> PoolUser:
    maps = (f"--map-user={entry.pw_uid}", f"--map-group={entry.pw_gid}")
    return PoolUser(entry.pw_name, (0, 0), ("unshare", "-U", *maps, "--"))


def _capabilities(entry: pwd.struct_passwd) -> PoolUser:
    ids = (f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups")
    # Without the securebit, access(2) ignores the kept capabilities, and HTCondor calls it before it opens a file.
    capabilities = (f"--inh-caps=-all,{_KEPT}", f"--ambient-caps=-all,{_KEPT}", "--securebits=+no_setuid_fixup")
    return PoolUser(
        entry.pw_name, (entry.pw_uid, entry.pw_gid), ("setpriv", *ids, *capabilities, "--"), may_nest=False
    )


def _works(user: PoolUser) -> bool:
    try:
        return subprocess.run([*user.enter, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
