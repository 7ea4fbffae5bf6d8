"""The environment variables of a job are the same in a pool and on this machine."""

import subprocess
from pathlib import Path

from alignsec.run.job_environment import inherited, job_environment, shell_exports


def test_the_shell_exports_the_same_variables(tmp_path: Path):
    done = subprocess.run(
        ["/bin/sh", "-c", f"{shell_exports()}\nenv"],
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    exported = dict(line.split("=", 1) for line in done.stdout.splitlines())
    expected = job_environment(tmp_path, tmp_path / "code.zip")
    assert {name: exported.get(name) for name in expected} == expected


def test_only_listed_variables_are_inherited():
    """Proxies are inherited only by processes that download; tokens never."""
    environ = {
        "PATH": "/bin",
        "HF_TOKEN": "x",
        "AWS_ACCESS_KEY_ID": "x",
        "https_proxy": "http://proxy",
        "PYTHONPATH": "x",
    }
    assert inherited(environ) == {"PATH": "/bin"}
    assert inherited(environ, downloads=True) == {"PATH": "/bin", "https_proxy": "http://proxy"}
