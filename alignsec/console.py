"""The console of all commands: rich's, with control characters in its text escaped."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from alignsec.terminal import escape_controls


class TerminalConsole(Console):
    """A console that escapes control characters in everything that it prints. Its own colours are kept."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render an object and escape control characters in its text."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(escape_controls(text), style)
