"""Entry point: `python -m submit STUDY` validates a study, writes its run folder, and submits or runs it."""

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path

from rich.console import Console

from alignsec import command
from alignsec.catalogue import hub_cache
from alignsec.console import TerminalConsole
from alignsec.display import megabytes
from alignsec.errors import ConfigErrors
from alignsec.garbage_collection import rare_collections
from alignsec.power import describe_power
from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan
from submit import canary, layout, local, lock, pool, transfer, validation
from submit.audits import describe_audit, resolve_audits
from submit.code import CHECKOUT
from submit.condor import submission
from submit.digest_cache import DIGESTS_FILE, DigestCache
from submit.images.store import PackStore
from submit.job_python import check_job_python
from submit.monitor.waiting import wait_for_run
from submit.pool import Pool, PoolUnavailableError
from submit.requests import measurements, requests, summary
from submit.requests.requests import ResourceRequests
from submit.site import Site
from submit.sites import files
from submit.validation import ValidatedStudy

DESCRIPTION = "Validate a study, write its run folder, and submit or run it."
NOTE = "finished pairs are kept; to continue, run the same command again"


def main() -> int:
    """Read the arguments and submit or run the study.

    Returns:
        0 if the work is done, 1 if a pair is not ok or a disk failed, 2 for errors of the input, 130 after Ctrl-C.
    """
    arguments = _parser().parse_args()
    console = TerminalConsole(soft_wrap=True, highlight=False)
    with rare_collections():
        return command.run_command(partial(_carry_out, arguments, console), NOTE)


def _carry_out(arguments: argparse.Namespace, console: Console) -> int:
    """Validate, write, then run or submit. ConfigErrors are raised before anything is written."""
    site = Site.read(arguments.env, site=arguments.site, environ=os.environ)
    runs, weights = CHECKOUT / site.runs, CHECKOUT / site.weights
    digests = DigestCache(
        runs / DIGESTS_FILE, lambda path, size: console.print(f"computing the digest of {path}, {megabytes(size)}")
    )
    validated = validation.validate(arguments.study, hub_cache.cache_folder(os.environ), weights, digests)
    if not arguments.local:
        _refuse_unusable(validated, site, weights, arguments.env)
    check_job_python(site, dry=arguments.dry)
    folder = RunFolder((runs / validated.study.name).resolve())
    pool_in_use = None if arguments.local else _find_pool(console, private=arguments.private_pool)
    on_this_machine = arguments.local or (arguments.private_pool and pool_in_use is None)
    if pool_in_use is None and not on_this_machine and not arguments.dry:
        raise _no_pool()
    with lock.hold(folder.lock):
        _refuse_running(folder, pool_in_use)
        validated = resolve_audits(validated, folder)
        plan = layout.write_run_folder(validated, folder, PackStore(CHECKOUT / site.images, digests), console)
        digests.save()
        console.print(f"{folder.root}: {len(plan.planned)} pairs, {plan.image_count} images")
        notes = (f"labels: {plan.labels}", plan.duplicates, *map(describe_audit, plan.audits))
        for line in filter(None, notes):
            console.print(line, markup=False)
        _print_unpublished(console, validated)
        _print_power(console, validated, plan.image_count, dry=arguments.dry)
        requested = requests.request_resources(plan, folder, site, weights, measurements.read_measurements(runs))
        finished = submission.find_finished_pairs(folder, plan)
        summary.print_requests(console, plan, requested, finished, table=arguments.dry)
        if on_this_machine:
            if arguments.dry:
                return command.SUCCESS
            submission.put_results_aside(folder, plan, finished)
            return local.run_locally(console, site, plan, folder, os.environ, arguments.jobs)
        wait = _submit(console, arguments, folder, site, plan, requested, finished, pool_in_use)
    return wait()


