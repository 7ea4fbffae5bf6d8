"""Who a private pool's daemons and jobs run as: HTCondor runs no job as root.

An ordinary user's pool is simply that user's. Root's pool has two ways, both without adding a user:

- namespace: a user namespace in which root appears under another name. Every file keeps its owner, so jobs read
  a Python under a 0700 home and write into root's checkout. Python bindings in an ordinary root process submit
  too: the schedd sees root under that name.
- capabilities: another user who keeps the two capabilities that overlook file permissions. For containers that
  refuse user namespaces. Files the jobs write belong to that user. Python bindings in a root process can query,
  but submit only when started through Pool.run.

Root's shell reaches the tools through doors that enter either way. CONDOR_IDS is the owner, because a tool that
root starts past the doors changes to that user first: in a namespace any other would be reported as nobody.
"""

import os
import pwd
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from submit.pool.pool import REMEDY, PoolUnavailable, RootAs

_KEPT = "+dac_override,+fowner"


@dataclass(frozen=True)
class Identity:
    """The user of a private pool.

    Attributes:
        user: the name the pool's daemons see themselves under.
        owner: user and group id on this machine of the files the pool writes.
        enter: command line that turns a command into one of this user's; empty for an ordinary user.
        may_nest: whether its jobs may make user namespaces, as apptainer does.
    """

    user: str
    owner: tuple[int, int]
    enter: tuple[str, ...] = ()
    may_nest: bool = True


def choose(root_as: RootAs = "auto") -> Identity:
    """The identity for a pool started by this process.

    Raises:
        PoolUnavailable: this user has no name, or root can become nobody else here.
    """
    if os.geteuid() != 0:
        return _ordinary(os.geteuid())
    for way in (_namespace, _capabilities):
        if root_as not in ("auto", way.__name__.removeprefix("_")):
            continue
        identity = way(_stand_in())
        if _works(identity):
            return identity
    raise PoolUnavailable(
        "HTCondor runs no job as root, and neither `unshare -U` nor `setpriv --ambient-caps` "
        "(package util-linux) works here; run as an ordinary user, or " + REMEDY
    )


def doors(identity: Identity, prefix: Path) -> dict[str, str]:
    """Shell scripts, by name, that stand for HTCondor's tools in root's PATH and become the pool's user first.

    Args:
        identity: who the pool runs as; an ordinary user needs no doors.
        prefix: the tools are in its bin/.
    """
    tools = sorted((prefix / "bin").glob("condor_*")) if identity.enter else []
    enter = shlex.join(identity.enter)
    return {
        tool.name: (
            "#!/bin/sh\n# One tool may start another: become the user once.\n"
            f'[ "$(id -u)" = 0 ] || exec {shlex.quote(str(tool))} "$@"\n'
            f'exec {enter} {shlex.quote(str(tool))} "$@"\n'
        )
        for tool in tools
    }


def of_process(pid: int) -> Identity:
    """The identity of a running pool, from the owner of its master: a namespace keeps root's id.

    Raises:
        PoolUnavailable: this user has no name.
        FileNotFoundError: no such process.
    """
    if os.geteuid() != 0:
        return _ordinary(os.geteuid())
    owner = Path(f"/proc/{pid}").stat().st_uid
    return _namespace(_stand_in()) if owner == 0 else _capabilities(pwd.getpwuid(owner))


def _ordinary(uid: int) -> Identity:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise PoolUnavailable(
            f"user id {uid} has no name in /etc/passwd and HTCondor needs one; run as a named user"
        ) from None
    return Identity(entry.pw_name, (uid, os.getegid()))


def _stand_in() -> pwd.struct_passwd:
    """The user root's pool appears as: daemon where there is one, never nobody (the id of what is unmapped)."""
    users = [entry for entry in pwd.getpwall() if entry.pw_uid not in (0, 65534)]
    if not users:
        raise PoolUnavailable("/etc/passwd has only root, and HTCondor runs no job as root; add a user")
    return next((entry for entry in users if entry.pw_name == "daemon"), users[0])


def _namespace(entry: pwd.struct_passwd) -> Identity:
    maps = (f"--map-user={entry.pw_uid}", f"--map-group={entry.pw_gid}")
    return Identity(entry.pw_name, (0, 0), ("unshare", "-U", *maps, "--"))


def _capabilities(entry: pwd.struct_passwd) -> Identity:
    ids = (f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups")
    # Without the securebit, access(2) ignores what is kept, and HTCondor asks it before it opens a file.
    kept = (f"--inh-caps=-all,{_KEPT}", f"--ambient-caps=-all,{_KEPT}", "--securebits=+no_setuid_fixup")
    return Identity(entry.pw_name, (entry.pw_uid, entry.pw_gid), ("setpriv", *ids, *kept, "--"), may_nest=False)


def _works(identity: Identity) -> bool:
    try:
        return subprocess.run([*identity.enter, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
