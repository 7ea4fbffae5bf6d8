"""Entry point: `python -m submit.images STUDY` packs the images of a study into the site's folder.

`make submit` packs them if this command has not. Parquet shards need the `staging` extra of pyproject.toml.
"""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from rich.console import Console

from alignsec import command
from alignsec.console import TerminalConsole
from alignsec.display import megabytes
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.images import duplicates
from alignsec.study.study import Study
from submit.code import CHECKOUT
from submit.digest_cache import DIGESTS_FILE, DigestCache
from submit.images.packs import StudyPacks
from submit.images.selection import Selection
from submit.images.store import PackStore
from submit.site import Site

NOTE = "complete packs are kept; to continue, run the same command again"


def main() -> int:
    """Run the command.

    Returns:
        The exit code: 0 done, 1 disk error, 2 errors in the input, 130 interrupted.
    """
    parser = argparse.ArgumentParser(prog="python -m submit.images", description=__doc__)
    parser.add_argument("study", type=Path, help="the study file, such as studies/demo.toml")
    parser.add_argument("--env", type=Path, default=CHECKOUT / ".env", help="the site's settings (default: .env)")
    parser.add_argument("--site", metavar="NAME", help="the site's profile (default: SITE of .env)")
    arguments = parser.parse_args()
    console = TerminalConsole(soft_wrap=True, highlight=False)
    return command.run_command(partial(_carry_out, arguments, console), NOTE)


def _carry_out(arguments: argparse.Namespace, console: Console) -> int:
    pack(arguments.study, Site.read(arguments.env, site=arguments.site, environ=os.environ), console)
    return command.SUCCESS


def pack(path: Path, site: Site, console: Console) -> StudyPacks:
    """Select and pack a study's images.

    Args:
        path: The study file.
        site: The site's settings.
        console: Where to show the progress and the result.

    Raises:
        ConfigErrors: All errors of the study and its images.
        OSError: A file cannot be read or written.
    """
    study = Study.load(path)
    errors: list[ConfigError] = []
    selection = Selection.from_study(path, study, errors)
    if errors:
        raise ConfigErrors(errors)
    digests = DigestCache(CHECKOUT / site.runs / DIGESTS_FILE)
    store = PackStore(CHECKOUT / site.images, digests)
    console.print(f"{len(selection.images)} of {selection.found} images, {selection.classes} classes")
    console.print(f"labels: {selection.labels}", markup=False)
    packs = StudyPacks.write(selection, store, console)
    if same := duplicates.describe_duplicates(store.folder / packs.images.name):
        console.print(same, markup=False)
    digests.save()
    for file in (packs.images, *packs.corrupted.values()):
        console.print(f"{store.folder / file.name}: {megabytes((store.folder / file.name).stat().st_size)}")
    return packs


if __name__ == "__main__":
    sys.exit(main())
