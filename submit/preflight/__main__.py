"""Entry point: `python -m submit.preflight STUDY` reports what would go wrong after submission.

It writes and submits nothing. The last line is "ready" or "N problems".
"""

import argparse
import os
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from alignsec import command
from alignsec.catalogue import hub_cache
from alignsec.console import TerminalConsole
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.run.folder import RunFolder
from submit import pool, transfer, validation
from submit.audits import resolve_audits
from submit.code import CHECKOUT
from submit.condor.submission import CondorCommand
from submit.preflight import access, machines, quotas
from submit.preflight.machines import LargestRequests
from submit.requests.measurements import Measurements
from submit.requests.summary import format_duration, format_size
from submit.site import Site
from submit.sites import files

NOTE = "preflight writes nothing; run it again"


def main() -> int:
    """Run the command.

    Returns:
        0 if the study is ready, 2 if there are problems.
    """
    parser = argparse.ArgumentParser(prog="python -m submit.preflight", description=__doc__)
    parser.add_argument("study", type=Path, help="the study file, such as studies/demo.toml")
    parser.add_argument("--env", type=Path, default=CHECKOUT / ".env", help="the site's settings (default: .env)")
    parser.add_argument("--site", metavar="NAME", help="the site's profile (default: SITE of .env)")
    arguments = parser.parse_args()
    console = TerminalConsole(soft_wrap=True, highlight=False)
    return command.run_command(partial(_carry_out, arguments, console), NOTE)


def _carry_out(arguments: argparse.Namespace, console: TerminalConsole) -> int:
    found = pool.find(CHECKOUT / ".pool", os.environ)
    overrides = {"SITE": arguments.site} if arguments.site else {}
    return check(console, arguments.study, arguments.env, overrides, os.environ, found.run if found else None)


def check(
    console: TerminalConsole,
    study: Path,
    env: Path,
    overrides: Mapping[str, str],
    environ: Mapping[str, str],
    run: CondorCommand | None,
) -> int:
    """Print all problems of a study at a site, then "ready" or their number.

    Args:
        console: Where to print.
        study: The study file.
        env: The `.env` file.
        overrides: Keys that take precedence over the file.
        environ: The caller's environment.
        run: Runs a command of HTCondor; None without a pool.

    Returns:
        The command's exit code.
    """
    site, errors = Site.read_usable(env, overrides, environ)
    errors += files.find_errors(site, env, CHECKOUT)
    try:
        validated = validation.validate(study, hub_cache.cache_folder(environ), CHECKOUT / site.weights)
        validated = resolve_audits(validated, RunFolder(CHECKOUT / site.runs / validated.study.name))
    except ConfigErrors as error:
        errors += error.errors
        largest = LargestRequests(site.request_memory_mb, site.request_disk_mb, site.gpus_minimum_memory_mb)
    else:
        needs = quotas.estimate_needs(validated, site, Measurements([]))
        largest = needs.largest(site)
        errors += transfer.weights_size_errors(validated, site, CHECKOUT / site.weights)
        errors += transfer.images_size_errors(study, validated.selection, site)
        errors += quotas.time_errors(needs, site, env)
        errors += quotas.quota_errors(validated, needs, site, env, CHECKOUT)
        errors += quotas.score_errors(validated)
        errors += access.staged_errors(validated, site, env, CHECKOUT / site.weights)
        _print_needs(console, needs)
    errors += _pool_errors(console, run, site, largest, env)
    for problem in errors:
        console.print(str(problem), markup=False)
    console.print("ready" if not errors else f"{len(errors)} problem{'s' if len(errors) > 1 else ''}")
    return command.INPUT_ERROR if errors else command.SUCCESS


def _print_needs(console: TerminalConsole, needs: quotas.StudyNeeds) -> None:
    longest = max(one.seconds for one in needs.estimates)
    total = sum(one.transferred for one in needs.estimates)
    console.print(
        f"{len(needs.estimates)} jobs; the longest about {format_duration(longest)}; "
        f"{format_size(total)} of inputs in total; {format_size(needs.outcome_bytes)} of outcomes"
    )


def _pool_errors(
    console: TerminalConsole, run: CondorCommand | None, site: Site, largest: LargestRequests, env: Path
) -> list[ConfigError]:
    """Return what is wrong with the pool: none found, no answer, no access, or no machine for the study's jobs."""
    given = f'"{site.site}"'
    if run is None:
        remedy = "HTCondor not found; on an access point, its commands must be on PATH"
        return [ConfigError(path=env, field="SITE", given=given, remedy=remedy)]
    try:
        ads = machines.query_machines(run)
    except ValueError as error:
        return [ConfigError(path=env, field="SITE", given=given, remedy=f"the collector does not answer: {error}")]
    denied = access.schedd_errors(run, site, env)
    console.print(f"{machines.count_matching(ads, site, largest)} of {len(ads)} machines can run the jobs")
    return [*denied, *machines.find_errors(ads, site, largest, env)]


if __name__ == "__main__":
    sys.exit(main())
