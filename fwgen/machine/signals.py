"""Digital lines between peripherals, pads and the world outside.

A ``Signal`` is what a peripheral puts out or takes in; a ``Pad`` is a pin of the package, whose
level follows from everything that drives and pulls it. A source that repeats can say so as a
wave: it is written out edge by edge only while somebody listens to edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from fwgen.machine.time import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.time import Scheduler, Timer

Listener = "Callable[[int, int | None], None]"


@dataclass(frozen=True, slots=True)
class SquareWave:
    """From ``t_ps``: ``level`` for ``first_ps``, the other for ``second_ps``, and again."""

    t_ps: int
    level: int
    first_ps: Fraction
    second_ps: Fraction

    def level_at(self, t_ps: int) -> int:
        """The level at a time at or after the wave's start."""
        into = Fraction(t_ps - self.t_ps) % (self.first_ps + self.second_ps)
        return self.level ^ (into >= self.first_ps)

    def next_edge(self, t_ps: int) -> int:
        """The first change of level after ``t_ps``."""
        period = self.first_ps + self.second_ps
        turns, into = divmod(Fraction(t_ps - self.t_ps), period)
        edge = self.t_ps + turns * period + (self.first_ps if into < self.first_ps else period)
        at = int(edge)
        return at if at > t_ps else at + 1


class Signal:
    """A line with one driver. Level None: not driven."""

    __slots__ = ("_level", "_listeners", "_timer", "_wave", "_wave_listeners", "name", "scheduler")

    def __init__(self, name: str, scheduler: Scheduler, level: int | None = None) -> None:
        self.name = name
        self.scheduler = scheduler
        self._level = level
        self._wave: SquareWave | None = None
        self._timer: Timer | None = None
        self._listeners: list[Callable[[int, int | None], None]] = []
        self._wave_listeners: list[Callable[[int, SquareWave], None]] = []

    def drive(self, t_ps: int, level: int | None) -> None:
        """Drive a steady level from ``t_ps`` on."""
        before = self.level(t_ps)
        self._stop_wave()
        self._level = level
        if level != before or self._wave_listeners:
            for listener in tuple(self._listeners):
                listener(t_ps, level)

    def drive_wave(self, wave: SquareWave) -> None:
        """Repeat, until driven otherwise. Edges come only to those who listen to edges."""
        before = self.level(wave.t_ps)
        self._stop_wave()
        self._wave, self._level = wave, wave.level
        for taker in tuple(self._wave_listeners):
            taker(wave.t_ps, wave)
        if self._listeners:
            if wave.level != before:
                self._tell(wave.t_ps)
            self._arm(wave.t_ps)

    def level(self, t_ps: int) -> int | None:
        """The level at a time, which is not before the last change."""
        return self._level if self._wave is None else self._wave.level_at(t_ps)

    @property
    def wave(self) -> SquareWave | None:
        """The wave being driven, or None when steady."""
        return self._wave

    def stable_until(self, t_ps: int) -> int:
        """Until when the level at ``t_ps`` holds if nobody drives otherwise."""
        return NEVER if self._wave is None else self._wave.next_edge(t_ps)

    def listen(self, listener: Callable[[int, int | None], None]) -> Callable[[], None]:
        """Hear each change of level as ``listener(t_ps, level)``; returns how to stop."""
        self._listeners.append(listener)
        if self._wave is not None and self._timer is None:
            self._arm(max(self.scheduler.now_ps, self._wave.t_ps))

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def _arm(self, t_ps: int) -> None:
        assert self._wave is not None
        self._timer = self.scheduler.at(self._wave.next_edge(t_ps), self._edge)

    def _edge(self, t_ps: int) -> None:
        self._timer = None
        if self._wave is not None and self._listeners:
            self._tell(t_ps)
            if self._wave is not None and self._timer is None:
                self._arm(t_ps)

    def _tell(self, t_ps: int) -> None:
        level = self.level(t_ps)
        for listener in tuple(self._listeners):
            listener(t_ps, level)

    def _stop_wave(self) -> None:
        self._wave = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class PinRecorder(Protocol):
    """Who wants to know what pads do (the trace)."""

    def edge(self, t_ps: int, pin: str, level: int | None) -> None:
        """A pad took a level."""

    def fight(self, t_ps: int, pin: str, who: str) -> None:
        """Two strong drivers disagree on a pad."""


