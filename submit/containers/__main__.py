"""Entry point: `python -m submit.containers` builds the image of the jobs, or writes a build job for the pool."""

import argparse
import os
import shlex
import subprocess
import sys
from functools import partial
from pathlib import Path

from alignsec import atomic, command, terminal
from alignsec.errors import ConfigErrors
from submit.code import CHECKOUT
from submit.containers.builder import TOOLS, BuildFolder, find_tool, is_access_point
from submit.containers.recipe import VARIANTS, read_recipe

DESCRIPTION = "Build the container image of the jobs; on an access point, write a build job instead."
NOTE = "to continue, run the same command again"


def main() -> int:
    """Read the arguments and build the image.

    Returns:
        0 if the image or the build job is there, 1 if the build failed, 2 without a tool, 130 after Ctrl-C.
    """
    parser = argparse.ArgumentParser(prog="python -m submit.containers", description=DESCRIPTION)
    parser.add_argument("--variant", choices=tuple(VARIANTS), default="image", help="libraries (default: image)")
    parser.add_argument("--folder", type=Path, default=CHECKOUT / "build", help="folder to build in")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--job", action="store_true", help="write the build job, and build nothing")
    how.add_argument("--here", action="store_true", help="build on this machine although it has condor_submit")
    how.add_argument(
        "--write", action="store_true", help="update containers/Dockerfile and containers/alignsec.def"
    )
    return command.run_command(partial(_build, parser.parse_args(), os.environ.get("PATH", "")), NOTE)


def _build(arguments: argparse.Namespace, path: str) -> int:
    recipe = read_recipe(CHECKOUT, arguments.variant)
    if arguments.write:
        atomic.write_atomic(CHECKOUT / "containers/Dockerfile", recipe.dockerfile().encode())
        atomic.write_atomic(CHECKOUT / "containers/alignsec.def", recipe.apptainer().encode())
        return command.SUCCESS
    folder = BuildFolder(arguments.folder / recipe.name, recipe)
    folder.write(CHECKOUT)
    if arguments.job or (is_access_point(path) and not arguments.here):
        terminal.write(
            sys.stdout,
            f"wrote {folder.build_job}; images must not be built on an access point. To build it, run:\n"
            f"  cd {shlex.quote(str(folder.path))} && condor_submit -i {folder.build_job.name}\n"
            f"and in the job, with your staging folder: sh build.sh /staging/b/bucky\n"
            f"Then set CONTAINER_IMAGE=osdf:///chtc/staging/b/bucky/{folder.image_file} in .env\n",
        )
        return command.SUCCESS
    tool = find_tool(path)
    if tool is None:
        remedy = f"none of {', '.join(TOOLS)} found; install one, or write a build job for a pool with --job"
        raise ConfigErrors.about("containers", remedy)
    if subprocess.run(folder.command(tool), cwd=folder.path, check=False).returncode:
        return command.INCOMPLETE
    where = (
        f"copy {folder.path / folder.image_file} to the pool's storage, and set CONTAINER_IMAGE in .env to it"
        if tool == "apptainer"
        else f"push {recipe.name} to a registry, and set CONTAINER_IMAGE=docker://NAME/{recipe.name} in .env"
    )
    terminal.write(sys.stdout, f"built {recipe.name}; {where}\n")
    return command.SUCCESS


if __name__ == "__main__":
    sys.exit(main())
