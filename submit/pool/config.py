"""The condor_config of a private pool, as text from data."""

from pathlib import Path

from submit.pool.identity import Identity
from submit.pool.pool import PoolOptions

HEADER = (
    "# A private pool of alignsec, written when it starts; `python -m submit.pool up --extra FILE` adds lines."
)
FOLDERS = ("log", "spool", "execute", "lock", "run", "home", "bin")


def condor_config(folder: Path, prefix: Path, libexec: Path, identity: Identity, options: PoolOptions) -> str:
    """The whole configuration: nothing is read from the machine's own.

    Args:
        folder: the pool's folder, absolute; it has FOLDERS.
        prefix: has bin/ and sbin/ of HTCondor.
        libexec: has HTCondor's helper programs.
        identity: who the pool runs as.
        options: size, GPUs and extra lines.

    Raises:
        ValueError: a path that cannot be written in a configuration file.
    """
    for path in (folder, prefix, libexec):
        if any(letter in str(path) for letter in '$"\n'):
            raise ValueError(f'{path}: HTCondor cannot be told of a path with $, " or a line end; move it')
    ids = f"{identity.owner[0]}.{identity.owner[1]}"
    parts = [HEADER, _places(folder, prefix, libexec, ids), _safety(identity.user), _size(options), _PACE]
    return "\n".join([*parts, options.extra.rstrip("\n")]).rstrip("\n") + "\n"


def _places(folder: Path, prefix: Path, libexec: Path, ids: str) -> str:
    return f"""\
RELEASE_DIR = {prefix}
LIBEXEC = {libexec}
LOCAL_DIR = {folder}
RUN = $(LOCAL_DIR)/run
LOCAL_CONFIG_FILE =
LOCAL_CONFIG_DIR =
use ROLE: CentralManager, Submit, Execute
# Whom a tool started by root changes to; the daemons, not being root, do not use it.
CONDOR_IDS = {ids}
"""


def _safety(user: str) -> str:
    writers = "\n".join(
        f"ALLOW_{level} = {user}@*" for level in ("WRITE", "DAEMON", "NEGOTIATOR", "ADMINISTRATOR")
    )
    return f"""\
# Loopback only. Port 0 is any free port, and tools read the address files, so pools stand side by side.
NETWORK_INTERFACE = 127.0.0.1
BIND_ALL_INTERFACES = False
ENABLE_IPV6 = False
CONDOR_HOST = 127.0.0.1
COLLECTOR_HOST = 127.0.0.1:0
UID_DOMAIN = localhost
FILESYSTEM_DOMAIN = localhost
SEC_DEFAULT_AUTHENTICATION = REQUIRED
SEC_DEFAULT_AUTHENTICATION_METHODS = FS
# Clients from 24.12 on (PyPI's bindings) ask for a channel binding that 23.9 daemons do not know.
SEC_FS_ENFORCE_CHANNEL_BINDING = False
ALLOW_READ = *
{writers}
# A master that looks like root would otherwise rewrite the host's sysctls.
ENABLE_KERNEL_TUNING = False
"""


def _size(options: PoolOptions) -> str:
    lines = ["# Measuring the machine's speed would keep it busy for its first minute.", "RUNBENCHMARKS = 0"]
    if options.cpus is not None:
        lines.append(f"NUM_CPUS = {options.cpus}")
    if options.memory_mb is not None:
        lines.append(f"MEMORY = {options.memory_mb}")
    if options.gpus is not None:
        lines += ["use FEATURE: GPUs", f"GPU_DISCOVERY_EXTRA = -extra -simulate:{options.gpus}"]
    return "\n".join(lines) + "\n"


_PACE = """\
# The defaults suit pools of thousands; here a DAG of 8 short nodes took 48 s with them.
# DAGMan reads its log every second (default 5); 0 makes it hang.
DAGMAN_USER_LOG_SCAN_INTERVAL = 1
# Matches are made every second (defaults 20 s between cycles, 5 s at least, 60 s when nothing asks).
NEGOTIATOR_CYCLE_DELAY = 1
NEGOTIATOR_MIN_INTERVAL = 1
NEGOTIATOR_INTERVAL = 1
SCHEDD_MIN_INTERVAL = 1
SCHEDD_INTERVAL = 2
# A daemon that died is started again at once.
MASTER_BACKOFF_CONSTANT = 1
# Slots and running jobs report every other second (defaults 5 to 15 min).
UPDATE_INTERVAL = 2
STARTER_UPDATE_INTERVAL = 2
SHADOW_QUEUE_UPDATE_INTERVAL = 2
# periodic_hold, periodic_release, periodic_remove and allowed_execute_duration act within seconds.
PERIODIC_EXPR_INTERVAL = 5
# An evicted job has so long to write its checkpoint (default 10 min).
MachineMaxVacateTime = 5
# DAGMan refuses a DAG under /tmp otherwise, and tests live there.
DAGMAN_USE_STRICT = 0
# After a killed startd a job waits this long before it runs again (default 2400 s, least allowed 20 s).
JOB_DEFAULT_LEASE_DURATION = 20
"""
