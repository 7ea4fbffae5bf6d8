"""Submit descriptions as text, and as HTCondor's own parser reads them."""

import hashlib
import itertools
import shutil
import subprocess
from pathlib import Path
from typing import Any

import classad2
import htcondor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignsec.run import exit_code, outcome_file
from submit.condor import description
from tests import tiny
from tests.submit.plans import plan, site, split_arguments

NO_CONTROL = st.text(st.characters(blacklist_categories=("Cc", "Cs")), max_size=30)
CHTC = {
    "SITE": "chtc",
    "CONTAINER_IMAGE": "osdf:///chtc/staging/m/me/alignsec-v1.sif",
    "REQUEST_GPUS": "1",
    "GPUS_MINIMUM_CAPABILITY": "7.5",
    "WANT_GPU_LAB": "true",
    "GPU_JOB_LENGTH": "short",
    "IS_RESUMABLE": "true",
    "WANT_CAMPUS_POOLS": "true",
    "STREAM_OUTPUT": "false",
    "JOB_DURATION_CATEGORY": "Medium",
    "PROJECT_NAME": "Wisc_Alignsec",
    "REQUIREMENTS": 'Machine != "bad.node"',
}


def lines(text: Any) -> dict[str, str]:
    """Return the description of a node's first job as keys and values, without the part for retries."""
    first = itertools.takewhile(lambda line: not line.startswith("if "), text)
    return dict(line.split(" = ", 1) for line in first if " = " in line)


def test_without_a_container_jobs_use_the_sites_python() -> None:
    pair = lines(description.pair_description(plan(), site()))
    assert pair["universe"] == "vanilla"
    assert "/usr/bin/python3 jobs.evaluate $(shard).json --pair $(JOB) " in pair["arguments"]
    assert not {"container_image", "request_gpus", "+WantGPULab", "requirements", "want_ospool"} & pair.keys()


def test_chtc_settings_are_in_the_description() -> None:
    pair = lines(description.pair_description(plan(), site(**CHTC)))
    assert pair["universe"] == "container"
    assert pair["container_image"] == "osdf:///chtc/staging/m/me/alignsec-v1.sif"
    assert " python3 jobs.evaluate" in pair["arguments"]
    expected = {
        "request_gpus": "1",
        "gpus_minimum_capability": "7.5",
        "gpus_minimum_memory": "$(gpu_memory)",
        "+WantGPULab": "true",
        "+GPUJobLength": '"short"',
        "+is_resumable": "true",
        "want_campus_pools": "true",
        "+JobDurationCategory": '"Medium"',
        "+ProjectName": '"Wisc_Alignsec"',
        "requirements": 'Machine != "bad.node"',
        "checkpoint_exit_code": "85",
    }
    assert {key: pair.get(key) for key in expected} == expected
    assert "stream_output" not in pair


def test_the_default_capability_is_the_lowest_of_the_pinned_torch() -> None:
    on_gpu = {"REQUEST_GPUS": "1"}
    assert lines(description.pair_description(plan(), site(**on_gpu)))["gpus_minimum_capability"] == "7.5"
    own = lines(description.pair_description(plan(), site(**on_gpu, GPUS_MINIMUM_CAPABILITY="6")))
    assert own["gpus_minimum_capability"] == "6"
    none = lines(description.pair_description(plan(), site(**on_gpu, GPUS_MINIMUM_CAPABILITY="0")))
    assert "gpus_minimum_capability" not in none


@pytest.mark.parametrize(("setting", "runtime"), [("", "13.0"), ("12.8", "12.8"), ("0", None)])
def test_a_gpu_must_support_the_cuda_of_the_image(setting: str, runtime: str | None) -> None:
    """A driver that is too old would make every job of that machine fail."""
    pair = lines(description.pair_description(plan(), site(REQUEST_GPUS="1", GPUS_MINIMUM_RUNTIME=setting)))
    assert pair.get("gpus_minimum_runtime") == runtime
    on_cpu = lines(description.pair_description(plan(), site(GPUS_MINIMUM_RUNTIME=setting)))
    assert "gpus_minimum_runtime" not in on_cpu


HELD_FOR_MEMORY = {"LastHoldReasonCode": 34, "LastHoldReasonSubCode": 0}
HELD_FOR_DISK = {"LastHoldReasonCode": 34, "LastHoldReasonSubCode": 104}
HELD_TWICE = {**HELD_FOR_DISK, "NumHoldsByReason": classad2.ClassAd({"JobOutOfResources": 2})}
BY_POLICY = {"LastHoldReasonCode": 21, "LastHoldReasonSubCode": 102}


