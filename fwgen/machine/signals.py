"""Lines between peripherals and pads.

A ``Signal`` is what a peripheral puts out or takes in. A source that repeats can say so as a wave:
it is written out edge by edge only while somebody listens to edges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.time import NEVER
from fwgen.machine.waves import Pulses, SquareWave

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.pads import Pad
    from fwgen.machine.time import Scheduler, Timer


class Signal:
    """A line with one driver: a peripheral, or (``connect``) a pad. Level None: not driven."""

    __slots__ = (
        "_followers", "_level", "_listeners", "_pad", "_timer", "_told", "_unlisten", "_wave",
        "name", "scheduler",
    )  # fmt: skip

    def __init__(self, name: str, scheduler: Scheduler, level: int | None = None) -> None:
        self.name = name
        self.scheduler = scheduler
        self._level = level
        self._told = level  # what the listeners know
        self._wave: SquareWave | Pulses | None = None
        self._timer: Timer | None = None
        self._pad: Pad | None = None
        self._unlisten: Callable[[], None] | None = None
        self._listeners: list[Callable[[int, int | None], None]] = []
        self._followers: list[
            tuple[Callable[[int, int | None], None], Callable[[SquareWave | Pulses], None]]
        ] = []

    # ------------------------------------------------------------------ driving

    def drive(self, t_ps: int, level: int | None) -> None:
        """Drive a steady level from ``t_ps`` on."""
        if self._wave is None and level == self._level:
            return
        self._stop_wave()
        self._level = level
        for steady, _ in tuple(self._followers):
            steady(t_ps, level)
        self._tell(t_ps, level)

    def drive_wave(self, wave: SquareWave | Pulses) -> None:
        """Repeat, until driven otherwise. Edges come only to those who listen to edges."""
        self._stop_wave()
        self._wave, self._level = wave, wave.level
        for _, repeating in tuple(self._followers):
            repeating(wave)
        self._tell(wave.t_ps, wave.level)
        if self._listeners and self._timer is None and self._wave is wave:
            self._arm(wave.t_ps)

    def connect(self, t_ps: int, pad: Pad | None) -> None:
        """Take the level of a pad from now on, or (None) of nothing."""
        if pad is self._pad:
            return
        self._pad = pad
        self._listen_to_pad()
        self._tell(t_ps, self.level(t_ps))

    # ------------------------------------------------------------------ reading

    def level(self, t_ps: int) -> int | None:
        """The level at a time, which is not before the last change."""
        if self._pad is not None:
            return self._pad.level_at(t_ps)
        return self._level if self._wave is None else self._wave.level_at(t_ps)

    @property
    def wave(self) -> SquareWave | Pulses | None:
        """The wave being driven, or None when steady."""
        return self._wave

    @property
    def pad(self) -> Pad | None:
        """The pad this line takes its level from, or None."""
        return self._pad

    @property
    def taken(self) -> bool:
        """Whether anybody takes this line: a pad that carries it, or who listens."""
        return bool(self._followers or self._listeners)

    @property
    def listened(self) -> bool:
        """Whether anybody listens edge by edge."""
        return bool(self._listeners)

    def stable_until(self, t_ps: int) -> int:
        """Until when the level at ``t_ps`` holds if nobody drives otherwise."""
        if self._pad is not None:
            return self._pad.stable_until(t_ps)
        return NEVER if self._wave is None else self._wave.next_edge(t_ps)

    def listen(self, listener: Callable[[int, int | None], None]) -> Callable[[], None]:
        """Hear each change of level as ``listener(t_ps, level)``; returns how to stop."""
        if not self._listeners:
            self._told = self.level(self._now())
        self._listeners.append(listener)
        self._listen_to_pad()
        if self._wave is not None and self._timer is None:
            self._arm(self._now())

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)
                self._listen_to_pad()

        return stop

    def follow(
        self,
        steady: Callable[[int, int | None], None],
        repeating: Callable[[SquareWave | Pulses], None],
    ) -> Callable[[], None]:
        """Hear steady levels and waves as they are driven, no edges; returns how to stop."""
        follower = (steady, repeating)
        self._followers.append(follower)

        def stop() -> None:
            if follower in self._followers:
                self._followers.remove(follower)

        return stop

    # ------------------------------------------------------------------ inside

    def _now(self) -> int:
        return max(self.scheduler.now_ps, self._wave.t_ps if self._wave is not None else 0)

    def _listen_to_pad(self) -> None:
        # A pad that is listened to gives up its waves: listen only when somebody here does.
        if self._unlisten is not None:
            self._unlisten()
            self._unlisten = None
        if self._pad is not None and self._listeners:
            self._unlisten = self._pad.listen(self._tell)

    def _arm(self, t_ps: int) -> None:
        assert self._wave is not None
        self._timer = self.scheduler.at(self._wave.next_edge(t_ps), self._edge)

    def _edge(self, t_ps: int) -> None:
        self._timer = None
        if self._wave is not None and self._listeners:
            self._tell(t_ps, self._wave.level_at(t_ps))
            if self._wave is not None and self._timer is None:
                self._arm(t_ps)

    def _tell(self, t_ps: int, level: int | None) -> None:
        if level != self._told:
            self._told = level
            for listener in tuple(self._listeners):
                listener(t_ps, level)

    def _stop_wave(self) -> None:
        self._wave = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Fabric:
    """All lines of a chip by name: what peripherals put out, what they take in, and the pads.

    A peripheral asks for its outputs when it is made: that is how a port knows them.
    """

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

    def carrying(self, output: Signal) -> list[Pad]:
        """The pads on which an output comes out."""
        return [pad for pad in self.pads.values() if pad.source is output]

    def input(self, name: str) -> Signal:
        """What a peripheral takes in ("USART2_RX"); made when first asked for."""
        return self._inputs.setdefault(name, Signal(name, self._scheduler))

    def has_input(self, name: str) -> bool:
        """Whether a modelled peripheral takes this signal in."""
        return name in self._inputs
