"""Every entry point ends with one line and exit code 130 on Ctrl-C, without a traceback."""

import inspect
import sys
from importlib import import_module

import pytest

from alignsec import command

ENTRY_POINTS = (
    ("submit.__main__", "_carry_out", ("study.toml",)),
    ("submit.status", "_print_status", ("runs/x",)),
    ("submit.failures", "_print_failures", ("runs/x",)),
    ("submit.images.__main__", "_carry_out", ("study.toml",)),
    ("submit.weights.__main__", "_carry_out", ("study.toml",)),
    ("submit.pool.__main__", "_run", ("status",)),
    ("aggregate.__main__", "_run", ("runs/x",)),
    ("aggregate.compare", "_run", ("runs/x", "runs/y")),
    ("aggregate.registry", "_run", ("package", "--scores", "scores.csv", "--out", "out.csv")),
    ("aggregate.published.__main__", "_run", ("numbers.csv", "--scores", "scores.csv")),
    ("studies.demo.__main__", "_prepare", ()),
    ("alignsec.models.conversion", "_run", ("in.pth", "out.safetensors")),
    ("alignsec.models.brainscore_archive", "_run", ("model", "model.tar")),
)


@pytest.mark.parametrize(
    ("module", "work", "arguments"), ENTRY_POINTS, ids=[module for module, _, _ in ENTRY_POINTS]
)
def test_ctrl_c_ends_an_entry_point_with_one_line(
    module: str,
    work: str,
    arguments: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    entry = import_module(module)
    monkeypatch.setattr(entry, work, interrupted)
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    parameters = list(inspect.signature(entry.main).parameters)
    given = {0: (), 1: ([*arguments],), 2: arguments}[len(parameters)]
    assert entry.main(*given) == command.INTERRUPTED
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("interrupted; ")
