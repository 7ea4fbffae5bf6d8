"""Debian's apptainer, relocated and without root, so that a private pool runs container-universe jobs."""

import re
from pathlib import Path

from submit.pool.packages import Bundle


def _configure(staged: Path, final: Path) -> None:
    """Move configuration and state below usr/ and usr/lib/, where the relocated apptainer and its starter look."""
    usr = staged / "usr"
    for name in ("etc", "var"):
        (staged / name).rename(usr / name)
        (usr / "lib" / name).symlink_to(Path("..") / name)
    configuration = usr / "etc/apptainer/apptainer.conf"
    # Use mksquashfs and unsquashfs of the tree, because the host may not have them.
    own_programs = f"binary path = {final}/usr/bin:$PATH:"
    configuration.write_text(re.sub(r"(?m)^# binary path = .*$", own_programs, configuration.read_text()))


# Only Debian sid has apptainer.
BUNDLE = Bundle(
    name="apptainer-sid",
    suite="sid",
    packages=(
        *("apptainer", "libc6", "libseccomp2", "libsqlite3-0", "squashfs-tools", "liblzo2-2", "liblz4-1"),
        *("liblzma5", "zlib1g", "libzstd1", "libstdc++6", "libgcc-s1"),
    ),
    programs=("bin/apptainer", "bin/*squashfs", "lib/*/apptainer/bin/starter"),
    proof=("bin/apptainer", "--version"),
    configure=_configure,
)


def condor_config(prefix: Path) -> str:
    """Return the lines of condor_config that enable the container universe.

    Args:
        prefix: The prefix of apptainer, which contains bin/.
    """
    return f"""\
SINGULARITY = {prefix}/bin/apptainer
# An image may not have the path of the host's scratch folder, but every image has /srv.
SINGULARITY_TARGET_DIR = /srv
# The test would run HTCondor's own program inside the image, with the host's libraries.
SINGULARITY_RUN_TEST_BEFORE_JOB = False
# Without root a .sif cannot be mounted, so it is unpacked first.
SINGULARITY_EXTRA_ARGUMENTS = --unsquash
# The disabled test would set this attribute.
HasSIF = True
STARTD_ATTRS = $(STARTD_ATTRS) HasSIF
"""
