"""Submit descriptions of a run, as the text that condor_submit reads. Nothing in this module touches a pool.

Text that comes from users (paths, images, projects) is quoted here. Names of models and attacks never enter a
submit description; the ids made from them do.

Reference: HTCondor manual, "condor_submit", https://htcondor.readthedocs.io.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from alignsec.catalogue import cuda_archs
from alignsec.run import exit_code, outcome_file
from alignsec.run.folder import FINAL, JOB_CHECKPOINT, JOB_EXAMPLES, JOB_OUTCOME, RunFolder
from alignsec.run.job_environment import CODE, HOME, shell_exports
from alignsec.run.plan import Plan
from alignsec.run.status import FEW_PAIRS
from submit.condor import retry
from submit.requests import examples_size
from submit.requests.image_size import image_mb
from submit.site import Site
from submit.transfer import pack_source

RUN = RunFolder(Path())
"""Paths relative to the run folder, in which jobs are submitted."""
JOB = "$(JOB)"
"""Macro of a node's name, which is the pair's id."""
SHARD = "$(shard)"
"""Macro of the name of the pair's shard, which each node's VARS define."""
SECONDS_BEFORE_RELEASE = 20
"""Delay before a job that was held for a failed transfer is released."""

FINAL_MEMORY_MB = 2048
FINAL_DISK_MB = 1024
"""Disk of the analysis, in addition to the archive of outcomes."""
IMAGE_BYTES, VERDICT_BYTES = 30, 20
"""Bytes of an outcome file for each image and for each verdict (measured 21 and 9 for 1,000 images)."""

# Hold reason codes, from the manual's table. The subcode of OUT_OF_RESOURCES and MACHINE_POLICY is DISK if the job
# exceeded its request_disk. For memory it is 0 or MEMORY.
UPLOAD, DOWNLOAD, MACHINE_POLICY, OUT_OF_RESOURCES = 12, 13, 21, 34
MEMORY, DISK = 102, 104


def job_script(code_sha256: str = "") -> str:
    """Return the script that HTCondor starts for each job.

    HTCondor sets neither PATH nor HOME for a job, and holds a job whose declared output is missing.

    Args:
        code_sha256: Digest of the code, which is verified before it is used; empty: not verified.
    """
    seal = '\'"checksum": "%s"}\''
    return f"""#!/bin/sh
# Starts in the job's scratch directory: job.sh OUTPUT PYTHON MODULE [ARGUMENT ...]
# HTCondor holds a job whose declared output is missing. So the output is created first, in case Python does not
# start.
output=$1 python=$2
shift 2
case $output in */) mkdir -p "$output" ;; *) : >>"$output"; : >>{JOB_EXAMPLES} ;; esac
{shell_exports()}
mkdir -p {HOME}
PATH=${{PATH:-/usr/local/bin:/usr/bin:/bin}}
export PATH
expected={code_sha256}
if [ -n "$expected" ]; then
  found=$(sha256sum <{CODE} | cut -c 1-64)
  if [ "$found" != "$expected" ]; then
    echo "{CODE}: its SHA-256 is $found, but the plan has $expected; submit the study again" >&2
    exit {exit_code.TEMPORARY_FAILURE}
  fi
fi
"$python" -m "$@"
code=$?
# A job that was killed by a signal ends by the same signal, which the event log then shows.
[ "$code" -le 128 ] || kill -"$((code - 128))" $$
# DAGMan marks a node as done if its job exits with 0: only with a complete outcome, which ends with its checksum.
if [ "$code" -eq 0 ] && [ "$output" = {JOB_OUTCOME} ]; then
  checksum=$(head -c -{outcome_file.CHECKSUM_BYTES} "$output" | sha256sum | cut -c 1-64)
  if [ "$(tail -c {outcome_file.CHECKSUM_BYTES} "$output")" != "$(printf {seal} "$checksum")" ]; then
    echo "$output: the job exited with 0 but left no complete outcome" >&2
    exit {exit_code.TEMPORARY_FAILURE}
  fi
