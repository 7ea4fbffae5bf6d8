"""Fake programs for tests: shell scripts in place of the commands of HTCondor and apt."""

import subprocess
from pathlib import Path


def output_of(*argv: str | Path, env: dict[str, str] | None = None) -> str:
    """Run a program, which must exit with 0; return its output."""
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout


def fake_program(path: Path, script: str) -> Path:
    """Write a program that runs a shell script; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path
