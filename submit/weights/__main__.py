"""Entry point: `python -m submit.weights STUDY` fetches the weights of a study's models into the site's folder.

Needs the `staging` extra of pyproject.toml, a network and disk; no torch, but with it torch files are rewritten.
"""

import argparse
import errno
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console

from alignsec import command
from alignsec.display import BYTES, Display, megabytes
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.study.study import Study
from submit import lock
from submit.code import CHECKOUT
from submit.digest_cache import NAME as DIGESTS
from submit.digest_cache import DigestCache
from submit.site import Site
from submit.weights import address
from submit.weights.manifest import Manifest
from submit.weights.retry import Patience

try:
    from submit.weights.staging import Fetched, Staging
except ModuleNotFoundError as missing:
    sys.exit(f"{missing}: fetching weights needs what requirements/staging.txt lists; install it into this Python")

NOT_OURS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}
NOTE = "complete files are kept; to continue, run the same command again"


def main() -> int:
    """Read the arguments and fetch; 0 all is there, 1 some is not, 2 errors, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="python -m submit.weights", description=__doc__)
    parser.add_argument("study", type=Path, help="the study file, such as studies/demo.toml")
    parser.add_argument("--env", type=Path, default=CHECKOUT / ".env", help="the site's settings (default: .env)")
    parser.add_argument("--at-once", type=int, default=4, metavar="N", help="files at once (default: 4)")
    arguments = parser.parse_args()
    console = Console(soft_wrap=True, highlight=False)
    return command.run_command(partial(_carry_out, arguments, console), NOTE)


def _carry_out(arguments: argparse.Namespace, console: Console) -> int:
    failed = stage(arguments.study, Site.read(arguments.env), console, max(1, arguments.at_once))
    if failed:
        sys.stderr.write(f"{ConfigErrors(failed)}\n{NOTE}\n")
    return command.INCOMPLETE if failed else command.SUCCESS


def stage(path: Path, site: Site, console: Console, at_once: int) -> list[ConfigError]:
    """Fetch what a study's models want and the folder lacks; a error for each model whose weights failed.

    Raises Mistakes for a study or a folder that cannot be used, OSError, KeyboardInterrupt.
    """
    study = Study.load(path)
    wanted: dict[str, list[int]] = defaultdict(list)
    for index, model in enumerate(study.models):
        if where := address.weights_address(model):
            wanted[where].append(index)
    folder = CHECKOUT / site.weights
    with _held(folder):
        digests = DigestCache(CHECKOUT / site.runs / DIGESTS)
        patience = Patience()
        staging = Staging(folder, digests, patience, site.job_python, os.environ, at_once=at_once)
        missing = staging.missing(list(wanted))
        own = sum(1 for model in study.models if model.weights is not None)
        console.print(
            f"{folder}: {len(wanted) - len(missing)} of {len(wanted)} files are there, {len(missing)} to fetch"
            + (f"; {own} models have weights of their own" if own else "")
        )
        errors = []
        with Display(console) as display:
            display.begin(f"0/{len(missing)} files", unit=BYTES)
            staging.on_bytes = lambda address, done, total: display.update(done, total, item=address)
            patience.said = display.line
            for number, fetched in enumerate(staging.run(missing), start=1):
                files = f"{number}/{len(missing)} files"
                display.finish(fetched.address, files)
                display.line(f"{files}: {fetched.address}: {_result(fetched)}")
                if fetched.staged is None:
                    errors += [_failed(path, study, index, fetched) for index in wanted[fetched.address]]
        digests.keep()
        known = Manifest.read(folder).weights
    here = {known[one].file: known[one].bytes for one in wanted if one in known}
    console.print(f"{len(here)} files, {megabytes(sum(here.values()))}, for {len(study.models)} models")
    return sorted(errors, key=str)


def _result(fetched: Fetched) -> str:
    if fetched.staged is None:
        return f"failed: {fetched.why}"
    how = ", rewritten as safetensors" if fetched.staged.rewritten else ""
    return f"{fetched.staged.file}, {megabytes(fetched.staged.bytes)}{how}"


def _failed(path: Path, study: Study, index: int, fetched: Fetched) -> ConfigError:
    source = f'"{study.models[index].source}"'
    return ConfigError(
        path=path, field=f"models[{index}].source", given=source, remedy=f"could not be fetched: {fetched.why}"
    )


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The weights folder, made and locked. Raises Mistakes where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with lock.held(folder / ".lock"):
            yield
    except OSError as error:
        if error.errno not in NOT_OURS:
            raise
        remedy = f"cannot be written ({error.strerror}); name a folder of yours with room for the weights"
        raise ConfigErrors(
            [ConfigError(path=".env", field="WEIGHTS", given=f'"{folder}"', remedy=remedy)]
        ) from None


if __name__ == "__main__":
    sys.exit(main())
