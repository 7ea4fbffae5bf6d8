"""docs/guides: every command, target and setting that a guide names exists."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from submit.site import Site
from tests.paths import CHECKOUT

GUIDES = sorted((CHECKOUT / "docs/guides").glob("*.md"))
MAKEFILE = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.M))
MAKE_VARIABLES = set(re.findall(r"\$\((?:if |and )?\$?\(?([A-Z_]+)\)", MAKEFILE))
ENVIRONMENT = {"ALIGNSEC_TEST_SUITE"}
CONDOR_COMMANDS = {
    "condor_q",
    "condor_release",
    "condor_submit",
    "condor_tail",
    "condor_ssh_to_job",
    "condor_hold",
}
"""HTCondor's commands that a guide may name. A word in this set is not a file or a setting."""
NOT_SETTINGS = {"SYSTEM_PERIODIC_HOLD"}


@pytest.fixture(params=GUIDES, ids=lambda path: path.name)
def text(request: pytest.FixtureRequest) -> str:
    path: Path = request.param
    return path.read_text(encoding="utf-8")


def test_there_is_a_guide_for_each_purpose() -> None:
    assert {path.stem for path in GUIDES} == {"any-pool", "chtc", "data", "held", "ospool"}


def test_targets_of_make_exist(text: str) -> None:
    named = re.findall(r"(?:`|^)make +(?:[A-Z_]+=\S+ )*([a-z-]+)", text, re.M)
    assert set(named) <= TARGETS


def test_settings_exist(text: str) -> None:
    """A word of capitals and underscores, or before an equals sign, is a key of .env or a variable of make."""
    code = "\n".join(re.findall(r"`([^`]+)`", text))
    words = set(re.findall(r"\b([A-Z][A-Z_]{2,})(?==)|\b([A-Z]+_[A-Z_]+)\b", code))
    named = {first or second for first, second in words}
    assert named <= {key.upper() for key in Site.model_fields} | MAKE_VARIABLES | ENVIRONMENT | NOT_SETTINGS


def test_modules_and_files_exist(text: str) -> None:
    for module in re.findall(r"python -m ([\w.]+)", text):
        assert module == "pytest" or find_spec(module)
    for path in re.findall(r"\b(?:studies|docs|tests)/[\w/.-]+\.(?:toml|md|py)\b", text):
        assert (CHECKOUT / path).exists() or path == "studies/x.toml", path
    for link in re.findall(r"\]\(([^):]+)\)", text):
        assert (CHECKOUT / "docs/guides" / link).exists(), link


def test_commands_of_htcondor_are_known(text: str) -> None:
    assert set(re.findall(r"\bcondor_[a-z_]+", text)) <= CONDOR_COMMANDS


def test_options_of_the_submission_exist(text: str) -> None:
    source = (CHECKOUT / "submit/__main__.py").read_text(encoding="utf-8")
    for option in re.findall(r"-m submit (--[a-z-]+)", text):
        assert f'"{option}"' in source


def test_the_readme_links_every_guide() -> None:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in GUIDES if f"docs/guides/{path.name}" not in readme] == []
