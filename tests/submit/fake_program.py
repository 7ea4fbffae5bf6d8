"""Programs made for a test: shell scripts that stand for HTCondor's and apt's."""

import subprocess
from pathlib import Path


def output_of(*argv: str | Path, env: dict[str, str] | None = None) -> str:
    """What a program writes when it exits 0."""
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout


def fake_program(path: Path, script: str) -> Path:
    """A program at path that runs the script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path
