"""How a command ends: one exit code and one message for each way."""

import io

import pytest
from rich.console import Console

from alignsec import command
from alignsec.errors import ConfigError, ConfigErrors

KEPT = "what is whole is kept"


@pytest.mark.parametrize(
    ("raised", "code", "told", "shown"),
    [
        (
            ConfigErrors([ConfigError(path="x.toml", field="name", remedy="is missing")]),
            2,
            "x.toml: name: is missing\n",
            "",
        ),
        (OSError("the disk is full"), 1, f"the disk is full\n{KEPT}\n", ""),
        (KeyboardInterrupt(), 130, "", f"interrupted; {KEPT}\n"),
    ],
    ids=["errors", "disk", "interrupt"],
)
def test_each_way_has_its_code_and_words(
    raised: BaseException, code: int, told: str, shown: str, capsys: pytest.CaptureFixture[str]
):
    def work() -> int:
        raise raised

    out = io.StringIO()
    assert command.run_command(work, Console(file=out), KEPT) == code
    assert capsys.readouterr().err == told
    assert out.getvalue() == shown


def test_another_error_is_a_traceback():
    """It is a error of ours, and no exit code would say so."""

    def work() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        command.run_command(work, Console(), KEPT)


def test_what_the_work_returns_is_the_code():
    assert command.run_command(lambda: 7, Console(), KEPT) == 7