fi
exit "$code"
"""


def pair_description(plan: Plan, site: Site) -> Iterator[str]:
    """Yield the lines of the submit description that all pairs' nodes share.

    $(JOB) is the node's name, which is the pair's id. The node's VARS define the other macros: its shard, and its
    requests (`submit.requests.requests.ResourceRequests.node_vars`).
    """
    shard = RUN.pair_file(SHARD)
    inputs = [str(RUN.code), str(shard), "$(files)", pack_source(plan.images.name, site)]
    checkpoint = ["--checkpoint-every", str(site.checkpoint_seconds)]
    yield from _where_to_run(site)
    yield f"executable = {RUN.job_script}"
    yield _arguments([JOB_OUTCOME, _python(site), "jobs.evaluate", shard.name, "--pair", JOB, *checkpoint])
    remaps = {JOB_OUTCOME: RUN.outcome(JOB), JOB_EXAMPLES: RUN.examples(JOB)}
    yield from _transfer(inputs, ", ".join(remaps))
    yield f'transfer_output_remaps = "{"; ".join(f"{name} = {path}" for name, path in remaps.items())}"'
    yield f"checkpoint_exit_code = {exit_code.CHECKPOINT}"
    yield f"transfer_checkpoint_files = {JOB_CHECKPOINT}"
    yield from _logs(JOB)
    if site.stream_output:
        yield "stream_output = true"
    yield f"request_cpus = {site.request_cpus}"
    yield from _memory_and_disk("$(memory)", "$(larger_memory)", "$(disk)", "$(larger_disk)")
    yield from _gpus(site)
    yield from _hold_stalled_job(site)
    yield from _release_or_remove(site)
    yield from retry.retry_lines(site)
    yield "queue"


def final_description(plan: Plan, site: Site) -> Iterator[str]:
    """Yield the lines of the submit description of the FINAL node, which runs the analysis.

    It is an ordinary job, because an access point is not meant for computing.
    """
    scores = [RUN.scores] if plan.scores else []
    inputs = [str(path) for path in (RUN.code, RUN.plan, RUN.outcomes_archive, RUN.events_copy, *scores)]
    yield from _where_to_run(site)
    yield f"executable = {RUN.job_script}"
    cpus = 2 if len(plan.planned) > FEW_PAIRS else 1
    files = ["--outcomes", str(RUN.outcomes_archive), "--events", str(RUN.events_copy)]
    yield _arguments([f"{RUN.analysis}/", _python(site), "aggregate", ".", *files, "--jobs", str(cpus)])
    yield from _transfer(inputs, str(RUN.analysis))
    yield from _logs(FINAL)
    yield f"request_cpus = {cpus}"
    memory = max(FINAL_MEMORY_MB, site.request_memory_mb)
    larger_memory = max(2 * FINAL_MEMORY_MB, site.retry_request_memory_mb)
    disk = max(
        FINAL_DISK_MB + _outcomes_mb(plan) + examples_size.estimate_run_mb(plan), site.request_disk_mb
    ) + image_mb(site)
    yield from _memory_and_disk(str(memory), str(larger_memory), str(disk), str(2 * disk))
    yield from _release_or_remove(site)
    yield "queue"


def _held_for_disk(prefix: str = "") -> str:
    """Return an expression: the job is held (prefix "Last": was last held) because it exceeded its disk."""
    code, subcode = f"{prefix}HoldReasonCode", f"{prefix}HoldReasonSubCode"
    return f"(({code} =?= {OUT_OF_RESOURCES} || {code} =?= {MACHINE_POLICY}) && {subcode} =?= {DISK})"


def _held_for_memory(prefix: str = "") -> str:
    """Return an expression: the job is held (prefix "Last": was last held) because it exceeded its memory."""
    code, subcode = f"{prefix}HoldReasonCode", f"{prefix}HoldReasonSubCode"
    return (
        f"(({code} =?= {OUT_OF_RESOURCES} && {subcode} =!= {DISK}) || "
        f"({code} =?= {MACHINE_POLICY} && {subcode} =?= {MEMORY}))"
    )


# The second hold for a resource raises both: the last reason alone would take back what the first one raised.
_HELD_TWICE = "(NumHoldsByReason.JobOutOfResources ?: 0) >= 2"


def _memory_and_disk(memory: str, larger_memory: str, disk: str, larger_disk: str) -> Iterator[str]:
    """Yield the requests of memory and disk in MB, each larger after the job was held for that resource."""
    for name, held, least, larger, unit in (
        ("request_memory", _held_for_memory("Last"), memory, larger_memory, ""),
        # A number without a unit is in KiB.
        ("request_disk", _held_for_disk("Last"), disk, larger_disk, " * 1024"),
    ):
        yield f"{name} = ifThenElse({held} || {_HELD_TWICE}, {larger}, {least}){unit}"


def _outcomes_mb(plan: Plan) -> int:
    """Return the approximate size of the archive of all outcomes, in MB."""
    verdicts = sum(len(pair.attack.budgets) for pair in plan)
    return plan.image_count * (IMAGE_BYTES * len(plan.planned) + VERDICT_BYTES * verdicts) // 1_000_000


def _where_to_run(site: Site) -> Iterator[str]:
    """Yield the universe, and the attributes with which pools such as CHTC's choose machines."""
    if site.container_image:
        universe, image = "container", site.container_image
        if site.docker_universe:
            universe, image = "docker", image.removeprefix("docker://")
        yield f"universe = {universe}"
        yield f"{universe}_image = {escape_macros(image)}"
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
            yield f'{name} = "{escape_macros(value)}"'
    for name, flag in (("want_campus_pools", site.want_campus_pools), ("want_ospool", site.want_ospool)):
        if flag is not None:
            yield f"{name} = {str(flag).lower()}"


