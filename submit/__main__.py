"""Entry point: `python -m submit STUDY` checks a study, writes its run folder, and submits or runs it."""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from rich.console import Console

from alignsec import command
from alignsec.catalogue import hub_cache
from alignsec.display import megabytes
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.run.folder import RunFolder
from submit import layout, local, lock, pool, validation
from submit import transfer as weight_transfer
from submit.code import CHECKOUT
from submit.condor import submission
from submit.digest_cache import NAME as DIGESTS
from submit.digest_cache import DigestCache
from submit.images import transfer as image_transfer
from submit.images.store import PackStore
from submit.monitor.waiting import wait
from submit.pool import Pool, PoolUnavailableError
from submit.requests import measurements, requests, summary
from submit.site import Site
from submit.validation import ValidatedStudy

NOTE = "finished pairs are kept; to continue, run the same command again"


def main() -> int:
    """Read the arguments and do as they say; 0 is done, 1 not every pair is ok, 2 errors, 130 interrupted."""
    arguments = _parser().parse_args()
    console = Console(soft_wrap=True, highlight=False)
    return command.run_command(partial(_carry_out, arguments, console), NOTE)


def _carry_out(arguments: argparse.Namespace, console: Console) -> int:
    """Check, write, then run or submit. Raises Mistakes before anything is written, OSError, KeyboardInterrupt."""
    site = Site.read(arguments.env)
    runs, weights = CHECKOUT / site.runs, CHECKOUT / site.weights
    digests = DigestCache(runs / DIGESTS, lambda path, size: console.print(f"reading {path}, {megabytes(size)}"))
    checked = validation.validate(arguments.study, hub_cache.folder(os.environ), weights, digests)
    if not arguments.local:
        too_large = weight_transfer.errors(checked, site, weights)
        too_large += image_transfer.errors(checked.path, checked.selection, site)
        if too_large:
            raise ConfigErrors(too_large)
    folder = RunFolder((runs / checked.study.name).resolve())
    here = None if arguments.local else _pool(console, private=arguments.private_pool)
    on_this_machine = arguments.local or (arguments.private_pool and here is None)
    if here is None and not on_this_machine and not arguments.dry:
        raise ConfigErrors([_no_pool()])
    with lock.held(folder.lock):
        _refuse_live(folder, here)
        plan = layout.write(checked, folder, PackStore(CHECKOUT / site.images, digests), console)
        digests.keep()
        console.print(f"{folder.root}: {len(plan.planned)} pairs, {plan.image_count} images")
        _tell_unpublished(console, checked)
        asked = requests.request_resources(plan, folder, site, weights, measurements.gather(runs))
        done = submission.done(folder, plan)
        summary.print_requests(console, plan, asked, done, table=arguments.dry)
        if on_this_machine:
            return 0 if arguments.dry else local.study(console, site, plan, folder, os.environ, arguments.jobs)
        written = submission.write(folder, plan, site, asked, done)
        if here is None or arguments.dry:
            console.print(f"not submitted; condor_submit_dag {written} does it")
            return 0
        submitted = submission.submit(folder, here.run)
        console.print(f"submitted as job {submitted.cluster}; make status RUN={folder.root} shows how it goes")
        if here.owned:
            console.print("the private pool stays up for other runs; make pool-down ends it")
    return wait(console, folder) if arguments.wait or arguments.private_pool else 0


def _tell_unpublished(console: Console, checked: ValidatedStudy) -> None:
    """Name the models that no published accuracy guards from a wrong mean or checkpoint."""
    names = [model.name for model in checked.study.models if model.name not in checked.published]
    if names:
        few = f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"
        console.print(
            f"clean accuracy of {len(names)} of {len(checked.study.models)} models is not checked: {few}"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m submit", description=__doc__)
    parser.add_argument("study", type=Path, help="the study file, such as studies/demo.toml")
    parser.add_argument("--env", type=Path, default=CHECKOUT / ".env", help="the site's settings (default: .env)")
    parser.add_argument("--dry", action="store_true", help="check everything and write the run folder, no more")
    parser.add_argument("--wait", action="store_true", help="show how it goes until the DAG has ended")
    parser.add_argument(
        "-j", "--jobs", type=int, metavar="N", help="with --local: pairs at once (default: LOCAL_JOBS of .env)"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--local", action="store_true", help="run the pairs here, without HTCondor")
    where.add_argument(
        "--private-pool",
        action="store_true",
        help="start a private pool if there is none, and wait; where none can be had, run the pairs here",
    )
    return parser


def _pool(console: Console, *, private: bool) -> Pool | None:
    """The pool to submit to, or None where there is none."""
    folder = CHECKOUT / ".pool"
    if not private:
        return pool.find(folder, os.environ)
    try:
        return pool.ensure(folder, os.environ)
    except PoolUnavailableError as why:
        console.print(f"no HTCondor pool here: {why}\nso the pairs run on this machine, one after another")
        return None


def _refuse_live(folder: RunFolder, here: Pool | None) -> None:
    """A run folder that DAGMan still works in is not to be written to."""
    cluster = submission.live(folder, here.run if here else None)
    if cluster is not None:
        remedy = f"is running as DAGMan job {cluster}; wait for it, or end it with condor_rm {cluster}"
        raise ConfigErrors.about(folder.root, remedy)


def _no_pool() -> ConfigError:
    remedy = (
        "no HTCondor answers here: on an access point it is on PATH; "
        "make pool starts a private one, and make local needs none"
    )
    return ConfigError(path="", remedy=remedy)


if __name__ == "__main__":
    sys.exit(main())
