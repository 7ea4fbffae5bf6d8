"""Build of the container image with the machine's container tool, or a build job for a pool."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from alignsec import atomic
from submit.containers.recipe import PLATFORM, Recipe, cpu_requirements

TOOLS = ("apptainer", "docker", "podman", "buildah")
"""Programs that can build the image, in the order of preference. A .sif file needs no registry."""
BUILD_MEMORY, BUILD_DISK = "16GB", "30GB"
"""Resource requests of a build. CHTC's guide for building images requests 16 GB of memory."""


@dataclass(frozen=True)
class BuildFolder:
    """A folder with everything that a build reads: recipes and requirements."""

    path: Path
    recipe: Recipe

    @property
    def build_job(self) -> Path:
        """Submit description of the build job."""
        return self.path / "build.sub"

    @property
    def image_file(self) -> str:
        """Name of Apptainer's image file."""
        return f"{self.recipe.name}.sif"

    def write(self, checkout: Path) -> None:
        """Write the folder."""
        requirements = self.path / "requirements"
        requirements.mkdir(parents=True, exist_ok=True)
        own = Path(self.recipe.requirements)
        pinned = checkout / own
        text = pinned.read_text(encoding="utf-8") if pinned.exists() else cpu_requirements(checkout)
        files = {
            requirements / own.name: text,
            requirements / "uv.txt": (checkout / "requirements/uv.txt").read_text(encoding="utf-8"),
            self.path / "Dockerfile": self.recipe.dockerfile(),
            self.path / "alignsec.def": self.recipe.apptainer(),
            self.path / "build.sh": self._build_script(),
            self.build_job: self._build_job(),
        }
        for path, content in files.items():
            atomic.write_atomic(path, content.encode())

    def command(self, tool: str) -> list[str]:
        """Return the command that builds the image with a tool, run in this folder."""
        if tool == "apptainer":
            return [tool, "build", self.image_file, "alignsec.def"]
        action = "bud" if tool == "buildah" else "build"
        return [tool, action, "--platform", PLATFORM, "--file", "Dockerfile", "--tag", self.recipe.name, "."]

    def _build_script(self) -> str:
        return f"""\
#!/bin/sh
# Build the image in a build job, and copy it to the folder that is given, such as /staging/b/bucky.
set -eu
mkdir -p tmp
APPTAINER_TMPDIR=$PWD/tmp APPTAINER_CACHEDIR=$PWD/tmp apptainer build {self.image_file} alignsec.def
apptainer exec {self.image_file} python3 -c '{self.recipe.imports}'
cp {self.image_file} "${{1:?the folder for the image, such as /staging/b/bucky}}"
rm {self.image_file}
"""

    def _build_job(self) -> str:
        return f"""\
# An interactive build job: condor_submit -i build.sub
universe = vanilla
log = build.log
should_transfer_files = YES
transfer_input_files = alignsec.def, build.sh, requirements
+IsBuildJob = True
request_cpus = 4
request_memory = {BUILD_MEMORY}
request_disk = {BUILD_DISK}
queue
"""


def find_tool(path: str) -> str | None:
    """Return the first of TOOLS that is on a PATH, or None."""
    return next((tool for tool in TOOLS if shutil.which(tool, path=path)), None)


def is_access_point(path: str) -> bool:
    """Return whether HTCondor's condor_submit is on a PATH: computing on an access point is not allowed."""
    return shutil.which("condor_submit", path=path) is not None
