"""Control characters in text of others never reach the terminal."""

import io
import sys

import pytest
from rich.live import Live
from rich.table import Table

from alignsec import command, terminal
from alignsec.console import TerminalConsole
from alignsec.display import Display
from alignsec.errors import ConfigErrors
from alignsec.terminal import escape_controls

HOSTILE = "a\x1b]0;title\x07\x1b[2Jb\x9b31mc\u202ed\u2066e\r\x7f"
ESCAPED = r"a\x1b]0;title\x07\x1b[2Jb\x9b31mc\u202ed\u2066e\r\x7f"


def test_control_characters_are_escaped_and_text_is_kept():
    assert escape_controls(HOSTILE) == ESCAPED
    assert escape_controls(ESCAPED) == ESCAPED
    kept = "column\tä × 猫 \N{EMOJI MODIFIER FITZPATRICK TYPE-4}\nnext line"
    assert escape_controls(kept) == kept
    assert escape_controls("\udcff") == r"\udcff"


@pytest.mark.parametrize("markup", [True, False])
def test_a_console_escapes_text_and_keeps_its_own_colours(markup: bool):
    """Also in tables, live views and progress displays, whose own control codes are kept."""
    file = io.StringIO()
    console = TerminalConsole(file=file, force_terminal=True, width=300, soft_wrap=True)
    console.print(HOSTILE, markup=markup, style="bold")
    table = Table(HOSTILE, title=HOSTILE)
    table.add_row(HOSTILE)
    console.print(table)
    with Live(table, console=console, auto_refresh=False):
        pass
    with Display(console) as display:
        display.begin(HOSTILE, 3, unit="images")
        display.line(HOSTILE)
    shown = file.getvalue()
    assert "\x1b[1m" in shown
    assert r"\x1b]0;title" in shown
    for harmful in ("\x1b]0;", "\x1b[2J", "\x07", "\x9b", "\u202e", "\u2066", "\x7f"):
        assert harmful not in shown


def test_errors_of_commands_are_escaped(capsys: pytest.CaptureFixture[str]):
    def fail() -> int:
        raise ConfigErrors.about(f"runs/{HOSTILE}", "is not a run folder")

    assert command.run_command(fail, "nothing is lost") == command.INPUT_ERROR
    terminal.write(sys.stdout, HOSTILE)
    output = capsys.readouterr()
    assert ESCAPED in output.err
    assert "\x1b" not in output.err
    assert output.out == ESCAPED
