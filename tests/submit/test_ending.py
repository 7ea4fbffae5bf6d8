"""How a command ends: one exit code and one message for each way."""

import io

import pytest
from rich.console import Console

from alignsec.mistake import Mistake, Mistakes
from submit import ending

KEPT = "what is whole is kept"


@pytest.mark.parametrize(
    ("raised", "code", "told", "shown"),
    [
        (Mistakes([Mistake("x.toml", "name", "", "is missing")]), 2, "x.toml: name: is missing\n", ""),
        (OSError("the disk is full"), 1, f"the disk is full\n{KEPT}\n", ""),
        (KeyboardInterrupt(), 130, "", f"interrupted; {KEPT}\n"),
    ],
    ids=["mistakes", "disk", "interrupt"],
)
def test_each_way_has_its_code_and_words(
    raised: BaseException, code: int, told: str, shown: str, capsys: pytest.CaptureFixture[str]
):
    def work() -> int:
        raise raised

    out = io.StringIO()
    assert ending.of(work, Console(file=out), KEPT) == code
    assert capsys.readouterr().err == told
    assert out.getvalue() == shown


def test_another_error_is_a_traceback():
    """It is a mistake of ours, and no exit code would say so."""

    def work() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ending.of(work, Console(), KEPT)


def test_what_the_work_returns_is_the_code():
    assert ending.of(lambda: 7, Console(), KEPT) == 7
