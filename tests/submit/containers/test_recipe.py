"""The recipe of the image: one source for Docker and Apptainer, pinned, and current in containers/."""

import re
import tomllib
from pathlib import Path

import pytest

from alignsec import digest
from alignsec.catalogue import cuda_archs
from submit.containers.recipe import VARIANTS, Variant, cpu_requirements, read_recipe


@pytest.mark.parametrize("variant", VARIANTS)
def test_both_files_have_the_same_steps(variant: Variant, checkout: Path) -> None:
    recipe = read_recipe(checkout, variant)
    docker = re.search(r"^RUN (.*?)\nLABEL", recipe.dockerfile(), re.M | re.S)
    apptainer = re.search(r"%post\n    set -e\n(.*?)\n\n", recipe.apptainer(), re.S)
    assert docker
    assert apptainer
    assert docker[1].replace(" \\\n", "").split(" && ") == [line.strip() for line in apptainer[1].splitlines()]


def test_the_files_in_containers_are_current(checkout: Path) -> None:
    """To update them, run: python -m submit.containers --write."""
    recipe = read_recipe(checkout)
    assert (checkout / "containers/Dockerfile").read_text() == recipe.dockerfile()
    assert (checkout / "containers/alignsec.def").read_text() == recipe.apptainer()


def test_the_labels_say_what_is_inside(checkout: Path) -> None:
    labels = read_recipe(checkout).labels
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    pinned = b"".join((checkout / f"requirements/{name}.txt").read_bytes() for name in ("image", "uv"))
    assert labels["org.opencontainers.image.version"] == project["version"]
    assert labels["alignsec.requirements.sha256"] == digest.sha256_of_bytes(pinned)
    assert labels["alignsec.cuda"] == cuda_archs.RUNTIME
    assert labels["alignsec.architectures"].split() == list(cuda_archs.ARCHITECTURES)


def test_a_changed_recipe_has_another_name(checkout: Path) -> None:
    """Caches keep the image of an old name."""
    names = {read_recipe(checkout, variant).name for variant in VARIANTS}
    assert len(names) == len(VARIANTS)


def test_the_image_for_cpus_has_no_cuda_and_the_pinned_torch(checkout: Path) -> None:
    recipe, requirements = read_recipe(checkout, "cpu"), cpu_requirements(checkout)
    assert not re.search(r"^(nvidia|cuda|triton|torch)", requirements, re.M)
    assert re.search(r"^numpy==", requirements, re.M)
    assert [text.partition("==")[0] for text in recipe.torch] == ["torch", "torchvision"]
    assert all(pinned in (checkout / "requirements/image.txt").read_text() for pinned in recipe.torch)
    assert recipe.labels["alignsec.cuda"] == ""


def test_the_temporary_folder_is_open_before_apt_runs(checkout: Path) -> None:
    """Without it, a build at CHTC fails in apt-get update."""
    steps = read_recipe(checkout).steps
    assert steps.index("chmod 1777 /tmp") < steps.index("apt-get update")


def test_docker_builds_for_the_pool_s_machines_and_gets_the_requirements_only(checkout: Path) -> None:
    assert "FROM --platform=linux/amd64 " in read_recipe(checkout).dockerfile()
    lines = (checkout / ".dockerignore").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["*", "!requirements"]
