"""Paragraphs and columns in the terminal: aligned, wrapped under themselves, no blanks at the end.

Output that is piped into a file reads as well as in a terminal, and a narrow terminal cuts nothing.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import ConsoleOptions, RenderResult

LABEL = 10  # columns that the longest label of a report takes
NARROW = 44  # a terminal below this has no room for text beside a label
LEAST = 18  # columns that folded text needs to be readable


class Screen(Console):
    """A console that outlives its reader: after "| head" the work goes on, unseen."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, emoji=False)

    def on_broken_pipe(self) -> None:
        """Rich would end the program here; the verdict and the files still matter."""
        self.quiet = True
        silence(sys.stderr if self.stderr else sys.stdout)


def silence(stream: object) -> None:
    """Send whatever is still written to a stream nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())  # type: ignore[attr-defined]
    os.close(nowhere)


class Paragraph:
    """A label, and lines beside it that wrap under themselves."""

    def __init__(
        self,
        label: str | Text,
        lines: Sequence[str | Text],
        *,
        style: str = "cyan",
        width: int = LABEL,
        hang: int = 1,
    ) -> None:
        self._label = label if isinstance(label, Text) else Text(label, style=style)
        self._lines = [Text(line) if isinstance(line, str) else line for line in lines]
        self._width = width
        self._hang = hang

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines, one Text each."""
        margin = Text(" ")
        indent = 1 + self._width + 1
        if self._width > 2 and options.max_width < NARROW:
            yield margin + self._label
            indent = 3
            first = Text(" " * indent)
        else:
            first = margin + self._label
            first.append(" " * (indent - first.cell_len))
        for line in self._lines:
            for part in folded(line, options.max_width - indent, self._hang):
                yield first + part
                first = Text(" " * indent)


class Columns:
    """Rows of cells in aligned columns; the last column wraps under itself."""

    def __init__(self, header: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
        self._rows = [[Text(name, style="dim") for name in header]]
        self._rows += [[Text(c) if isinstance(c, str) else c for c in row] for row in rows]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The rows, one Text a line."""
        leading = [list(cells) for cells in zip(*(row[:-1] for row in self._rows), strict=True)]
        widths = [max(cell.cell_len for cell in column) for column in leading]
        indent = 1 + sum(width + 2 for width in widths)
        below = options.max_width - indent < LEAST  # no room beside: the last cell goes below
        room = options.max_width - (5 if below else indent)
        for row in self._rows:
            line = Text(" ")
            for cell, width in zip(row[:-1], widths, strict=True):
                line += cell
                line.append(" " * (width - cell.cell_len + 2))
            parts = folded(row[-1], room, 0) if row[-1].cell_len else []
            if below:
                line.rstrip()
                yield line
                line = Text(" " * 5)
            for part in parts:
                yield line + part
                line = Text(" " * (5 if below else indent))
            if not parts and not below:
                line.rstrip()
                yield line


def folded(line: Text, room: int, hang: int = 1) -> list[Text]:
    """A text in lines of at most ``room`` columns; all but the first hang in."""
    if line.cell_len <= room:
        shown = line.copy()
        shown.rstrip()
        return [shown]
    parts: list[Text] = []
    for part in line.wrap(_MEASURE, max(1, room - hang), overflow="fold"):
        part.rstrip()
        parts.append(Text(" " * hang) + part if parts else part)
    return parts


_MEASURE = Console(width=80, file=None)