@pytest.mark.parametrize("describe", [description.pair_description, description.final_description])
@pytest.mark.parametrize(
    ("history", "memory", "disk"),
    [
        ({}, False, False),
        (HELD_FOR_MEMORY, True, False),
        ({"LastHoldReasonCode": 34, "LastHoldReasonSubCode": 102}, True, False),
        (HELD_FOR_DISK, False, True),
        (HELD_TWICE, True, True),
        (BY_POLICY, True, False),
        ({**BY_POLICY, "LastHoldReasonSubCode": 104}, False, True),
        ({"LastHoldReasonCode": 12, "LastHoldReasonSubCode": 2}, False, False),
    ],
)
def test_a_held_job_gets_more_of_the_resource_that_it_exceeded(
    describe: Any, history: dict[str, Any], memory: bool, disk: bool
) -> None:
    """Memory and disk holds are both code 34; the subcode of a disk hold is 104."""
    macros = {"memory": "1000", "larger_memory": "2000", "disk": "500", "larger_disk": "1000"}
    text = lines(describe(plan(), site(CONTAINER_IMAGE="docker://x", CONTAINER_IMAGE_MB="7000")))
    for name, larger, unit in (("request_memory", memory, 1), ("request_disk", disk, 1024)):
        expression = text[name]
        for macro, value in macros.items():
            expression = expression.replace(f"$({macro})", value)
        asked = evaluate(expression, history)
        least = evaluate(expression, {})
        assert asked == (2 * least if larger else least)
        assert least % unit == 0


def evaluate(expression: str, attributes: dict[str, Any]) -> Any:
    """Evaluate a ClassAd expression in a job's ad."""
    return classad2.ClassAd({**attributes, "value": classad2.ExprTree(expression)}).eval("value")


def held(code: int, subcode: int, **more: Any) -> dict[str, Any]:
    """Return the attributes of a held job."""
    return {
        "HoldReasonCode": code,
        "HoldReasonSubCode": subcode,
        "NumHolds": 1,
        "EnteredCurrentStatus": 0,
        "NumHoldsByReason": classad2.ClassAd({"JobOutOfResources": 1}),
        **more,
    }


@pytest.mark.parametrize(
    ("attributes", "released"),
    [
        (held(34, 0), True),
        (held(34, 104), True),
        (held(34, 104, **HELD_FOR_DISK), False),
        (held(34, 0, **HELD_FOR_MEMORY), False),
        (held(34, 0, **HELD_TWICE), True),
        (held(34, 0, **HELD_FOR_DISK, NumHoldsByReason=classad2.ClassAd({"JobOutOfResources": 3})), False),
        (held(13, 2), True),
        (held(13, 2, NumHolds=4), False),
        (held(1, 0), False),
    ],
)
def test_a_job_is_released_once_for_each_resource(attributes: dict[str, Any], released: bool) -> None:
    release = lines(description.pair_description(plan(), site()))["periodic_release"]
    assert evaluate(release, attributes) is released


IMAGE_7_GB = {"CONTAINER_IMAGE": "docker://x", "CONTAINER_IMAGE_MB": "7000"}


def test_the_final_nodes_disk_includes_the_image() -> None:
    without, within = (
        evaluate(lines(description.final_description(plan(), site(**keys)))["request_disk"], {})
        for keys in ({}, IMAGE_7_GB)
    )
    assert within - without == 7000 * 1024


def test_the_docker_universe_is_an_option() -> None:
    docker = lines(
        description.pair_description(plan(), site(CONTAINER_IMAGE="docker://a/b:1", DOCKER_UNIVERSE="true"))
    )
    assert (docker["universe"], docker["docker_image"]) == ("docker", "a/b:1")
    assert "container_image" not in docker


def test_the_final_node_uses_the_container_but_no_gpu() -> None:
    final = lines(description.final_description(plan(), site(**CHTC)))
    assert final["universe"] == "container"
    assert not {"request_gpus", "+WantGPULab", "gpus_minimum_memory"} & final.keys()
    assert final["transfer_output_files"] == "analysis"
    assert "outcomes.tar" in final["transfer_input_files"]


@pytest.mark.parametrize(("pairs", "cpus"), [(1, 1), (2001, 2)])
def test_the_final_node_uses_as_many_processes_as_cpus(pairs: int, cpus: int) -> None:
    """A slot has only some of a machine's cores. The disk request allows for the archive of outcomes."""
    of_many = plan().model_copy(update={"planned": plan().planned * pairs, "image_count": 1000})
    final = lines(description.final_description(of_many, site()))
    assert final["request_cpus"] == str(cpus)
    assert final["arguments"].endswith(f' --jobs {cpus}"')
    least = max(1024, site().request_disk_mb)
    asked = evaluate(final["request_disk"], {}) / 1024
    assert asked >= (least if pairs == 1 else 1024 + pairs * 1000 * 30 / 1e6)