def _gpus(site: Site) -> Iterator[str]:
    """Yield a pair's GPU requests; none if pairs run on CPUs."""
    if not site.request_gpus:
        return
    yield f"request_gpus = {site.request_gpus}"
    if (
        capability := cuda_archs.LOWEST_CAPABILITY
        if site.gpus_minimum_capability is None
        else site.gpus_minimum_capability
    ):
        yield f"gpus_minimum_capability = {capability:g}"
    # HTCondor compares it with the newest CUDA version that the machine's driver supports.
    runtime = cuda_archs.RUNTIME if site.gpus_minimum_runtime is None else site.gpus_minimum_runtime
    if runtime != "0":
        yield f"gpus_minimum_runtime = {runtime}"
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


def _hold_stalled_job(site: Site) -> Iterator[str]:
    """Yield a policy that holds a job that neither ends nor writes a checkpoint for too long.

    allowed_execute_duration exists for this purpose, but HTCondor 23.9.6 never enforces it together with
    transfer_output_files (measured).
    """
    transferred = "ifThenElse(isUndefined(TransferOutFinished), 0, TransferOutFinished)"
    since = f"max({{JobCurrentStartExecutingDate, {transferred}}})"
    # While its inputs are transferred, a job has status 2 (running), but this date is still undefined.
    executing = "JobStatus == 2 && !isUndefined(JobCurrentStartExecutingDate)"
    yield f"periodic_hold = {executing} && (time() - {since}) > {site.allowed_execute_seconds}"
    yield f'periodic_hold_reason = "neither ended nor left a checkpoint for {site.allowed_execute_seconds} s"'


def _release_or_remove(site: Site) -> Iterator[str]:
    """Yield a policy that releases a held job a few times and then removes it.

    The node of a removed job fails. So the DAG does not wait for a held job without limit.
    """
    transfer = f"(HoldReasonCode =?= {UPLOAD} || HoldReasonCode =?= {DOWNLOAD})"
    waited = f"(time() - EnteredCurrentStatus) > {SECONDS_BEFORE_RELEASE}"
    # Once for memory and once for disk, each with a larger request.
    memory = f"({_held_for_memory()} && !{_held_for_memory('Last')})"
    disk = f"({_held_for_disk()} && !{_held_for_disk('Last')})"
    first = f"(({memory} || {disk}) && (NumHoldsByReason.JobOutOfResources ?: 0) <= 2)"
    yield f"periodic_release = ({transfer} && NumHolds <= {site.transfer_retries} && {waited}) || {first}"
    yield f"periodic_remove = JobStatus == 5 && (time() - EnteredCurrentStatus) > {site.held_seconds}"


def _python(site: Site) -> str:
    """Return the job's Python: the one on PATH in a container, otherwise the site's."""
    return "python3" if site.container_image else site.job_python


def escape_macros(text: str) -> str:
    """Escape a text's dollar signs, because condor_submit expands $(...) everywhere."""
    return text.replace("$", "$(DOLLAR)")


def _arguments(words: Sequence[str]) -> str:
    """Return an arguments line in the manual's new syntax: words in single quotes, with quotes doubled.

    $(JOB) and $(shard) remain macros; all other dollar signs are escaped.
    """
    return f'arguments = "{" ".join(_quote(word) for word in words)}"'


def _environment(variables: dict[str, str]) -> str:
    return f'environment = "{" ".join(f"{name}={_quote(value)}" for name, value in variables.items())}"'


def _quote(word: str) -> str:
    text = word if word.startswith((JOB, SHARD)) else escape_macros(word)
    text = text.replace('"', '""')
    if text and not any(character in text for character in " '\t"):
        return text
    return "'" + text.replace("'", "''") + "'"