class Pad:
    """A pin of the package.

    Drivers, strongest first: the chip's output stage and what is wired outside (``strong``),
    resistors on the board, the chip's own weak pull. Strong drivers that disagree are a fight:
    reported, and the level is what the outside says.
    """

    __slots__ = (
        "_inside", "_level", "_listeners", "_outside", "_pull", "_recorder", "_resistor", "name",
    )  # fmt: skip

    def __init__(self, name: str, recorder: PinRecorder) -> None:
        self.name = name
        self._recorder = recorder
        self._inside: int | None = None
        self._pull: int | None = None
        self._outside: dict[str, int] = {}
        self._resistor: int | None = None
        self._level: int | None = None
        self._listeners: list[Callable[[int, int | None], None]] = []

    @property
    def level(self) -> int | None:
        """0, 1, or None: floating."""
        return self._level

    @property
    def driven_inside(self) -> int | None:
        """What the chip's output stage drives; None when it does not."""
        return self._inside

    @property
    def wired(self) -> bool:
        """Whether anything outside drives or pulls the pin."""
        return bool(self._outside) or self._resistor is not None

    def drive(self, t_ps: int, level: int | None, pull: int | None) -> None:
        """What the chip does to the pin: its output stage, and its weak pull."""
        self._inside, self._pull = level, pull
        self._resolve(t_ps)

    def drive_outside(self, t_ps: int, who: str, level: int | None) -> None:
        """Something outside drives the pin strongly, or (None) lets go."""
        if level is None:
            self._outside.pop(who, None)
        else:
            self._outside[who] = level
        self._resolve(t_ps)

    def set_resistor(self, t_ps: int, level: int | None) -> None:
        """A resistor on the board pulls the pin to a level."""
        self._resistor = level
        self._resolve(t_ps)

    def listen(self, listener: Callable[[int, int | None], None]) -> Callable[[], None]:
        """Hear each change of level; returns how to stop."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def _resolve(self, t_ps: int) -> None:
        strong = [(who, level) for who, level in self._outside.items()]
        if self._inside is not None:
            strong.append(("the chip", self._inside))
        if strong:
            level: int | None = strong[0][1]
            if any(other != level for _, other in strong[1:]):
                self._recorder.fight(t_ps, self.name, " against ".join(who for who, _ in strong))
        elif self._resistor is not None:
            level = self._resistor
        else:
            level = self._pull
        if level != self._level:
            self._level = level
            self._recorder.edge(t_ps, self.name, level)
            for listener in tuple(self._listeners):
                listener(t_ps, level)


class Fabric:
    """All lines of a chip by name: what peripherals put out, what they take in, and the pads."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._outputs: dict[str, Signal] = {}
        self._inputs: dict[str, Signal] = {}
        self.pads: dict[str, Pad] = {}

    def output(self, name: str) -> Signal:
        """What a peripheral puts out ("TIM2_CH1"); made when first asked for."""
        return self._outputs.setdefault(name, Signal(name, self._scheduler))

    def has_output(self, name: str) -> bool:
        """Whether a modelled peripheral puts this signal out."""
        return name in self._outputs

    def input(self, name: str) -> Signal:
        """What a peripheral takes in ("USART2_RX"); made when first asked for."""
        return self._inputs.setdefault(name, Signal(name, self._scheduler))

    def has_input(self, name: str) -> bool:
        """Whether a modelled peripheral takes this signal in."""
        return name in self._inputs
