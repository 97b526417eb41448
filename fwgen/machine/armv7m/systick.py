"""SysTick: the core's 24-bit down counter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.armv7m.exceptions import SYSTICK
from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.time import NEVER, Timer

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.native.service import Service
    from fwgen.machine.soc import Soc


class SysTick(Peripheral, registers="armv7m.systick"):
    """Counts HCLK, or HCLK/8, down from LOAD to 0 and again: a period of LOAD + 1.

    A write of VAL clears it, and the next tick loads LOAD; COUNTFLAG rises, and the exception
    pends, as 1 becomes 0. A new LOAD holds from the next reload on; LOAD 0 stops it there.

    Source: Arm ARM DDI0403 B3.3; PM0214 §4.5.
    """

    ctrl, load, val, calib = Reg(), Reg(), Reg(), Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self._hclk = soc.clock("HCLK")
        self._hclk.on_change(self._rearm)
        self._timer: Timer | None = None
        self._running = self._divided = self._flagged = self._frozen = False
        self._tick0 = self._value0 = self._reload = 0

    def on_reset(self, t_ps: int) -> None:
        """Stopped. Silicon's counter and reload value are unknown; here they are 0."""
        self._running = self._flagged = False
        self._divided = True
        self._value0 = self._reload = 0
        self._rearm(t_ps)

    def freeze(self, t_ps: int, *, frozen: bool) -> None:
        """It does not count while the core is halted (B3.3.1)."""
        self._settle(t_ps)
        self._frozen = frozen
        self._running = bool(self.ctrl.ENABLE) and not frozen
        self._tick0 = self._tick(t_ps)
        self._rearm(t_ps)

    # ------------------------------------------------------------------ counting

    def _tick(self, t_ps: int) -> int:
        ticks = self._hclk.ticks_at(t_ps)
        return ticks >> 3 if self._divided else ticks

    def _time(self, tick: int) -> int:
        return self._hclk.time_of(tick << 3 if self._divided else tick)

    def _value(self, tick: int) -> int:
        past = tick - self._tick0 - self._value0
        if not self._running:
            return self._value0
        if past <= 0:
            return -past
        return self._reload - (past - 1) % (self._reload + 1) if self._reload else 0

    def _next_zero(self) -> int | None:
        """The tick at which 1 next becomes 0, or None."""
        if not self._running:
            return None
        if self._value0:
            return self._tick0 + self._value0
        return self._tick0 + 1 + self._reload if self._reload else None

    def _settle(self, t_ps: int) -> None:
        """Count up to now, under the settings so far."""
        tick, zero = self._tick(t_ps), self._next_zero()
        if zero is not None and zero <= tick:
            self._flagged = True
        self._value0, self._tick0 = self._value(tick), tick

    def _rearm(self, t_ps: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        zero = self._next_zero()
        if zero is not None and self.ctrl.TICKINT:
            self._timer = self.soc.scheduler.at(self._time(zero), self._underflow)

    def _underflow(self, t_ps: int) -> None:
        self._settle(t_ps)
        self.soc.exceptions.pend(SYSTICK, t_ps)
        self._rearm(t_ps)

    # ------------------------------------------------------------------ for the core

    @property
    def timer(self) -> Timer | None:
        """The call at the next underflow, while it is to interrupt."""
        return self._timer

    @property
    def due_ps(self) -> int:
        """When the next underflow will interrupt; NEVER when none will."""
        return NEVER if self._timer is None else self._timer.t_ps

    @property
    def period(self) -> int:
        """Cycles of HCLK between underflows; 0 when it does not count on."""
        if not self._running or not self._reload:
            return 0
        return (self._reload + 1) << (3 if self._divided else 0)

    @property
    def counts(self) -> bool:
        """Whether it runs."""
        return self._running

    @property
    def timers(self) -> list[Timer]:
        """Its call to come."""
        return [] if self._timer is None else [self._timer]

    def fill(self, service: Service, seat: int) -> None:
        """Put it into the structure of native code (``fwgen.machine.talk``)."""
        course = service.course
        service.counts, service.divided, service.reload = 1, self._divided, self._reload
        service.tick_ctrl = self.ctrl.value
        course.tick0, course.value0, course.flagged = self._tick0, self._value0, self._flagged
        course.tick_ps = -1 if self._timer is None else self._timer.t_ps
        course.tick_order = self.soc.scheduler.order_of(self._timer)

    def take(self, service: Service, seat: int) -> list[tuple[int, Callable[[], None]]]:
        """Go on from where native code came to; what asks for its call anew, with its order."""
        course = service.course
        self._tick0, self._value0 = course.tick0, course.value0
        self._flagged = bool(course.flagged)
        if self._timer is None or course.tick_ps == self._timer.t_ps:
            return []
        return [(course.tick_order, lambda: self._rearm(course.now_ps))]

    def skip(self, underflows: int) -> None:
        """The state after so many more underflows, each of which was handled."""
        zero = self._next_zero()
        assert zero is not None
        self._tick0 = zero + (underflows - 1) * (self._reload + 1)
        self._value0, self._flagged = 0, True
        self._rearm(self._time(self._tick0))

    # ------------------------------------------------------------------ registers

    @ctrl.on_write
    def _control(self, t_ps: int, written: int, before: int) -> None:
        self._settle(t_ps)
        self._running = bool(self.ctrl.ENABLE) and not self._frozen
        self._divided = not self.ctrl.CLKSOURCE
        self._tick0 = self._tick(t_ps)
        self._rearm(t_ps)

    @ctrl.on_read
    def _status(self, t_ps: int) -> int:
        """Reading CTRL clears COUNTFLAG."""
        self._settle(t_ps)
        flag, self._flagged = self._flagged, False
        return self.ctrl.value | flag << 16

    def peek(self, offset: int, size: int, t_ps: int) -> Peek | None:
        """CTRL can be foreseen while COUNTFLAG is clear."""
        if offset & ~3 != self.ctrl.spec.offset:
            return super().peek(offset, size, t_ps)
        zero = self._next_zero()
        until = NEVER if zero is None else self._time(zero)
        if self._flagged or t_ps >= until:
            return None
        lane = self.ctrl.value >> (8 * (offset & 3))
        return Peek(lane & ((1 << (8 * size)) - 1), until)

    def only_looks(self, offset: int, size: int, t_ps: int) -> bool:
        """A read of CTRL clears nothing while COUNTFLAG is clear: firmware that waits polls it."""
        if offset & ~3 != self.ctrl.spec.offset:
            return super().only_looks(offset, size, t_ps)
        return self.peek(offset, size, t_ps) is not None

    def count_at(self, offset: int, cycle: int) -> tuple[int, int, int] | None:
        """VAL while it counts down by the core's clock, as far as its next zero."""
        if offset != self.val.spec.offset or not self._running or self._divided:
            return None
        tick = self._tick(self.soc.clock("HCLK").time_of(cycle))
        value = self._value(tick)
        return value, -1, self._time(tick + value)

    @load.on_write
    def _set_reload(self, t_ps: int, written: int, before: int) -> None:
        self._settle(t_ps)
        self._reload = self.load.value
        self._rearm(t_ps)

    @val.on_write
    def _clear(self, t_ps: int, written: int, before: int) -> None:
        """Any write clears the counter and COUNTFLAG."""
        self._settle(t_ps)
        self._value0, self._flagged = 0, False
        self._rearm(t_ps)

    @val.on_peek
    def _current(self, t_ps: int) -> Peek:
        tick = self._tick(t_ps)
        if not self._running:
            return Peek(self._value(tick), NEVER)
        return Peek(self._value(tick), self._time(tick + 1))


PERIPHERAL = SysTick
