"""Entry point: `python -m submit.weights STUDY` downloads the weights of a study's models into the site's folder.

It needs the `staging` extra of pyproject.toml, a network connection and disk space. It does not need torch. With
torch, it converts torch files to safetensors.
"""

import argparse
import errno
import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console

from alignsec import command, terminal
from alignsec.console import TerminalConsole
from alignsec.display import BYTES, Display, megabytes
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.study.study import Study
from submit import lock
from submit.code import CHECKOUT
from submit.digest_cache import DIGESTS_FILE, DigestCache
from submit.site import Site
from submit.weights import address, pinning
from submit.weights.manifest import Manifest
from submit.weights.retry import RetryPolicy

try:
    from submit.weights.staging import FetchResult, WeightsStager
except ModuleNotFoundError as missing:
    sys.exit(f"{missing}: the command needs requirements/staging.txt; run it as make weights, which installs it")

NO_ACCESS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}
NOTE = "complete files are kept; to continue, run the same command again"


def main() -> int:
    """Run the command.

    Returns:
        The exit code: 0 all files are staged, 1 some are not, 2 errors in the input, 130 interrupted.
    """
    parser = argparse.ArgumentParser(prog="python -m submit.weights", description=__doc__)
    parser.add_argument("study", type=Path, help="the study file, such as studies/demo.toml")
    parser.add_argument("--env", type=Path, default=CHECKOUT / ".env", help="the site's settings (default: .env)")
    parser.add_argument("--site", metavar="NAME", help="the site's profile (default: SITE of .env)")
    parser.add_argument("--at-once", type=int, default=4, metavar="N", help="simultaneous downloads (default: 4)")
    arguments = parser.parse_args()
    console = TerminalConsole(soft_wrap=True, highlight=False)
    return command.run_command(partial(_carry_out, arguments, console), NOTE)


def _carry_out(arguments: argparse.Namespace, console: Console) -> int:
    failed = stage(
        arguments.study,
        Site.read(arguments.env, site=arguments.site, environ=os.environ),
        console,
        max(1, arguments.at_once),
    )
    if failed:
        terminal.write(sys.stderr, f"{ConfigErrors(failed)}\n{NOTE}\n")
    return command.INCOMPLETE if failed else command.SUCCESS


def stage(path: Path, site: Site, console: Console, at_once: int) -> list[ConfigError]:
    """Download the weights of a study's models that the site's weights folder lacks.

    Args:
        path: The study file.
        site: The site's settings.
        console: Where to show the progress and the results.
        at_once: Number of simultaneous downloads.

    Returns:
        An error for each model whose weights could not be downloaded.

    Raises:
        ConfigErrors: The study or the folder cannot be used.
        OSError: The disk failed.
    """
    study = Study.load(path)
    wanted: dict[str, list[int]] = defaultdict(list)
    for index, model in enumerate(study.models):
        if where := address.weights_address(model):
            wanted[where].append(index)
    expected = pinning.read_digests(path, study, wanted)
    folder = CHECKOUT / site.weights
    with _locked(folder):
        digests = DigestCache(CHECKOUT / site.runs / DIGESTS_FILE)
        stager = WeightsStager(
            folder, digests, RetryPolicy(), site.job_python, os.environ, expected=expected, at_once=at_once
        )
        missing = stager.find_missing(list(wanted))
        own = sum(1 for model in study.models if model.weights is not None)
        console.print(
            f"{folder}: {len(wanted) - len(missing)} of {len(wanted)} files present, {len(missing)} to download"
            + (f"; {own} models have their own weights" if own else "")
        )
        failures = _download(stager, missing, console)
        digests.save()
        known = Manifest.read(folder).weights
    present = {known[one].file: known[one].bytes for one in wanted if one in known}
    console.print(f"{len(present)} files, {megabytes(sum(present.values()))}, for {len(study.models)} models")
    errors = [_failed(path, study, index, result) for result in failures for index in wanted[result.address]]
    return sorted(errors, key=str)


def _download(stager: WeightsStager, missing: Sequence[str], console: Console) -> list[FetchResult]:
    """Download files, show the progress and the results, and return the failures."""
    failures = []
    with Display(console) as display:
        display.begin(f"0/{len(missing)} files", unit=BYTES)
        stager.on_bytes = lambda address, done, total: display.update(done, total, item=address)
        stager.retry.on_wait = display.line
        for number, result in enumerate(stager.run(missing), start=1):
            files = f"{number}/{len(missing)} files"
            display.finish(result.address, files)
            display.line(f"{files}: {result.address}: {_describe(result)}")
            if result.staged is None:
                failures.append(result)
            elif warning := pinning.warn_unverified(result.staged, result.address, stager.expected):
                display.line(warning)
    return failures


def _describe(result: FetchResult) -> str:
    if result.staged is None:
        return f"failed: {result.reason}"
    conversion = ", converted to safetensors" if result.staged.rewritten else ""
    return f"{result.staged.file}, {megabytes(result.staged.bytes)}{conversion}"


def _failed(path: Path, study: Study, index: int, result: FetchResult) -> ConfigError:
    source = f'"{study.models[index].source}"'
    return ConfigError(
        path=path,
        field=f"models[{index}].source",
        given=source,
        remedy=f"could not be downloaded: {result.reason}",
    )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Create and lock the weights folder; raise ConfigErrors if it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with lock.hold(folder / ".lock"):
            yield
    except OSError as error:
        if error.errno not in NO_ACCESS:
            raise
        remedy = f"cannot be written ({error.strerror}); set a writable folder with enough space"
        raise ConfigErrors(
            [ConfigError(path=".env", field="WEIGHTS", given=f'"{folder}"', remedy=remedy)]
        ) from None


if __name__ == "__main__":
    sys.exit(main())