@pytest.mark.parametrize("describe", [description.pair_description, description.final_description])
def test_every_held_job_is_removed_in_the_end(describe: Any) -> None:
    policy = lines(describe(plan(), site(HELD_SECONDS="77")))
    assert policy["periodic_remove"] == "JobStatus == 5 && (time() - EnteredCurrentStatus) > 77"
    assert "NumHolds <= 3" in policy["periodic_release"]


@given(word=NO_CONTROL.filter(lambda text: '"' not in text), expression=st.just(""))
def test_any_path_is_one_argument(word: str, expression: str) -> None:
    """HTCondor's own parser, through its Python bindings, splits the arguments as they were composed."""
    given_site = site(PYTHON=f"/p/{word}")
    text = "\n".join(
        line for line in description.pair_description(plan(), given_site) if line.startswith("arguments")
    )
    value = htcondor2.Submit(text)["arguments"]
    assert value == text.split(" = ", 1)[1]
    quoted = value[1:-1].replace('""', '"').replace("$(DOLLAR)", "$")
    assert split_arguments(quoted)[1] == f"/p/{word}"


def test_the_job_script_creates_its_output_without_a_python(tmp_path: Path) -> None:
    script = tmp_path / "job.sh"
    script.write_text(description.job_script())
    shell = shutil.which("sh") or "sh"
    for output, exists in (("outcome.json", Path.is_file), ("analysis/", Path.is_dir)):
        done = subprocess.run(
            [shell, script, output, "/no/such/python", "jobs.evaluate"], cwd=tmp_path, check=False
        )
        assert done.returncode in (126, 127)
        assert exists(tmp_path / output)


def test_the_job_script_sets_the_environment_and_keeps_arguments(tmp_path: Path) -> None:
    script, fake = tmp_path / "job.sh", tmp_path / "python"
    script.write_text(description.job_script())
    fake.write_text(
        '#!/bin/sh\necho "$HOME $PYTHONPATH $TORCHINDUCTOR_CACHE_DIR $TMPDIR"; for word; do echo "<$word>"; done\n'
    )
    fake.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", script, "o", str(fake), "module", "a b", "c'd"],
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    home, *words = done.stdout.splitlines()
    assert home == f"{tmp_path}/home {tmp_path}/code.zip {tmp_path}/inductor {tmp_path}"
    assert words == ["<-m>", "<module>", "<a b>", "<c'd>"]


def run_job(folder: Path, script: str, fake: str) -> "subprocess.CompletedProcess[str]":
    """Run the job script with a fake Python."""
    (folder / "job.sh").write_text(script)
    (folder / "python").write_text(f"#!/bin/sh\n{fake}\n")
    (folder / "python").chmod(0o755)
    words = ["/bin/sh", "job.sh", "outcome.json", str(folder / "python"), "jobs.evaluate"]
    return subprocess.run(words, cwd=folder, env={}, capture_output=True, text=True, check=False)


def test_a_job_with_a_complete_outcome_succeeds(tmp_path: Path) -> None:
    (tmp_path / "ready").write_bytes(outcome_file.dump(tiny.record(tiny.pair())))
    assert run_job(tmp_path, description.job_script(), "cp ready outcome.json").returncode == 0


@pytest.mark.parametrize(
    "make",
    [
        *("true", "echo x > outcome.json", "head -c 90 ready > outcome.json", "rm outcome.json"),
        *("(echo; cat ready) > outcome.json", "(cat ready; echo) > outcome.json"),
    ],
)
def test_a_job_that_exits_with_0_without_a_complete_outcome_is_retried(tmp_path: Path, make: str) -> None:
    """DAGMan would mark its node as done."""
    (tmp_path / "ready").write_bytes(outcome_file.dump(tiny.record(tiny.pair())))
    done = run_job(tmp_path, description.job_script(), make)
    assert done.returncode == exit_code.TEMPORARY_FAILURE
    assert "left no complete outcome" in done.stderr


@pytest.mark.parametrize("code", [exit_code.PERMANENT_FAILURE, exit_code.TEMPORARY_FAILURE, exit_code.CHECKPOINT])
def test_other_exit_codes_are_kept(tmp_path: Path, code: int) -> None:
    assert run_job(tmp_path, description.job_script(), f"exit {code}").returncode == code


def test_a_signal_that_kills_the_job_ends_the_script(tmp_path: Path) -> None:
    assert run_job(tmp_path, description.job_script(), "kill -9 $$").returncode == -9


@pytest.mark.parametrize("code", [b"code", b"other", None])
def test_the_code_is_verified_before_it_is_used(tmp_path: Path, code: bytes | None) -> None:
    if code is not None:
        (tmp_path / "code.zip").write_bytes(code)
    script = description.job_script(hashlib.sha256(b"code").hexdigest())
    done = run_job(tmp_path, script, "echo started; exit 65")
    assert (done.returncode, "started" in done.stdout) == ((65, True) if code == b"code" else (75, False))
    assert (tmp_path / "outcome.json").exists()
