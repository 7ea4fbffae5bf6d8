"""Submit descriptions: the text condor_submit reads, from data. Nothing here touches a pool.

Manual: https://htcondor.readthedocs.io, "condor_submit". Whatever comes from people (paths, images, projects) is
quoted here; names of models and attacks never reach a submit description, only the ids made from them.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from alignsec.catalogue import cuda_archs
from alignsec.run import exit_code
from alignsec.run.folder import FINAL, JOB_CHECKPOINT, JOB_OUTCOME, RunFolder
from alignsec.run.plan import Plan
from alignsec.run.status import FEW
from submit.images import transfer
from submit.site import Site

RUN = RunFolder(Path())
"""The paths relative to the run folder, where jobs are submitted."""
JOB = "$(JOB)"
"""The macro of a node's name, which is the pair's id."""
SECONDS_BEFORE_RELEASE = 20
"""A transfer that failed is given this long before it is tried again."""

FINAL_MEMORY_MB = 2048
FINAL_DISK_MB = 1024
"""For the analysis, beside the archive of the outcomes."""
IMAGE_BYTES, VERDICT_BYTES = 30, 20
"""Of an outcome file, for each image and for each verdict on it: an ImageNet name and label; a letter, a step and
a distance (21 and 9 in files of 1,000 images, rounded up)."""

# Hold reason codes, from the manual's table.
UPLOAD, DOWNLOAD, MEMORY = 12, 13, 34


def job_script() -> str:
    """What HTCondor starts: jobs get neither PATH nor HOME, and must leave what they declare, come what may."""
    return """#!/bin/sh
