"""The site's settings: all missing, unknown and invalid keys of .env are reported together."""

import re
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from alignsec.errors import ConfigError, ConfigErrors
from submit.site import Site
from tests.paths import CASES, CHECKOUT
from tests.submit import plans

EnvFile = Callable[..., Path]


CHTC = {"SITE": "chtc"}


def errors(path: Path, **overrides: str) -> dict[str, ConfigError]:
    with pytest.raises(ConfigErrors) as caught:
        Site.read(path, overrides)
    return {error.field: error for error in caught.value.errors}


def test_the_default_env_runs_on_one_machine():
    site = Site.read(CHECKOUT / ".env")
    assert (site.runs, site.container_image, site.request_gpus, site.local_jobs) == (Path("runs"), "", 0, None)
    assert site.job_python == sys.executable
    assert site.want_gpu_lab is None


def test_every_key_is_documented():
    """A comment precedes each key or its group."""
    lines = (CHECKOUT / ".env").read_text(encoding="utf-8").splitlines()
    keys = dict(match.groups() for line in lines if (match := re.fullmatch(r"#?([A-Z_]+)=(.*)", line)))
    assert {key.lower() for key in keys} == set(Site.model_fields)
    undocumented = [line for before, line in pairwise(lines) if "=" in line and not before]
    assert not [line for line in undocumented if not line.startswith("#")]


def test_the_env_shows_the_defaults(tmp_path: Path):
    """An empty file, the file in the repository, and that file with every # removed give the same settings."""
    shown = (CHECKOUT / ".env").read_text(encoding="utf-8")
    (tmp_path / "empty").write_text("")
    (tmp_path / "all").write_text(re.sub(r"^#(?=[A-Z_]+=)", "", shown, flags=re.MULTILINE))
    assert Site.read(tmp_path / "empty") == Site.read(CHECKOUT / ".env") == Site.read(tmp_path / "all")


def test_values_for_chtc_are_read(env_file: EnvFile):
    site = Site.read(
        env_file(
            site="chtc",
            python="/opt/python3",
            container_image="osdf:///chtc/staging/m/me/alignsec-v1.sif",
            want_gpu_lab="true",
            gpu_job_length="short",
            is_resumable="true",
            want_ospool="false",
            gpus_minimum_capability="7.5",
            requirements="(HasCHTCStaging == true)",
            local_jobs="2",
            job_duration_category="Medium",
        )
    )
    assert site.container_image == "osdf:///chtc/staging/m/me/alignsec-v1.sif"
    assert (site.want_gpu_lab, site.is_resumable, site.want_ospool) == (True, True, False)
    assert (site.gpus_minimum_capability, site.local_jobs, site.job_python) == (7.5, 2, "/opt/python3")
    assert site.requirements == "(HasCHTCStaging == true)"


def test_all_errors_are_reported_together(env_file: EnvFile):
    path = env_file(retries="two", request_gpus="-1", gpu_job_length="tiny", want_gpu_lab="perhaps", max_jobs="")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("REQUEST_CPUS=1\n", "REQUEST_CPU=1\n"), encoding="utf-8")
    found = errors(path)
    assert set(found) == {
        *("RETRIES", "REQUEST_GPUS", "GPU_JOB_LENGTH", "WANT_GPU_LAB", "MAX_JOBS", "REQUEST_CPU"),
    }
    assert {error.path for error in found.values()} == {path}
    assert "did you mean REQUEST_CPUS" in found["REQUEST_CPU"].remedy
    assert (found["RETRIES"].given, found["RETRIES"].remedy) == ('"two"', "must be an integer")
    assert found["WANT_GPU_LAB"].remedy == "must be true or false"
    assert "'short'" in found["GPU_JOB_LENGTH"].remedy


@pytest.mark.parametrize("key", ["runs", "request_memory_mb", "checkpoint_seconds", "held_seconds"])
def test_keys_without_a_default_must_not_be_empty(env_file: EnvFile, key: str):
    """An empty RUNS would write run folders among the code."""
    assert set(errors(env_file(**{key: ""}))) == {key.upper()}


@pytest.mark.parametrize("value", ['a"b', "a\tb", "a\x7fb"])
def test_a_word_must_be_one_line_without_quotes(value: str):
    """The text becomes part of a submit description."""
    assert set(errors(CHECKOUT / ".env", PROJECT_NAME=value)) == {"PROJECT_NAME"}


def test_dollar_signs_are_not_expanded(env_file: EnvFile):
    """$(...) is HTCondor's syntax for macros."""
    assert Site.read(env_file(requirements='A == "$(X) ${Y}"')).requirements == 'A == "$(X) ${Y}"'


def test_overrides_take_precedence(env_file: EnvFile):
    assert Site.read(env_file(retries="1"), {"RETRIES": "0"}).retries == 0


def test_a_missing_env_is_reported(tmp_path: Path):
    with pytest.raises(ConfigErrors, match="not found; to restore the default file, run: git checkout"):
        Site.read(tmp_path / ".env")


