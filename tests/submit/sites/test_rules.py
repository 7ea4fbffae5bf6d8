"""Rules on the settings of a site: contradictions are refused before anything is submitted, with a remedy."""

import re
from pathlib import Path

import pytest

from alignsec.errors import ConfigError, ConfigErrors
from submit.site import Site
from submit.sites import files
from submit.sites.profile import profile_names, read_profile
from submit.sites.rules import RULES
from tests.paths import CHECKOUT
from tests.submit.plans import site

CHTC = {"SITE": "chtc"}


def errors(**keys: str) -> list[ConfigError]:
    with pytest.raises(ConfigErrors) as caught:
        site(**keys)
    return list(caught.value.errors)


@pytest.mark.parametrize(
    ("keys", "field", "remedy"),
    [
        ({**CHTC, "REQUEST_GPUS": "0"}, "WANT_GPU_LAB", "set REQUEST_GPUS=1, or leave WANT_GPU_LAB empty"),
        ({**CHTC, "WANT_GPU_LAB": ""}, "WANT_GPU_LAB", "must be true, or no job with a GPU starts"),
        ({**CHTC, "WANT_GPU_LAB": "false"}, "WANT_GPU_LAB", "must be true, or no job with a GPU starts"),
        ({"CONTAINER_IMAGE": "docker:/x"}, "CONTAINER_IMAGE", "must be docker://NAME"),
        ({"CONTAINER_IMAGE": "docker:x"}, "CONTAINER_IMAGE", "must be docker://NAME"),
        ({"CONTAINER_IMAGE": "images/a"}, "CONTAINER_IMAGE", "absolute path"),
        (
            {**CHTC, "CONTAINER_IMAGE": "osdf:///chtc/staging/bucky/a.sif"},
            "CONTAINER_IMAGE",
            "staging/b/bucky/a.sif",
        ),
        ({**CHTC, "WEIGHTS_URL": "osdf:///chtc/staging/bucky/w"}, "WEIGHTS_URL", "osdf:///chtc/staging/b/bucky/w"),
        ({**CHTC, "WEIGHTS": "/staging/bucky/w"}, "WEIGHTS", "write /staging/b/bucky/w"),
        ({**CHTC, "IMAGES_URL": "osdf:///chtc/staging/x/bucky/i"}, "IMAGES_URL", "staging/b/bucky/i"),
        ({**CHTC, "IMAGES_URL": "osdf:///chtc/staging/groups/g/i"}, "IMAGES_URL", "file:///staging/groups/g/i"),
        ({**CHTC, "WEIGHTS_URL": "osdf:///chtc$ENV(STAGING)/w"}, "WEIGHTS_URL", "environment has no STAGING"),
        ({"WEIGHTS_URL": "osdf:///chtc/staging/b/bucky/w"}, "WEIGHTS_URL", "set SITE=chtc"),
        ({**CHTC, "REQUIREMENTS": "HasCHTCStagin == true"}, "REQUIREMENTS", "did you mean HasCHTCStaging"),
        ({**CHTC, "REQUIREMENTS": "TARGET.Nonsense > 1"}, "REQUIREMENTS", "refers to Nonsense"),
        (
            {**CHTC, "GPU_JOB_LENGTH": "short", "CHECKPOINT_SECONDS": "50000", "ALLOWED_EXECUTE_SECONDS": "60000"},
            "CHECKPOINT_SECONDS",
            "must be less than the 12 hours",
        ),
        ({**CHTC, "MAX_JOBS": "10001"}, "MAX_JOBS", "must be at most 10000"),
        ({"MAX_JOBS": str(10**18)}, "MAX_JOBS", "less than or equal to 1000000"),
        ({"REQUEST_CPUS": str(10**18)}, "REQUEST_CPUS", "less than or equal to 1024"),
        ({"REQUEST_GPUS": str(10**6)}, "REQUEST_GPUS", "less than or equal to 64"),
        ({"REQUEST_MEMORY_MB": str(10**18)}, "REQUEST_MEMORY_MB", "less than or equal to"),
        ({"REQUEST_DISK_MB": str(10**18)}, "REQUEST_DISK_MB", "less than or equal to"),
        ({"HELD_SECONDS": str(10**18)}, "HELD_SECONDS", "less than or equal to"),
        ({"CHECKPOINT_SECONDS": str(10**18)}, "CHECKPOINT_SECONDS", "less than or equal to"),
        ({"WANT_GPU_LAB": "true", "REQUEST_GPUS": "1"}, "WANT_GPU_LAB", "unknown at SITE=local; set SITE=chtc"),
        ({"GPUS_MINIMUM_MEMORY_MB": "8000"}, "GPUS_MINIMUM_MEMORY_MB", "set REQUEST_GPUS=1"),
        (
            {"DOCKER_UNIVERSE": "true", "CONTAINER_IMAGE": "/a.sif"},
            "DOCKER_UNIVERSE",
            "needs an image of a registry",
        ),
        ({"CONTAINER_IMAGE_MB": "5"}, "CONTAINER_IMAGE_MB", "which is empty"),
        ({"SITE": "ospool"}, "PROJECT_NAME", "requires it"),
        ({"SITE": "ospol"}, "SITE", "did you mean ospool"),
    ],
)
def test_a_contradiction_is_refused_with_its_remedy(keys: dict[str, str], field: str, remedy: str) -> None:
    found = {error.field: error for error in errors(**keys)}
    assert remedy in found[field].remedy
    assert found[field].given == f'"{keys.get(field, read_profile("chtc").settings.get(field, ""))}"'