def _submit(
    console: Console,
    arguments: argparse.Namespace,
    folder: RunFolder,
    site: Site,
    plan: Plan,
    requested: Mapping[str, ResourceRequests],
    finished: Collection[str],
    pool_in_use: Pool | None,
) -> Callable[[], int]:
    """Write the DAG and submit it; return the function that waits for it and returns the command's exit code."""
    only = canary.choose_pair(plan, requested, finished) if arguments.canary else None
    if arguments.canary and only is None:
        console.print("every pair already has its result")
        return lambda: command.SUCCESS
    submission.write_dag(folder, plan, site, requested, finished, only)
    if pool_in_use is None or arguments.dry:
        console.print(f"not submitted; to submit, run: {submission.submit_command(folder)}")
        return lambda: command.SUCCESS
    submission.put_results_aside(folder, plan, finished)
    cluster = submission.submit_dag(folder, pool_in_use.run, site.notification)
    console.print(f"submitted as job {cluster}; to see its progress, run: make status RUN={folder.root}")
    if pool_in_use.owned:
        console.print("the private pool keeps running for other runs; to stop it, run: make pool-down")
    if only is not None:
        return partial(canary.wait_for_canary, console, folder, only, requested[only])
    if arguments.wait or arguments.private_pool:
        return partial(wait_for_run, console, folder)
    return lambda: command.SUCCESS


def _refuse_unusable(validated: ValidatedStudy, site: Site, weights: Path, env: Path) -> None:
    """Raise ConfigErrors if jobs on a pool could not receive the image, the weights or the images."""
    errors = files.find_errors(site, env, CHECKOUT)
    errors += transfer.weights_size_errors(validated, site, weights)
    errors += transfer.images_size_errors(validated.path, validated.selection, site)
    if errors:
        raise ConfigErrors(errors)


def _print_unpublished(console: Console, validated: ValidatedStudy) -> None:
    """Print which models have no published accuracy that would reveal wrong weights or preprocessing."""
    names = [model.name for model in validated.study.models if model.name not in validated.published]
    if names:
        few = f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"
        console.print(
            f"{len(names)} of {len(validated.study.models)} models have no published clean accuracy to compare "
            f"with: {few}"
        )


def _print_power(console: Console, validated: ValidatedStudy, images: int, *, dry: bool) -> None:
    """Print which correlation the study can show, if it has scores and is not to be run yet."""
    if dry and validated.study.scores is not None:
        console.print(describe_power(len(validated.study.models), images), markup=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m submit", description=DESCRIPTION)
    parser.add_argument("study", type=Path, help="the study file, such as studies/demo.toml")
    parser.add_argument("--env", type=Path, default=CHECKOUT / ".env", help="the site's settings (default: .env)")
    parser.add_argument("--site", metavar="NAME", help="the site's profile (default: SITE of .env)")
    parser.add_argument("--dry", action="store_true", help="validate the study and write the run folder only")
    parser.add_argument("--wait", action="store_true", help="show the progress until the DAG has ended")
    parser.add_argument(
        "-j",
        "--jobs",
        type=int,
        metavar="N",
        help="pairs to run at a time on this machine (default: LOCAL_JOBS of .env)",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--canary", action="store_true", help="run only the cheapest pair, and wait for its result")
    where.add_argument("--local", action="store_true", help="run the pairs on this machine, without HTCondor")
    where.add_argument(
        "--private-pool",
        action="store_true",
        help="use HTCondor, or start a private pool, and wait; without a pool, run the pairs on this machine",
    )
    return parser


def _find_pool(console: Console, *, private: bool) -> Pool | None:
    """Return the pool to submit to, or None if there is none; start one if `private`."""
    folder = CHECKOUT / ".pool"
    if not private:
        return pool.find(folder, os.environ)
    try:
        return pool.ensure(folder, os.environ)
    except PoolUnavailableError as error:
        console.print(f"no HTCondor pool is available: {error}\nrunning the pairs on this machine instead")
        return None


def _refuse_running(folder: RunFolder, pool_in_use: Pool | None) -> None:
    """Raise ConfigErrors if DAGMan is still working in the run folder."""
    cluster = submission.find_running_dag(folder, pool_in_use.run if pool_in_use else None)
    if cluster is not None:
        remedy = (
            f"is in use by DAGMan job {cluster}; wait until it ends, or remove it: condor_rm {cluster}. "
            f"If no pool and no access point has that job any more, run: rm {shlex.quote(str(folder.dagman_log))}"
        )
        raise ConfigErrors.about(folder.root, remedy)


def _no_pool() -> ConfigErrors:
    remedy = (
        "HTCondor not found; on an access point, its commands must be on PATH. "
        "To start a private pool, run: make pool. To run without HTCondor, run: make local"
    )
    return ConfigErrors.about("", remedy)


if __name__ == "__main__":
    sys.exit(main())
