"""Rootless apptainer from Debian, relocated, so that the private pool runs container-universe jobs."""

import re
from pathlib import Path

from submit.pool.packages import Bundle


def _settle(staged: Path, final: Path) -> None:
    """Put configuration and state where the relocated apptainer and its starter look: under usr/ and usr/lib/."""
    usr = staged / "usr"
    for name in ("etc", "var"):
        (staged / name).rename(usr / name)
        (usr / "lib" / name).symlink_to(Path("..") / name)
    configuration = usr / "etc/apptainer/apptainer.conf"
    # mksquashfs and unsquashfs came along; the host's own may be missing
    own_programs = f"binary path = {final}/usr/bin:$PATH:"
    configuration.write_text(re.sub(r"(?m)^# binary path = .*$", own_programs, configuration.read_text()))


# Debian has apptainer in sid only.
BUNDLE = Bundle(
    name="apptainer-sid",
    suite="sid",
    packages=(
        *("apptainer", "libc6", "libseccomp2", "libsqlite3-0", "squashfs-tools", "liblzo2-2", "liblz4-1"),
        *("liblzma5", "zlib1g", "libzstd1", "libstdc++6", "libgcc-s1"),
    ),
    programs=("bin/apptainer", "bin/*squashfs", "lib/*/apptainer/bin/starter"),
    proof=("bin/apptainer", "--version"),
    settle=_settle,
)


def condor_config(prefix: Path) -> str:
    """Lines of condor_config that offer the container universe.

    Args:
        prefix: has bin/ of apptainer.
    """
    return f"""\
SINGULARITY = {prefix}/bin/apptainer
# An image may lack a folder named as the host's scratch folder; /srv is in every one.
SINGULARITY_TARGET_DIR = /srv
# The test runs HTCondor's own program inside the image, under the host's libraries.
SINGULARITY_RUN_TEST_BEFORE_JOB = False
# Without root a .sif cannot be mounted; it is unpacked first.
SINGULARITY_EXTRA_ARGUMENTS = --unsquash
# The startd would find this out by the test that is off.
HasSIF = True
STARTD_ATTRS = $(STARTD_ATTRS) HasSIF
"""
