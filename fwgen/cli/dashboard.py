"""How a watched board is shown: on a screen for people, as lines for pipes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from fwgen.cli.shown import shown_words
from fwgen.cli.watched import BEFORE, MIXED, Track, Watched
from fwgen.trace import Edge, Pictured, Shown, Wave
from fwgen.trace.excerpt import drawn
from fwgen.units import PS_PER_S, show_duration, show_frequency, show_ratio

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from fwgen.board.types import Part
    from fwgen.cli.watched import Rate, Source
    from fwgen.trace import Event

SLOW_PS = PS_PER_S // 20  # what takes longer for a period can be seen going on and off
LEFT_OF_STRIP, LEAST_STRIP = 46, 16  # columns
MOST_NOTES = 8  # rows
LEAST_CONSOLE = 3  # rows: its rule, a line, and the keys below
CELLS = {0: "▁", 1: "█", MIXED: "▒", None: "·", BEFORE: " "}
ASCII = {0: "_", 1: "#", MIXED: "%", None: ".", BEFORE: " "}


class Dashboard:
    """A watched board on a screen: parts and pins with what they did lately, sleep, console."""

    def __init__(self, source: Source, watched: Watched, keys: str) -> None:
        self._source, self._watched, self._keys = source, watched, keys

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The screen, as high as there is room."""
        watched, width = self._watched, options.max_width
        height = options.height or console.height
        table = self._pins(width, ascii_only=options.ascii_only)
        rows: list[Text | Table | Rule] = [self._head(width), Text(), table]
        room = height - table.row_count - 3 - LEAST_CONSOLE  # for notes
        notes = list(watched.notes)[-min(room, MOST_NOTES) :] if room > 0 else []
        rows += [_cut(f" {show_duration(at, 4)}: {note}", "yellow") for at, note in notes]
        shown = self._shown(width, height - table.row_count - len(notes) - 3 - LEAST_CONSOLE)
        rows += shown
        port = watched.board.console
        if port is not None:
            title = f"console, {port.uart}: {watched.received} bytes"
            rows.append(Rule(title, style="dim", align="left"))
            taken = table.row_count + len(notes) + len(shown)
            rows += self._console(max(1, height - taken - 4))
        yield Group(*rows, _cut(f" {self._keys}", "dim"))

    def _head(self, width: int) -> Text:
        watched, source = self._watched, self._source
        told = [f"{watched.now_ps / PS_PER_S:.1f} s"]
        awake = source.awake_ppm if source.awake_ppm is not None else watched.awake_ppm
        if awake is not None:
            told.append(f"awake {show_ratio(awake, 4)}")
        if source.resolution_ps:
            longest = show_duration(source.resolution_ps, 2)
            often = show_duration(source.every_ps, 2)
            told.append(f"sampled every {often}, {longest} at the longest")
        tail = "   ".join(told)
        head = _cut(f" {source.title}", "bold")
        head.truncate(max(1, width - len(tail) - 3), overflow="ellipsis")
        head.append(f"{tail:>{max(1, width - head.cell_len - 1)}}", style="not bold")
        return head

    def _pins(self, width: int, *, ascii_only: bool) -> Table:
        watched = self._watched
        columns = width - LEFT_OF_STRIP
        wide = columns >= LEAST_STRIP
        table = Table.grid(padding=(0, 2, 0, 0), expand=False)
        table.add_column(style="bold", no_wrap=True, min_width=5)
        table.add_column(no_wrap=True, min_width=8)
        table.add_column(no_wrap=True, min_width=22 if wide else None)
        if wide:
            table.add_column(no_wrap=True)
        cells = ASCII if ascii_only else CELLS
        parts = watched.board.parts
        named = [(name, track, parts[name]) for name, track in watched.parts.items()]
        others = [(name, track, None) for name, track in sorted(watched.pins.items())]
        for name, track, part in (*named, *others):
            rate = track.rate(watched.now_ps)
            row: list[str | Text] = [f" {name}", _state(track, watched.now_ps, part, rate),
                   _told(track, rate, watched.now_ps, part)]  # fmt: skip
            if wide:
                past = track.strip(watched.now_ps, watched.window_ps, columns)
                row.append("".join(cells[_as_active(one, part)] for one in past))
            table.add_row(*row)
        return table

    def _shown(self, width: int, room: int) -> list[Text]:
        """What displays and other parts show; a picture where there is room for it."""
        rows: list[Text] = []
        for event in self._watched.shown.last.values():
            rows += [_cut(f" {line}", "") for line in shown_words(event).splitlines()]
            if isinstance(event, Pictured):
                picture = drawn(event, width - 2)
                rows += [_cut(f" {row}", "green") for row in picture[: room - len(rows)]]
        return rows[: max(0, room)]

    def _console(self, room: int) -> list[Text]:
        watched = self._watched
        last = [watched.line] if watched.line else []
        lines = [text for _, text in watched.lines][-max(0, room - len(last)) :] + last
        return [Text(f" {line}", no_wrap=True, overflow="ellipsis") for line in lines[-room:]]


