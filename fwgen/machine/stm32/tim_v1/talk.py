"""A timer whose interrupts are served by native code: see ``fwgen.machine.talk``.

Plain is: counting up by the internal clock, nothing preloaded that is yet to act, no outputs, no
slaves, no DMA, and no interrupts but those of the update and of comparisons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.native.service import FLAGS, NEVER, TIMER_REGISTERS, Clock
from fwgen.machine.stm32.tim_v1.counter import FORCE_LOW, FROZEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.native.service import Service
    from fwgen.machine.stm32.tim_v1.timer import Tim
    from fwgen.machine.time import Timer

INTERRUPTS = 0x1F  # of DIER: UIE, CC1IE to CC4IE
_UIE = 1
# What reads as it was written, and nothing else.
_STILL = frozenset((
    "CR1", "CR2", "SMCR", "CCMR1", "CCMR2", "CCER", "PSC", "ARR", "RCR", "BDTR", "DCR", "OR",
))  # fmt: skip


def beating(tim: Tim) -> TimBeat | None:
    """A timer that interrupts, as native code needs it; None where any of it is not plain."""
    counter, dier = tim._counter, tim._dier
    if not dier & INTERRUPTS or dier & ~_of_line(tim):
        return None
    if not tim._running or tim._sms or tim._slaves or tim._following or tim._dead:
        return None
    if tim._restage or tim._idle_from or any(tim._lines.values()):
        return None
    if counter.opm or counter.udis or counter.centre or counter.down or not counter.settled:
        return None
    if counter.rcr or counter.rep or not counter.arr or counter.cnt > counter.arr:
        return None
    if tim._tick > tim.clock.ticks_at(tim.soc.now_ps):
        return None  # it is about to begin
    if any(FROZEN < counter.mode[i] < FORCE_LOW for i in counter.outputs):
        return None
    return TimBeat(tim)


def _of_line(tim: Tim) -> int:
    """What of DIER is on the line that is served: an advanced timer has others, too."""
    return _UIE if tim.instance.advanced else INTERRUPTS


class TimBeat:
    """A timer that does nothing but count and interrupt."""

    def __init__(self, tim: Tim) -> None:
        self._tim = tim
        self._at = 0

    @property
    def name(self) -> str:
        """The timer's."""
        return self._tim.name

    @property
    def irq(self) -> int:
        """The number of its interrupt."""
        tim = self._tim
        return tim.spec.irqs["up" if tim.instance.advanced else "global"]

    @property
    def timers(self) -> list[Timer]:
        """Its own call to come."""
        return [] if self._tim._alarm is None else [self._tim._alarm]

    def fill(self, service: Service, seat: int) -> None:
        """Put it into the structure."""
        tim, counter = self._tim, self._tim._counter
        timer, beat = service.timers[seat], service.course.beats[seat]
        timer.base, timer.clock = tim.spec.base, Clock(*tim.clock.terms)
        timer.cleared_by_0, timer.interrupts = tim.sr.cleared_by_0, _of_line(tim)
        timer.prescale, timer.period = counter.psc + 1, counter.arr + 1
        timer.origin = tim._tick - counter.pre - counter.cnt * timer.prescale
        timer.phases[:] = [0, *[NEVER] * (FLAGS - 1)]
        for i in counter.outputs:
            beyond = counter.ccr[i] > counter.arr
            timer.phases[i + 1] = 0 if beyond else counter.ccr[i]
        timer.known[:] = [0] * TIMER_REGISTERS
        compares = {f"CCR{i + 1}" for i in counter.outputs}
        for name, state in tim.states.items():
            if name in _STILL or name in compares:
                place = state.spec.offset // 4
                timer.held[place], timer.known[place] = state.value & state.readable, 1
        beat.sr, beat.dier = tim.sr.value, tim._dier
        beat.at = self._at = counter.cnt
        beat.next_ps = NEVER if tim._alarm is None else tim._alarm.t_ps
        beat.order = tim.soc.scheduler.order_of(tim._alarm)
        beat.read_ps = NEVER

    def take(self, service: Service, seat: int) -> list[tuple[int, Callable[[], None]]]:
        """Go on from where serving it came to; what asks for its call anew, with its order."""
        tim, counter = self._tim, self._tim._counter
        timer, beat, now_ps = (
            service.timers[seat],
            service.course.beats[seat],
            service.course.now_ps,
        )
        if beat.read_ps != NEVER:
            tim.soc.flags_read[tim.name] = beat.read_ps
        tim.sr.value = beat.sr
        if beat.dier != tim._dier:
            tim.dier.value = tim._dier = beat.dier
            tim._tell_beating()
        if beat.at != self._at:
            tim._tick = timer.origin + beat.at * timer.prescale
            counter.pre, counter.cnt = 0, beat.at % timer.period
            tim.cnt.value = counter.cnt
        due = NEVER if tim._alarm is None else tim._alarm.t_ps
        return [] if beat.next_ps == due else [(beat.order, lambda: tim._settle(now_ps))]
