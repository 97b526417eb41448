"""What is watched on a board: pins, console, the core's sleep, from events as they come.

Where they come from is a ``Source``: the machine now; whatever gives events of a trace can be
one, exact or sampled.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from typing import TYPE_CHECKING, Protocol

from fwgen.cli.shown import ShownParts
from fwgen.trace import Edge, Event, Fault, Gap, Hazard, Reset, SerialByte, Sleep, Wake, Wave
from fwgen.trace.making import dataclass
from fwgen.units import MHZ_PER_HZ, PPM, PS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from fractions import Fraction

    from fwgen.board.types import Board, Part

MOST_CHANGES = 4096  # of one pin that are remembered
MOST_LINES = 500
MOST_NOTES, MOST_TOLD = 500, 20  # kept; hazards, gaps and faults told one by one
MOST_LINE = 400  # characters of a line without an end
MIXED, BEFORE = 2, 3  # both levels, too fast to be told apart; before time began


class Source(Protocol):
    """A board that can be watched."""

    @property
    def title(self) -> str:
        """What it is: the board, and whether it is real."""

    @property
    def now_ps(self) -> int:
        """How far it has been watched."""

    @property
    def initial(self) -> Mapping[str, int | None]:
        """The levels of the pins at time 0."""

    @property
    def every_ps(self) -> int:
        """How far apart two looks at a pin usually are; 0 when nothing is missed."""

    @property
    def resolution_ps(self) -> int:
        """How long a level must last to be seen for sure; 0 when nothing is missed."""

    @property
    def awake_ppm(self) -> int | None:
        """The share of time that the core runs, where it is measured by itself; else None."""

    def poll(self) -> tuple[Sequence[Event], float]:
        """What happened since the last time, and for how many seconds nothing more will."""


class Touchable(Source, Protocol):
    """A source that ends, and whose buttons can be pressed."""

    @property
    def over(self) -> bool:
        """Whether the time that was asked for has passed, or nothing more comes after a fault."""

    @property
    def summary(self) -> str:
        """What was watched and how well, in one line; "" where there is nothing to say."""

    def press(self, part: Part) -> None:
        """Press a button and let go."""


@dataclass(frozen=True, slots=True)
class Said(Event):
    """What a source has to say of itself: the board went away, it is there again."""

    text: str


@dataclass(frozen=True, slots=True)
class Rate:
    """A pin repeats: exact for a timer's wave, else by its last full period."""

    period_ps: Fraction | int
    high_ps: Fraction | int

    @property
    def mhz(self) -> int:
        """The frequency in millihertz."""
        return round(PS_PER_S * MHZ_PER_HZ / self.period_ps)

    @property
    def duty_ppm(self) -> int:
        """The share of time at 1."""
        return round(PPM * self.high_ps / self.period_ps)