def _cut(text: str, style: str) -> Text:
    """Text of one row, cut where the row ends."""
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _as_active(level: int | None, part: Part | None) -> int | None:
    """A level as the part's own: 1 is lit or pressed."""
    if part is None or part.active or level not in (0, 1):
        return level
    return 1 - level


def _state(track: Track, now_ps: int, part: Part | None, rate: Rate | None) -> Text:
    level = track.level_at(now_ps)
    if rate is not None and rate.period_ps < SLOW_PS:
        duty = rate.duty_ppm if part is None or part.active else 10**6 - rate.duty_ppm
        return Text(show_ratio(duty, 3), style="green")
    if level is None:
        return Text("floating", style="dim")
    if part is None or part.sensor is not None:
        return Text("high" if level else "low", style="green" if level else "")
    active = level == part.active
    words = ("on", "off") if part.kind == "led" else ("down", "up")
    return Text(words[0] if active else words[1], style="green" if active else "")


def _told(track: Track, rate: Rate | None, now_ps: int, part: Part | None) -> str:
    if rate is not None:
        duty = rate.duty_ppm if part is None or part.active else 10**6 - rate.duty_ppm
        return f"{show_frequency(rate.mhz, 4)}, {show_ratio(duty, 3)}"
    if not track.changes:
        return "steady"
    return f"for {show_duration(now_ps - track.since_ps, 3)}"


class Lines:
    """A watched board as lines of text, with its time: changes, console, what went wrong."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._parts = {part.pin: part for part in watched.board.parts.values()}
        self._silent = set()
        console = watched.board.console
        if console is not None:
            self._silent = {console.tx, console.rx}

    def told(self, events: list[Event], lines_before: int, notes_before: int) -> list[str]:
        """Lines for events that were fed; for the console's lines and the notes since so many."""
        found = [
            (event.t_ps, self._change(event))
            for event in events
            if isinstance(event, Edge | Wave) and event.pin not in self._silent
        ]
        found += [
            (event.t_ps, shown_words(event))
            for event in events
            if isinstance(event, Pictured) or (isinstance(event, Shown) and event.what != "lit")
        ]
        noted = self._watched.noted - notes_before
        found += list(self._watched.notes)[-noted:] if noted else []
        lines = list(self._watched.lines)
        new = self._watched.ended - lines_before
        found += [(at, f"console {text}") for at, text in (lines[-new:] if new else ())]
        return [f"{t / PS_PER_S:.6f} {text}" for t, text in sorted(found, key=lambda one: one[0])]

    def _change(self, event: Edge | Wave) -> str:
        part = self._parts.get(event.pin)
        name = part.name if part is not None else event.pin
        if isinstance(event, Wave):
            track = Track(None)
            track.add(event)
            rate = track.rate(event.t_ps)
            assert rate is not None
            return f"{name} {_told(track, rate, event.t_ps, part)}"
        track = Track(event.level)
        return f"{name} {_state(track, event.t_ps, part, None).plain}"
