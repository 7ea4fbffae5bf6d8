"""Submit descriptions as text, and what HTCondor's own parser makes of them."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import htcondor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignsec.run.plan import Plan, PlannedPair
from submit.condor import description
from submit.site import Site
from tests import tiny
from tests.paths import CHECKOUT

NO_CONTROL = st.text(st.characters(blacklist_categories=("Cc", "Cs")), max_size=30)
CHTC = {
    "CONTAINER_IMAGE": "osdf:///chtc/staging/me/alignsec-v1.sif",
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


def plan() -> Plan:
    pair = tiny.pair()
    return Plan(
        name="n",
        title="t",
        seed=0,
        study_sha256="a" * 64,
        code_sha256="b" * 64,
        written="now",
        scores=None,
        images=pair.images,
        image_count=4,
        planned=(PlannedPair(pair=pair, inputs=("weights/w.safetensors", "images/images.tar")),),
    )


def site(checkout: Path, **keys: str) -> Site:
    return Site.read(checkout / ".env", {"PYTHON": "/usr/bin/python3", **keys})


def lines(text: Any) -> dict[str, str]:
    """A description as its keys and values."""
    return dict(line.split(" = ", 1) for line in text if " = " in line)


def test_without_a_container_jobs_are_vanilla_with_the_sites_python(checkout: Path) -> None:
    pair = lines(description.pair(plan(), site(checkout)))
    assert pair["universe"] == "vanilla"
    assert "/usr/bin/python3 jobs.evaluate $(JOB).json" in pair["arguments"]
    assert not {"container_image", "request_gpus", "+WantGPULab", "requirements", "want_ospool"} & pair.keys()


def test_chtc_settings_reach_the_pair(checkout: Path) -> None:
    pair = lines(description.pair(plan(), site(checkout, **CHTC)))
    assert pair["universe"] == "container"
    assert pair["container_image"] == "osdf:///chtc/staging/me/alignsec-v1.sif"
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


def test_the_least_capability_is_what_the_pinned_torch_has_kernels_for(checkout: Path) -> None:
    on_gpu = {"REQUEST_GPUS": "1"}
    assert lines(description.pair(plan(), site(checkout, **on_gpu)))["gpus_minimum_capability"] == "7.5"
    own = lines(description.pair(plan(), site(checkout, **on_gpu, GPUS_MINIMUM_CAPABILITY="6")))
    assert own["gpus_minimum_capability"] == "6"
    none = lines(description.pair(plan(), site(checkout, **on_gpu, GPUS_MINIMUM_CAPABILITY="0")))
    assert "gpus_minimum_capability" not in none


def test_a_job_held_for_memory_is_given_more(checkout: Path) -> None:
    asked = lines(description.pair(plan(), site(checkout)))["request_memory"]
    assert asked == "ifThenElse(LastHoldReasonCode =?= 34, $(larger_memory), $(memory))"


def test_the_final_node_asks_for_no_gpu_but_for_the_same_container(checkout: Path) -> None:
    final = lines(description.final(plan(), site(checkout, **CHTC)))
    assert final["universe"] == "container"
    assert not {"request_gpus", "+WantGPULab", "gpus_minimum_memory"} & final.keys()
    assert final["transfer_output_files"] == "analysis"
    assert "outcomes.tar" in final["transfer_input_files"]


@pytest.mark.parametrize(("pairs", "cpus"), [(1, 1), (2001, 2)])
def test_the_final_node_reads_with_no_more_processes_than_it_asked_cpus_for(
    checkout: Path, pairs: int, cpus: int
) -> None:
    """A slot of a shared machine is not all of its cores; and the archive of many outcomes has room."""
    of_many = plan().model_copy(update={"planned": plan().planned * pairs, "image_count": 1000})
    final = lines(description.final(of_many, site(checkout)))
    assert final["request_cpus"] == str(cpus)
    assert final["arguments"].endswith(f' --jobs {cpus}"')
    least = max(1024, site(checkout).request_disk_mb)
    assert int(final["request_disk"].removesuffix("MB")) >= (
        least if pairs == 1 else 1024 + pairs * 1000 * 30 / 1e6
    )


@pytest.mark.parametrize("what", [description.pair, description.final])
def test_no_held_job_stays_for_ever(checkout: Path, what: Any) -> None:
    held = lines(what(plan(), site(checkout, HELD_SECONDS="77")))
    assert held["periodic_remove"] == "JobStatus == 5 && (time() - EnteredCurrentStatus) > 77"
    assert "NumHolds <= 3" in held["periodic_release"]


@given(word=NO_CONTROL.filter(lambda text: '"' not in text), expression=st.just(""))
def test_whatever_a_path_holds_is_one_argument(word: str, expression: str) -> None:
    """HTCondor's own parser, through the bindings, takes the words apart as they were put together."""
    checkout = CHECKOUT
    given_site = site(checkout, PYTHON=f"/p/{word}")
    text = "\n".join(line for line in description.pair(plan(), given_site) if line.startswith("arguments"))
    value = htcondor2.Submit(text)["arguments"]
    assert value == text.split(" = ", 1)[1]
    quoted = value[1:-1].replace('""', '"').replace("$(DOLLAR)", "$")
    assert new_syntax(quoted)[1] == f"/p/{word}"


def new_syntax(text: str) -> list[str]:
    """The manual's rule: words part at spaces and tabs outside single quotes; two quotes inside are one."""
    words, word, inside, started, at = [], "", False, False, 0
    while at < len(text):
        character = text[at]
        if character == "'":
            if inside and text[at + 1 : at + 2] == "'":
                word, at = word + "'", at + 1
            else:
                inside, started = not inside, True
        elif character in " \t" and not inside:
            if word or started:
                words.append(word)
            word, started = "", False
        else:
            word += character
        at += 1
    return [*words, word] if word or started else words


def test_the_job_script_leaves_its_output_even_without_a_python(tmp_path: Path) -> None:
    script = tmp_path / "job.sh"
    script.write_text(description.job_script())
    shell = shutil.which("sh") or "sh"
    for output, exists in (("outcome.json", Path.is_file), ("analysis/", Path.is_dir)):
        done = subprocess.run(
            [shell, script, output, "/no/such/python", "jobs.evaluate"], cwd=tmp_path, check=False
        )
        assert done.returncode in (126, 127)
        assert exists(tmp_path / output)


def test_the_job_script_gives_a_home_in_the_scratch_directory_and_keeps_odd_arguments(tmp_path: Path) -> None:
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
    assert home == f"{tmp_path} {tmp_path}/code.zip {tmp_path}/inductor {tmp_path}"
    assert words == ["<-m>", "<module>", "<a b>", "<c'd>"]