def test_errors_of_values_and_of_rules_are_reported_together() -> None:
    found = errors(
        **CHTC, RETRIES="two", REQUEST_GPUS="0", MAX_JOBS="20000", IMAGES_URL="osdf:///chtc/staging/x/i"
    )
    assert {"RETRIES", "WANT_GPU_LAB", "GPU_JOB_LENGTH", "MAX_JOBS", "IMAGES_URL"} == {one.field for one in found}


def test_a_rule_on_an_invalid_value_is_skipped() -> None:
    """CHECKPOINT_SECONDS cannot be compared with a value that is not a number."""
    assert [one.field for one in errors(CHECKPOINT_SECONDS="x", ALLOWED_EXECUTE_SECONDS="1")] == [
        "CHECKPOINT_SECONDS"
    ]


def test_every_key_of_a_rule_is_a_setting() -> None:
    assert {key.lower() for rule in RULES for key in rule.keys} <= set(Site.model_fields)


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_is_valid_and_names_its_pages(name: str) -> None:
    profile = read_profile(name)
    required = {key: "Medium" if key == "JOB_DURATION_CATEGORY" else "Project" for key in profile.required}
    assert site(SITE=name, **required).profile is profile
    assert all(re.match("https://", page) for page in profile.pages)
    assert {key.lower() for key in profile.settings} <= set(Site.model_fields)


def test_a_key_of_env_takes_precedence_over_the_profile() -> None:
    assert site(**CHTC).gpu_job_length == "short"
    assert site(**CHTC, GPU_JOB_LENGTH="long").gpu_job_length == "long"


def test_the_variable_of_the_staging_folder_is_replaced() -> None:
    """DAGMan's environment has no STAGING, so condor_submit could not replace it."""
    keys = {
        **CHTC,
        "WEIGHTS_URL": "osdf:///chtc$ENV(STAGING)/w",
        "CONTAINER_IMAGE": "osdf:///chtc$ENV(STAGING)/a.sif",
    }
    found = Site.read(CHECKOUT / ".env", keys, environ={"STAGING": "/staging/b/bucky"})
    assert found.weights_url == "osdf:///chtc/staging/b/bucky/w"
    assert found.container_image == "osdf:///chtc/staging/b/bucky/a.sif"


def test_groups_are_valid_by_file_url() -> None:
    keys = {"IMAGES_URL": "file:///staging/groups/g/i", "REQUIREMENTS": "(HasCHTCStaging == true)"}
    assert site(**CHTC, **keys).images_url == keys["IMAGES_URL"]


def file_errors(tmp_path: Path, **keys: str) -> list[str]:
    return [str(error) for error in files.find_errors(site(**keys), Path(".env"), tmp_path)]


def test_files_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    image = tmp_path / "a.sif"
    (error,) = file_errors(tmp_path, CONTAINER_IMAGE=str(image))
    assert error.startswith(f'.env: CONTAINER_IMAGE: "{image}" not found')
    image.touch()
    assert file_errors(tmp_path, CONTAINER_IMAGE=str(image)) == []
    (error,) = file_errors(tmp_path, PYTHON="/no/such/python")
    assert 'PYTHON: "/no/such/python" is not a program' in error


def test_weights_that_nobody_staged_are_refused(tmp_path: Path) -> None:
    """Jobs would ask for files at a URL that only this checkout has."""
    keys = {**CHTC, "WEIGHTS_URL": "osdf:///chtc/staging/b/bucky/w"}
    (error,) = file_errors(tmp_path, **keys)
    assert 'WEIGHTS: "weights" is not the folder from which jobs receive' in error
    assert error.endswith("set WEIGHTS=/staging/b/bucky/w")
    assert file_errors(tmp_path, **keys, WEIGHTS="/staging/b/bucky/w") == []