# Starts in the job's scratch directory: job.sh OUTPUT PYTHON MODULE [ARGUMENT ...]
# A declared output that is missing holds the job for ever, so it is made first; HTCondor wants it even if
# there is no such Python here.
output=$1 python=$2
shift 2
case $output in */) mkdir -p "$output" ;; *) : >>"$output" ;; esac
export HOME="$PWD" HF_HOME="$PWD/hub" TORCH_HOME="$PWD/torch" MPLCONFIGDIR="$PWD/matplotlib"
# torch.compile: what it makes goes with the job (precompiled headers lie among temporary files whatever its cache
# is), and it starts no process for each core of the machine.
export TORCHINDUCTOR_CACHE_DIR="$PWD/inductor" TRITON_CACHE_DIR="$PWD/triton" TORCHINDUCTOR_COMPILE_THREADS=1
export TMPDIR="$PWD"
export PYTHONPATH="$PWD/code.zip" PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 BS_INSTALL_DEPENDENCIES=no
PATH=${PATH:-/usr/local/bin:/usr/bin:/bin}
export PATH
exec "$python" -m "$@"
"""


def pair(plan: Plan, site: Site) -> Iterator[str]:
    """The description every pair's node shares.

    $(JOB) is the node's name, the pair's id; the other macros are those of its VARS (submit.requests.requests).
    """
    inputs = [str(RUN.code), str(RUN.pair(JOB)), "$(files)", transfer.address(plan.images.name, site)]
    checkpoint = ["--checkpoint-every", str(site.checkpoint_seconds)]
    yield from _where(site)
    yield f"executable = {RUN.job_script}"
    yield _arguments([JOB_OUTCOME, _python(site), "jobs.evaluate", RUN.pair(JOB).name, *checkpoint])
    yield from _transfer(inputs, JOB_OUTCOME)
    yield f'transfer_output_remaps = "{JOB_OUTCOME} = {RUN.outcome(JOB)}"'
    yield f"checkpoint_exit_code = {exit_code.CHECKPOINT}"
    yield f"transfer_checkpoint_files = {JOB_CHECKPOINT}"
    yield from _logs(JOB)
    if site.stream_output:
        yield "stream_output = true"
    yield f"request_cpus = {site.request_cpus}"
    # Held for memory once, a job is released with more; held again, it stays held.
    yield f"request_memory = ifThenElse(LastHoldReasonCode =?= {MEMORY}, $(larger_memory), $(memory))"
    yield "request_disk = $(disk)MB"
    yield from _gpus(site)
    yield from _wedged(site)
    yield from _holds(site)
    yield "queue"


def final(plan: Plan, site: Site) -> Iterator[str]:
    """The description of the FINAL node: a job like any other, since an access point is no place to compute."""
    scores = [RUN.scores] if plan.scores else []
    inputs = [str(path) for path in (RUN.code, RUN.plan, RUN.outcomes_archive, RUN.events_copy, *scores)]
    yield from _where(site)
    yield f"executable = {RUN.job_script}"
    cpus = 2 if len(plan.planned) > FEW else 1
    files = ["--outcomes", str(RUN.outcomes_archive), "--events", str(RUN.events_copy)]
    yield _arguments([f"{RUN.analysis}/", _python(site), "aggregate", ".", *files, "--jobs", str(cpus)])
    yield from _transfer(inputs, str(RUN.analysis))
    yield from _logs(FINAL)
    yield f"request_cpus = {cpus}"
    least = max(FINAL_MEMORY_MB, site.request_memory_mb)
    larger = max(2 * FINAL_MEMORY_MB, site.retry_request_memory_mb)
    yield f"request_memory = ifThenElse(LastHoldReasonCode =?= {MEMORY}, {larger}, {least})"
    yield f"request_disk = {max(FINAL_DISK_MB + _outcomes_mb(plan), site.request_disk_mb)}MB"
    yield from _holds(site)
    yield "queue"


def _outcomes_mb(plan: Plan) -> int:
    """About what the archive of all outcomes comes to."""
    verdicts = sum(len(pair.attack.budgets) for pair in plan)
    return plan.image_count * (IMAGE_BYTES * len(plan.planned) + VERDICT_BYTES * verdicts) // 1_000_000


def _where(site: Site) -> Iterator[str]:
    """The universe, and the attributes by which a pool such as CHTC lets a job run where it should."""
    if site.container_image:
        yield "universe = container"
        yield f"container_image = {literal(site.container_image)}"
        yield _environment({"ALIGNSEC_CONTAINER": site.container_image})
    else:
        yield "universe = vanilla"
    if site.requirements:
        yield f"requirements = {site.requirements}"
    for name, value in (
        ("+JobDurationCategory", site.job_duration_category),
        ("+ProjectName", site.project_name),
    ):
        if value:
            yield f'{name} = "{literal(value)}"'
    for name, flag in (("want_campus_pools", site.want_campus_pools), ("want_ospool", site.want_ospool)):
        if flag is not None:
            yield f"{name} = {str(flag).lower()}"


def _gpus(site: Site) -> Iterator[str]:
    """What a pair asks of its GPU; nothing where it runs on CPUs."""
    if not site.request_gpus:
        return
    yield f"request_gpus = {site.request_gpus}"
    if capability := cuda_archs.LEAST if site.gpus_minimum_capability is None else site.gpus_minimum_capability:
        yield f"gpus_minimum_capability = {capability:g}"
    yield "gpus_minimum_memory = $(gpu_memory)"
    for name, flag in (("+WantGPULab", site.want_gpu_lab), ("+is_resumable", site.is_resumable)):
        if flag is not None:
            yield f"{name} = {str(flag).lower()}"
    if site.gpu_job_length:
        yield f'+GPUJobLength = "{site.gpu_job_length}"'


def _transfer(inputs: Sequence[str], output: str) -> Iterator[str]:
    yield "should_transfer_files = YES"
    yield "when_to_transfer_output = ON_EXIT"
    yield f"transfer_input_files = {', '.join(inputs)}"
    yield f"transfer_output_files = {output}"


def _logs(name: str) -> Iterator[str]:
    yield f"output = {RUN.output(name)}"
    yield f"error = {RUN.error_output(name)}"


def _wedged(site: Site) -> Iterator[str]:
    """A job that neither ends nor leaves a checkpoint for too long is held, and so in the end removed.

    allowed_execute_duration is meant for this, but with transfer_output_files 23.9.6 never enforces it (measured).
    """
    transferred = "ifThenElse(isUndefined(TransferOutFinished), 0, TransferOutFinished)"
    since = f"max({{JobCurrentStartExecutingDate, {transferred}}})"
    # While inputs are on their way a job is running already, but has no such date yet.
    executing = "JobStatus == 2 && !isUndefined(JobCurrentStartExecutingDate)"
    yield f"periodic_hold = {executing} && (time() - {since}) > {site.allowed_execute_seconds}"
    yield f'periodic_hold_reason = "neither ended nor left a checkpoint for {site.allowed_execute_seconds} s"'


def _holds(site: Site) -> Iterator[str]:
    """No held job makes the DAG wait for ever: released a few times, then removed, so that its node fails."""
    transfer = f"(HoldReasonCode =?= {UPLOAD} || HoldReasonCode =?= {DOWNLOAD})"
    waited = f"(time() - EnteredCurrentStatus) > {SECONDS_BEFORE_RELEASE}"
    first = f"(HoldReasonCode =?= {MEMORY} && LastHoldReasonCode =!= {MEMORY})"
    yield f"periodic_release = ({transfer} && NumHolds <= {site.transfer_retries} && {waited}) || {first}"
    yield f"periodic_remove = JobStatus == 5 && (time() - EnteredCurrentStatus) > {site.held_seconds}"


def _python(site: Site) -> str:
    """In a container, the one on its PATH; else the site's."""
    return "python3" if site.container_image else site.job_python


def literal(text: str) -> str:
    """Text that stands for itself: condor_submit expands $(...) wherever it finds it."""
    return text.replace("$", "$(DOLLAR)")


def _arguments(words: Sequence[str]) -> str:
    """The arguments line in the manual's new syntax: words in single quotes, quotes doubled.

    $(JOB) is ours and expands; every other dollar stands for itself.
    """
    return f'arguments = "{" ".join(_word(word) for word in words)}"'


def _environment(variables: dict[str, str]) -> str:
    return f'environment = "{" ".join(f"{name}={_word(value)}" for name, value in variables.items())}"'


def _word(word: str) -> str:
    text = word if word.startswith("$(JOB)") else literal(word)
    text = text.replace('"', '""')
    if text and not any(character in text for character in " '\t"):
        return text
    return "'" + text.replace("'", "''") + "'"