def test_an_env_that_is_not_text_is_reported(tmp_path: Path):
    (tmp_path / ".env").write_bytes(b"RUNS=\xff\xfe\n")
    with pytest.raises(ConfigErrors, match=r"\.env"):
        Site.read(tmp_path / ".env")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"WEIGHTS_URL": "file:///staging/m/me/w", **CHTC},
            "WEIGHTS_URL: .* is on /staging, which not every machine",
        ),
        (
            {"IMAGES_URL": "file:///staging/m/me/i", **CHTC},
            "IMAGES_URL: .* is on /staging, which not every machine",
        ),
        (
            {
                "WEIGHTS_URL": "file:///staging/m/me/w",
                "REQUIREMENTS": "HasCHTCStaging == true",
                "WANT_OSPOOL": "true",
                **CHTC,
            },
            "no machine outside CHTC's pool has",
        ),
        ({"WEIGHTS_URL": "/staging/me/w"}, 'WEIGHTS_URL: "/staging/me/w" must be empty, osdf:///FOLDER'),
        ({"WEIGHTS_URL": "osdf:///a b"}, "WEIGHTS_URL"),
        ({"WEIGHTS_URL": "osdf:///a,b"}, "WEIGHTS_URL"),
        ({"WEIGHTS": ""}, "WEIGHTS"),
        ({"CHECKPOINT_SECONDS": "21600"}, "CHECKPOINT_SECONDS: .* must be less than ALLOWED_EXECUTE_SECONDS"),
        ({"RETRY_REQUEST_MEMORY_MB": "512"}, "RETRY_REQUEST_MEMORY_MB: .* must be at least REQUEST_MEMORY_MB"),
    ],
)
def test_settings_that_jobs_could_not_use_are_refused(keys: dict[str, str], message: str):
    with pytest.raises(ConfigErrors) as caught:
        plans.site(**keys)
    assert re.search(message, str(caught.value))


def test_a_tilde_is_the_home_folder(env_file: EnvFile):
    """Unexpanded, a folder named ~ would be made in the checkout."""
    site = Site.read(env_file(runs="~/runs", weights='"~/w"', images="~", python="~/env/bin/python"))
    home = Path.home()
    assert (site.runs, site.weights, site.images) == (home / "runs", home / "w", home)
    assert site.python == f"{home}/env/bin/python"


@pytest.mark.parametrize("value", ["~nobody-at-all/runs", "$HOME/runs", "${HOME}/runs", "a\u202eb"])
def test_a_folder_that_would_be_made_under_a_wrong_name_is_refused(value: str):
    assert set(errors(CHECKOUT / ".env", RUNS=value)) == {"RUNS"}


def test_the_tilde_of_a_real_case(env_file: EnvFile):
    case = CASES / "21-tilde-in-env" / "changed-settings"
    key, _, value = case.read_text(encoding="utf-8").strip().partition("=")
    assert Site.read(env_file(**{key.lower(): value})).runs == Path.home() / "runs"


def test_a_key_that_is_given_twice_is_refused(env_file: EnvFile):
    """Otherwise the last line would be used without notice."""
    path = env_file()
    with path.open("a", encoding="utf-8") as file:
        file.write("RETRIES=7\nretries = 8\n")
    lines = len(path.read_text(encoding="utf-8").splitlines())
    with pytest.raises(ConfigErrors) as caught:
        Site.read(path)
    assert [error.field for error in caught.value.errors] == ["RETRIES", "RETRIES"]
    assert f"is given twice, in lines {lines - 1} and {lines}; keep one" in caught.value.errors[1].remedy


@pytest.mark.parametrize("line", ["RETRIES", "RUNS='a", "=5", "MAX JOBS=5"])
def test_a_line_that_is_no_setting_is_refused(env_file: EnvFile, line: str):
    """python-dotenv would leave it out with a log message only."""
    path = env_file()
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}{line}\n", encoding="utf-8")
    with pytest.raises(ConfigErrors, match=f"line {len(text.splitlines()) + 1}: .* is not a setting"):
        Site.read(path)


def test_a_byte_order_mark_is_ignored(env_file: EnvFile):
    path = env_file(retries="1")
    text = path.read_text(encoding="utf-8")
    first = "RETRIES=1\n"
    path.write_text(first + text.replace(first, ""), encoding="utf-8-sig")
    assert Site.read(path).retries == 1


@pytest.mark.parametrize(
    "expression",
    [
        "(A == true",
        "A) || (B",
        "A = 1",
        "A == 1 and B",
        'A == "x',
        "A ==",
        "A // rest",
        "A \\",
        "(" * 5000 + ")" * 5000,
    ],
)
def test_requirements_that_do_not_parse_are_refused(env_file: EnvFile, expression: str):
    """The schedd would refuse every job, after the submission."""
    with pytest.raises(
        ConfigErrors, match=r"REQUIREMENTS: .*(is not a ClassAd expression|at most 4,000 characters)"
    ):
        Site.read(env_file(requirements=expression))


@pytest.mark.parametrize("expression", ["", "(A == true)", 'Machine =!= "a" && B', "isUndefined(A) || C > 2.5"])
def test_requirements_that_parse_are_accepted(env_file: EnvFile, expression: str):
    assert Site.read(env_file(requirements=expression)).requirements == expression


def test_the_requirements_of_the_shared_case_are_refused(env_file: EnvFile):
    case = CASES / "25-unbalanced-requirements" / "changed-settings"
    (line,) = case.read_text().splitlines()
    with pytest.raises(ConfigErrors, match="REQUIREMENTS"):
        Site.read(env_file(requirements=line.partition("=")[2]))
