"""The condor_config of a private pool."""

from pathlib import Path

from submit.pool.pool import PoolOptions
from submit.pool.user import PoolUser

HEADER = "# Written by alignsec when the pool starts. To add lines, use `python -m submit.pool up --extra FILE`."
FOLDERS = ("log", "spool", "execute", "lock", "run", "home", "bin")


def condor_config(folder: Path, prefix: Path, libexec: Path, user: PoolUser, options: PoolOptions) -> str:
    """Return the complete configuration. HTCondor then reads none of the machine's own configuration.

    Args:
        folder: The pool's folder, absolute. It contains FOLDERS.
        prefix: The prefix of HTCondor, which contains bin/ and sbin/.
        libexec: The folder of HTCondor's helper programs.
        user: The user that the pool runs as.
        options: Size, GPUs and additional lines.

    Raises:
        ValueError: A path cannot be written in a configuration file.
    """
    for path in (folder, prefix, libexec):
        if any(letter in str(path) for letter in '$"\n'):
            raise ValueError(
                f'{path}: must not contain $, " or a line break, which HTCondor cannot read; choose another folder'
            )
    ids = f"{user.owner[0]}.{user.owner[1]}"
    parts = [HEADER, _paths(folder, prefix, libexec, ids), _security(user.name), _size(options), _TIMING]
    return "\n".join([*parts, options.extra.rstrip("\n")]).rstrip("\n") + "\n"


def _paths(folder: Path, prefix: Path, libexec: Path, ids: str) -> str:
    return f"""\
RELEASE_DIR = {prefix}
LIBEXEC = {libexec}
LOCAL_DIR = {folder}
RUN = $(LOCAL_DIR)/run
LOCAL_CONFIG_FILE =
LOCAL_CONFIG_DIR =
use ROLE: CentralManager, Submit, Execute
# The user that a tool started by root changes to. The daemons are not root and do not use it.
CONDOR_IDS = {ids}
"""


def _security(user: str) -> str:
    writers = "\n".join(
        f"ALLOW_{level} = {user}@*/127.0.0.1" for level in ("WRITE", "DAEMON", "NEGOTIATOR", "ADMINISTRATOR")
    )
    return f"""\
# Loopback only. Port 0 takes any free port, and tools read the address files, so several pools can run at once.
NETWORK_INTERFACE = 127.0.0.1
BIND_ALL_INTERFACES = False
ENABLE_IPV6 = False
CONDOR_HOST = 127.0.0.1
COLLECTOR_HOST = 127.0.0.1:0
UID_DOMAIN = localhost
FILESYSTEM_DOMAIN = localhost
SEC_DEFAULT_AUTHENTICATION = REQUIRED
SEC_DEFAULT_AUTHENTICATION_METHODS = FS
# Clients from 24.12 on (PyPI's bindings) request a channel binding that 23.9 daemons do not support.
SEC_FS_ENFORCE_CHANNEL_BINDING = False
ALLOW_READ = 127.0.0.1
{writers}
# Otherwise a master that appears to be root would change the host's sysctls.
ENABLE_KERNEL_TUNING = False
"""


def _size(options: PoolOptions) -> str:
    lines = ["# A benchmark would keep the machine busy for the first minute.", "RUNBENCHMARKS = 0"]
    if options.cpus is not None:
        lines.append(f"NUM_CPUS = {options.cpus}")
    if options.memory_mb is not None:
        lines.append(f"MEMORY = {options.memory_mb}")
    if options.gpus is not None:
        lines += ["use FEATURE: GPUs", f"GPU_DISCOVERY_EXTRA = -extra -simulate:{options.gpus}"]
    return "\n".join(lines) + "\n"


_TIMING = """\
# The defaults suit pools with thousands of machines. With them, a DAG of 8 short nodes took 48 s here.
# DAGMan reads its log every second (default 5 s). With 0 it hangs.
DAGMAN_USER_LOG_SCAN_INTERVAL = 1
# The negotiator matches every second (defaults: 20 s between cycles, at least 5 s, 60 s without requests).
NEGOTIATOR_CYCLE_DELAY = 1
NEGOTIATOR_MIN_INTERVAL = 1
NEGOTIATOR_INTERVAL = 1
SCHEDD_MIN_INTERVAL = 1
SCHEDD_INTERVAL = 2
# A daemon that ended is restarted at once.
MASTER_BACKOFF_CONSTANT = 1
# Slots and running jobs report every 2 s (defaults 5 to 15 min).
UPDATE_INTERVAL = 2
STARTER_UPDATE_INTERVAL = 2
SHADOW_QUEUE_UPDATE_INTERVAL = 2
# periodic_hold, periodic_release, periodic_remove and allowed_execute_duration are evaluated every 5 s.
PERIODIC_EXPR_INTERVAL = 5
# Time in seconds that an evicted job has to write its checkpoint (default 10 min).
MachineMaxVacateTime = 5
# Otherwise DAGMan refuses a DAG under /tmp, where the tests are.
DAGMAN_USE_STRICT = 0
# After a killed startd, a job waits this long before it runs again (default 2400 s, minimum 20 s).
JOB_DEFAULT_LEASE_DURATION = 20
"""