class Track:
    """What one pin did: its changes, the oldest forgotten, and the wave it may carry now."""

    def __init__(self, level: int | None) -> None:
        self._times: list[int] = [0]
        self._levels: list[int | None] = [level]
        self._wave: Wave | None = None
        self.changes = 0

    def add(self, event: Edge | Wave) -> None:
        """Take the next change."""
        self.changes += event.level != self.level_at(event.t_ps)
        self._wave = event if isinstance(event, Wave) else None
        self._times.append(event.t_ps)
        self._levels.append(event.level)
        if len(self._times) > MOST_CHANGES:
            del self._times[: MOST_CHANGES // 2], self._levels[: MOST_CHANGES // 2]

    def level_at(self, t_ps: int) -> int | None:
        """The level at a time; of what is forgotten, None."""
        if self._wave is not None and t_ps >= self._wave.t_ps:
            wave = self._wave
            into = (t_ps - wave.t_ps) % (wave.first_ps + wave.second_ps)
            return wave.level ^ (into >= wave.first_ps)
        at = bisect_right(self._times, t_ps)
        return self._levels[at - 1] if at else None

    @property
    def since_ps(self) -> int:
        """When it last changed."""
        return self._times[-1]

    def rate(self, now_ps: int) -> Rate | None:
        """How it repeats; None when it does not, or no longer."""
        if self._wave is not None:
            wave = self._wave
            high = wave.first_ps if wave.level else wave.second_ps
            return Rate(wave.first_ps + wave.second_ps, high)
        times, levels = self._times, self._levels
        rises = [n for n in range(len(times) - 1, 0, -1) if levels[n] == 1 and levels[n - 1] == 0]
        if len(rises) < 2:
            return None
        last, before = rises[0], rises[1]
        period = times[last] - times[before]
        if now_ps - times[-1] > 2 * period:
            return None
        return Rate(period, times[before + 1] - times[before])

    def strip(self, now_ps: int, window_ps: int, columns: int) -> list[int | None]:
        """The levels of late in columns of equal time: 0, 1, None (floating), MIXED or BEFORE.

        The columns begin at multiples of their width, so that the past moves as a whole.
        """
        width = max(1, window_ps // columns)
        stop = (now_ps // width + 1) * width
        found: list[int | None] = []
        for begin in range(stop - columns * width, stop, width):
            end = min(begin + width, max(now_ps, begin + 1))
            if begin < 0:
                found.append(BEFORE)
            elif self._turns(begin, end) > 1:
                found.append(MIXED)
            else:
                found.append(self.level_at((begin + end) // 2))
        return found

    def _turns(self, begin: int, end: int) -> int:
        """How often it changes within a stretch of time, up to "often"."""
        changes = bisect_right(self._times, end) - bisect_right(self._times, begin)
        wave = self._wave
        if wave is not None and end > wave.t_ps:
            return int(2 * (end - max(begin, wave.t_ps)) / (wave.first_ps + wave.second_ps))
        return changes


class Watched:
    """All that is seen of a board, up to ``now_ps``; the last ``window_ps`` of it in detail."""

    def __init__(self, board: Board, initial: Mapping[str, int | None], *, window_ps: int) -> None:
        self.board, self.window_ps = board, window_ps
        self.now_ps = 0
        self.fault: Fault | None = None
        self.parts = {part.name: Track(initial.get(part.pin)) for part in board.parts.values()}
        self.pins: dict[str, Track] = {}  # others, that moved
        self.notes: deque[tuple[int, str]] = deque(maxlen=MOST_NOTES)
        self.noted = 0
        self.lines: deque[tuple[int, str]] = deque(maxlen=MOST_LINES)
        self.received = 0  # bytes
        self.ended = 0  # lines
        self.shown = ShownParts()
        self._initial = initial
        self._told: set[str] = set()
        self._line = bytearray()
        self._line_at = 0
        self._on_part = {part.pin: part.name for part in board.parts.values()}
        self._asleep_ps, self._asleep_since = 0, -1
        self._sleep: deque[tuple[int, int]] = deque([(0, 0)])  # now, asleep until then

    def feed(self, events: Iterable[Event], now_ps: int) -> None:
        """Take what happened up to now."""
        for event in events:
            self._take(event)
        self.now_ps = now_ps
        asleep = self._asleep_ps + (now_ps - self._asleep_since if self._asleep_since >= 0 else 0)
        self._sleep.append((now_ps, asleep))
        while len(self._sleep) > 2 and self._sleep[1][0] <= now_ps - self.window_ps:
            self._sleep.popleft()

    @property
    def awake_ppm(self) -> int | None:
        """The share of the window's time that the core ran; None before any has passed."""
        (then, before), (now, asleep) = self._sleep[0], self._sleep[-1]
        if now == then:
            return None
        return PPM - (asleep - before) * PPM // (now - then)

    @property
    def line(self) -> str:
        """What the board has said of a line that has not ended."""
        return _readable(bytes(self._line))

    def _take(self, event: Event) -> None:
        self.shown.take(event)
        console = self.board.console
        match event:
            case Edge() | Wave():
                self._move(event)
            case SerialByte(direction="tx") if console is not None and event.port == console.uart:
                self._hear(event)
            case Sleep():
                self._asleep_since = event.t_ps
            case Wake() | Reset() if self._asleep_since >= 0:
                self._asleep_ps += event.t_ps - self._asleep_since
                self._asleep_since = -1
            case _:
                pass
        match event:
            case Fault():
                self.fault = self.fault or event
                taken = "" if event.reason.startswith(event.exception) else f"{event.exception}: "
                self._note(event, f"fault: {taken}{event.reason}")
            case SerialByte(direction="rx", error=error) if error:
                self._note(event, f"{event.port} receives a byte with a {error} error")
            case Reset():
                self._note(event, f"reset ({event.cause})", once=False)
            case Hazard():
                self._note(event, f"hazard {event.code}: {event.message}")
            case Said():
                self._note(event, f"rig {event.text}", once=False)
            case Gap():
                what = f"{event.peripheral}.{event.register}: {event.access} is not modelled"
                self._note(event, f"gap: {what}")
            case _:
                pass

    def _move(self, event: Edge | Wave) -> None:
        name = self._on_part.get(event.pin)
        if name is not None:
            self.parts[name].add(event)
            return
        console = self.board.console
        if console is not None and event.pin in (console.tx, console.rx):
            return  # what they say is read
        track = self.pins.get(event.pin)
        if track is None:
            track = self.pins[event.pin] = Track(self._initial.get(event.pin))
        track.add(event)

    def _hear(self, event: SerialByte) -> None:
        self.received += 1
        if not self._line:
            self._line_at = event.start_ps
        if event.byte != 0x0A:
            self._line.append(event.byte)
        if event.byte == 0x0A or len(self._line) >= MOST_LINE:
            self.lines.append((self._line_at, _readable(bytes(self._line))))
            self.ended += 1
            self._line.clear()

    def _note(self, event: Event, text: str, *, once: bool = True) -> None:
        if once:
            if text in self._told or len(self._told) > MOST_TOLD:
                return
            self._told.add(text)
            if len(self._told) > MOST_TOLD:
                text = "and more, no longer told one by one"
        self.notes.append((event.t_ps, text))
        self.noted += 1


def _readable(line: bytes) -> str:
    """A line as text, without what would move the cursor."""
    text = line.rstrip(b"\r").decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
