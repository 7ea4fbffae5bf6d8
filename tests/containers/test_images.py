"""The two image recipes, read as text: same base image, libraries and compiler, none of the project's code."""

import re
from pathlib import Path

import pytest

RECIPES = ("Dockerfile", "alignsec.def")


@pytest.fixture(params=RECIPES)
def recipe(request: pytest.FixtureRequest, checkout: Path) -> str:
    return (checkout / "containers" / request.param).read_text()


def test_recipe_installs_only_the_pinned_requirements(recipe: str) -> None:
    installed = re.findall(r"pip install ([^\n&\\]*)", recipe)
    assert {line.split()[-1] for line in installed} == {"/opt/uv.txt", "/opt/requirements.txt"}
    assert all("--require-hashes" in line for line in installed)


def test_recipe_installs_a_compiler_and_no_other_debian_package(recipe: str) -> None:
    assert re.findall(r"apt-get install (.*?)(?: \\)?$", recipe, re.M) == ["--yes --no-install-recommends g++"]


def test_recipe_copies_none_of_the_project_s_code(recipe: str) -> None:
    copied = re.findall(r"^(?:(?:COPY|ADD)|   )\s+(\S+\.\S+) /opt", recipe, re.M)
    assert copied == ["requirements/uv.txt", "requirements/image.txt"]


def test_recipes_have_the_same_base_image(checkout: Path) -> None:
    bases = {
        re.search(r"^(?:FROM --platform=\S+|From:)\s+(\S+)", (checkout / "containers" / name).read_text(), re.M)[1]
        for name in RECIPES
    }
    assert len(bases) == 1
    assert all(re.fullmatch(r"docker.io/library/python@sha256:[0-9a-f]{64}", base) for base in bases)


def test_docker_image_does_not_run_as_root(checkout: Path) -> None:
    users = re.findall(r"^USER\s+(\S+)", (checkout / "containers" / "Dockerfile").read_text(), re.M)
    assert users
    assert users[-1] not in ("root", "0")


@pytest.mark.parametrize("name", ["access-point", "staging", "image", "brainscore", "all", "uv"])
def test_requirements_are_exact_have_hashes_and_name_no_index(checkout: Path, name: str) -> None:
    text = (checkout / "requirements" / f"{name}.txt").read_text()
    entries = text.replace("\\\n", "").splitlines()
    pinned = re.compile(r"[A-Za-z0-9_.-]+==[^ ]+( ; [^\\]*?)?(\s+--hash=sha256:[0-9a-f]{64})+")
    assert entries
    assert not [entry for entry in entries if not pinned.fullmatch(entry.strip())]
    assert "://" not in text


def test_uv_is_pinned_once(checkout: Path) -> None:
    version = re.search(r"^UV_VERSION = (\S+)", (checkout / "Makefile").read_text(), re.M)
    assert version
    assert (checkout / "requirements" / "uv.txt").read_text().startswith(f"uv=={version[1]} ")


def test_access_point_requirements_have_no_heavy_library(checkout: Path) -> None:
    light = (checkout / "requirements" / "access-point.txt").read_text()
    assert not re.search(r"^(torch|timm|pandas|matplotlib|numpy|scipy)==", light, re.M)
