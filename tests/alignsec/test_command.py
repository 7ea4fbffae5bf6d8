"""The command wrapper: one exit code and one message for each way in which a command can end."""

import subprocess
import sys

import pytest

from alignsec import command
from alignsec.errors import ConfigErrors
from tests.paths import CHECKOUT

NOTE = "complete files are kept"


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (ConfigErrors.about("x.toml", "not found"), 2, "x.toml: not found\n"),
        (OSError("the disk is full"), 1, f"the disk is full; {NOTE}\n"),
        (OSError(28, "No space left on device", "x.bin"), 1, f"x.bin: No space left on device; {NOTE}\n"),
        (KeyboardInterrupt(), 130, f"interrupted; {NOTE}\n"),
    ],
    ids=["errors", "disk", "disk with a file", "interrupt"],
)
def test_each_error_has_its_exit_code_and_message(
    raised: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]
):
    def work() -> int:
        raise raised

    assert command.run_command(work, NOTE) == code
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", message)


def test_a_command_chooses_the_exit_codes_of_its_own_errors(capsys: pytest.CaptureFixture[str]):
    def fail(error: Exception) -> int:
        raise error

    assert command.run_command(lambda: fail(LookupError("no such model")), NOTE, expected={LookupError: 3}) == 3
    assert capsys.readouterr().err == "no such model\n"
    assert command.run_command(lambda: fail(OSError("gone")), NOTE, os_error=command.INPUT_ERROR) == 2


def test_any_other_error_is_a_bug_and_propagates():
    def work() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        command.run_command(work, NOTE)


def test_the_exit_code_of_the_work_is_returned():
    assert command.run_command(lambda: 7, NOTE) == 7


@pytest.mark.parametrize("lines", [10, 100_000], ids=["buffered", "more than the buffer"])
def test_a_closed_stdout_ends_the_command_without_a_message(lines: int):
    """`make status | head` closes the pipe early. A short output fails only when it is flushed."""
    program = f"""
import sys
from alignsec.command import run_command

def work():
    sys.stdin.read()
    sys.stdout.writelines(["line\\n"] * {lines})
    return 0

sys.exit(run_command(work, "note"))
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, err = process.communicate("", timeout=60)
    assert (process.returncode, err) == (command.INCOMPLETE, "")


def test_a_broken_pipe_elsewhere_is_reported(capfd: pytest.CaptureFixture[str]):
    def work() -> int:
        raise BrokenPipeError(32, "Broken pipe")

    assert command.run_command(work, NOTE) == command.INCOMPLETE
    assert capfd.readouterr().err == f"[Errno 32] Broken pipe; {NOTE}\n"
