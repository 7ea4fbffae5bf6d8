"""Recipe of the container image: one list of steps, written as a Dockerfile and as an Apptainer definition.

The image has Python and the pinned libraries, and none of the project's code, which is part of each run. CUDA's
runtime libraries are dependencies of the pinned torch; the driver is that of the execute node.

Reference: Dockerfile reference, https://docs.docker.com; Apptainer user guide, "Definition Files".
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from alignsec import digest
from alignsec.catalogue import cuda_archs

BASE_TAG = "python:3.11.16-slim-bookworm"
BASE = "docker.io/library/python@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b"
"""The base image by digest, because a tag can change. It is the digest of all platforms of BASE_TAG. It was not
compared with a registry when this file was written."""
PLATFORM = "linux/amd64"
IMPORTS = "import torch, timm, pyautoattack, pandas, matplotlib, imagecorruptions"
OPEN_TMP = "chmod 1777 /tmp"
"""apt needs a /tmp that every user can write, which it is not in a build job at CHTC; their guide has chmod 777.
Apptainer binds the machine's own /tmp, which keeps its sticky bit in this way."""
Variant = Literal["image", "brainscore", "cpu"]
VARIANTS: dict[Variant, str] = {
    "image": "the jobs' libraries with CUDA",
    "brainscore": "the same, with Brain-Score's models",
    "cpu": "the jobs' libraries with torch for CPUs, to test a pool without GPUs",
}
_CUDA_LIBRARIES = r"(nvidia|cuda)-[a-z0-9-]+|triton|torch|torchvision"
_WARNING = "Generated from submit/containers/recipe.py by `python -m submit.containers --write`; do not edit."


@dataclass(frozen=True)
class Recipe:
    """What an image contains.

    Attributes:
        requirements: The pinned requirements, with hashes: a path relative to the checkout.
        requirements_sha256: Digest of that file and of requirements/uv.txt.
        version: The package's version.
        variant: Which libraries the image has.
        torch: The pinned requirements of torch, for the variant cpu.
        bootstrap, base: Source of the base image; others than the default are for tests.
        debian: Debian packages to install. `compile = true` needs a C++ compiler in the job: for torch.compile on
            a CPU, and for Triton's launchers on a GPU. It takes 250 MB, a twentieth of torch and CUDA.
        imports: Statement that must succeed in the finished image.
    """

    requirements: str
    requirements_sha256: str
    version: str
    variant: Variant = "image"
    torch: tuple[str, ...] = ()
    bootstrap: str = "docker"
    base: str = BASE
    debian: tuple[str, ...] = ("g++",)
    imports: str = IMPORTS
    steps: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self._make_steps()))

    def _make_steps(self) -> list[str]:
        packages = " ".join(self.debian)
        steps = [OPEN_TMP]
        if packages:
            steps.append("apt-get update")
            steps.append(f"apt-get install --yes --no-install-recommends {packages}")
            steps.append("rm -rf /var/lib/apt/lists/*")
        install = "uv pip install --system --no-cache --no-deps"
        steps.append("pip install --no-cache-dir --no-compile --require-hashes -r /opt/uv.txt")
        if self.variant == "cpu":
            # PyTorch's builds for CPUs have other hashes, in an index of their own: only the versions are pinned.
            steps.append(f"{install} --torch-backend cpu {' '.join(self.torch)}")
        steps.append(f"{install} --require-hashes -r /opt/requirements.txt")
        steps.append("pip uninstall --yes uv")
        steps.append("rm /opt/uv.txt /opt/requirements.txt")
        # If a library cannot be imported, the build fails instead of the jobs.
        steps.append(f'python3 -c "{self.imports}"')
        return steps

    @property
    def labels(self) -> dict[str, str]:
        """The image's labels."""
        return {
            "org.opencontainers.image.title": "alignsec",
            "org.opencontainers.image.description": f"Dependencies of alignsec's jobs: {VARIANTS[self.variant]}",
            "org.opencontainers.image.version": self.version,
            "org.opencontainers.image.base.name": BASE_TAG,
            "alignsec.requirements.sha256": self.requirements_sha256,
            "alignsec.cuda": "" if self.variant == "cpu" else cuda_archs.RUNTIME,
            "alignsec.architectures": "" if self.variant == "cpu" else " ".join(cuda_archs.ARCHITECTURES),
        }

    @property
    def name(self) -> str:
        """The image's name. Its digest changes with every change, because caches keep the image of an old name."""
        kind = "" if self.variant == "image" else f"-{self.variant}"
        return f"alignsec{kind}-{digest.sha256_of_bytes(self.apptainer().encode())[:8]}"

    def dockerfile(self) -> str:
        """Return the Dockerfile, for Docker, Podman and Buildah."""
        labels = " \\\n    ".join(f'{name}="{value}"' for name, value in self.labels.items())
        return f"""\
# {_WARNING}
# {BASE_TAG}
FROM --platform={PLATFORM} {self.base}
COPY requirements/uv.txt /opt/uv.txt
COPY {self.requirements} /opt/requirements.txt
RUN {" && ".join(self.steps)}
LABEL {labels}
# HTCondor chooses the user of a job. Nothing in the image needs root.
RUN useradd --create-home --uid 1000 alignsec
USER alignsec
WORKDIR /home/alignsec
""".replace(" && ", " \\\n && ")

    def apptainer(self) -> str:
        """Return the Apptainer definition, for pools without Docker."""
        steps = "\n".join(f"    {step}" for step in self.steps)
        labels = "\n".join(f"    {name} {value}".rstrip() for name, value in self.labels.items() if value)
        return f"""\
# {_WARNING}
Bootstrap: {self.bootstrap}
# {BASE_TAG}. Apptainer accepts either a tag or a digest.
From: {self.base}

%files
    requirements/uv.txt /opt/uv.txt
    {self.requirements} /opt/requirements.txt

%post
    set -e
{steps}

%labels
{labels}
"""


def read_recipe(checkout: Path, variant: Variant = "image") -> Recipe:
    """Return the recipe of a variant, from the requirements of a checkout.

    Args:
        checkout: The folder of the project.
        variant: Which libraries the image has.
    """
    requirements = f"requirements/{variant}.txt"
    data = b"".join((checkout / name).read_bytes() for name in (_pinned(variant), "requirements/uv.txt"))
    found = re.search(r'^version = "(.+)"', (checkout / "pyproject.toml").read_text(encoding="utf-8"), re.M)
    version = found[1] if found else ""
    text = (checkout / _pinned(variant)).read_text(encoding="utf-8")
    torch = tuple(re.findall(r"^(torch(?:vision)?==[^ ;\\]+)", text, re.M)) if variant == "cpu" else ()
    return Recipe(requirements, digest.sha256_of_bytes(data), version, variant, torch)


def cpu_requirements(checkout: Path) -> str:
    """Return the jobs' pinned requirements without torch and CUDA's libraries, as a requirements file."""
    text = (checkout / _pinned("cpu")).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text)
    return "\n".join(entry for entry in entries if not re.match(rf"({_CUDA_LIBRARIES})==", entry)) + "\n"


def _pinned(variant: Variant) -> str:
    return f"requirements/{'image' if variant == 'cpu' else variant}.txt"
