"""Window watchdog of the STM32F1 to F4. RM0368 §16."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.time import NEVER
from fwgen.trace import Hazard
from fwgen.units import PS_PER_MS, show_duration

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc
    from fwgen.machine.time import Timer

PRESCALER = 4096  # cycles of PCLK1 for each step, before WDGTB (§16.4)
EARLY = 0x40  # the last count before the reset: T6 falls with the next step
SET_UP_PS = 10 * PS_PER_MS  # a write this soon after the start belongs to setting it up
SECTION = "RM0368 §16.3"


class Wwdg(Peripheral, registers="stm32.wwdg_v1"):
    """A seven-bit down-counter that resets the chip when T6 falls, or when fed too early.

    It counts from the moment that its clock runs, also before WDGA starts the watching, and goes
    on from 0 to 0x7F. Its prescaler runs freely: a feed does not restart it, so the first step
    after it comes early by up to one step (§16.4). EWIF is set by the step to 0x40, whether or
    not EWI asks for the interrupt. Feeding costs no event.

    While a debugger halts the core it stands still if DBGMCU says so.

    Not known: the prescaler's phase where the clock is enabled; it is taken to begin there.
    """

    cr, cfr, sr = Reg(), Reg(), Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self._reset_alarm: Timer | None = None
        self._early_alarm: Timer | None = None
        self._begin(0)

    def _begin(self, t_ps: int) -> None:
        self._origin = self.clock.ticks_at(t_ps)  # where the prescaler began
        self._count, self._step = 0x7F, 0  # the count at a step since the origin
        self._seen = 0  # the step up to which EWIF was told
        self._fed_ps = self._started_ps = t_ps

    def on_reset(self, t_ps: int) -> None:
        """Not watching, counting down from 0x7F."""
        self._begin(t_ps)
        self._arm()
        self.irq(t_ps, "global", False)

    def on_clock(self, t_ps: int) -> None:
        """Deadlines move with PCLK1; without it the counter stands still."""
        self._arm()

    def unfinished(self, t_ps: int) -> tuple[Hazard, ...]:
        """A run that ends before the first deadline shows no feeding, so the reset is to come."""
        if not self.cr.WDGA or self._fed_ps > self._started_ps + SET_UP_PS:
            return ()
        due = self._time_of(self._last_step)
        if due >= NEVER:
            return ()
        left = show_duration(max(0, due - t_ps), 3)
        said = f"{self.name} was started and never fed: it resets the chip {left} after this run"
        hazard = Hazard.of(
            "watchdog-unfed", said, max(0, t_ps - 1), section=SECTION,
            cure="write CR.T again and again, within the window",
        )  # fmt: skip
        return (hazard,)

    @property
    def watches(self) -> bool:
        """WDGA is set: it resets whoever does not feed it (§16.3)."""
        return bool(self.cr.WDGA)

    # ------------------------------------------------------------------ registers

    @cr.on_peek
    def _control(self, t_ps: int) -> Peek:
        step = self._step_at(t_ps)
        value = self.cr.value & ~0x7F | self._count_at(step)
        return Peek(value, self._time_of(step + 1))

    @cr.on_write
    def _feed(self, t_ps: int, written: int, before: int) -> None:
        self._look_early(t_ps)
        step = self._step_at(t_ps)
        count, window, watching = self._count_at(step), self.cfr.W, self.cr.field("WDGA", before)
        self._count, self._step = written & 0x7F, step
        if not watching and self.cr.WDGA:
            self._started_ps = t_ps
        self._fed_ps = t_ps
        self._arm()
        if watching and count > window:
            wait = show_duration(self._time_of(step + count - window) - t_ps, 3)
            self._bite(
                t_ps, "watchdog-early",
                f"{self.name} was fed at {count:#x}, above the window's {window:#x}; the window "
                f"opens {wait} later: it resets the chip",
                "feed it only once the count is at or below CFR.W",
            )  # fmt: skip
        elif self.cr.WDGA and not self._count & EARLY:
            self._bite(
                t_ps, "watchdog-expired",
                f"{self.name}.CR written with T = {self._count:#x}, in which T6 is 0: "
                "it resets the chip",
                "always write 1 to T6 (T from 0x40 to 0x7F)",
            )  # fmt: skip

    @cfr.on_write
    def _configure(self, t_ps: int, written: int, before: int) -> None:
        base = self.cfr.field("WDGTB", before)
        if base != self.cfr.WDGTB:
            after, self.cfr.value = self.cfr.value, before
            self._look_early(t_ps)
            count = self._count_at(self._step_at(t_ps))
            self.cfr.value = after
            self._count, self._step = count, self._step_at(t_ps)
            self._seen = self._step
        self._arm()
        self._request(t_ps)

    @sr.on_peek
    def _status(self, t_ps: int) -> Peek:
        if self.sr.EWIF:
            return Peek(self.sr.value, NEVER)
        due = self._next_early(self._seen)
        step = self._step_at(t_ps)
        if due is not None and due <= step:
            return Peek(self.sr.value | self.sr.mask("EWIF"), NEVER)
        return Peek(self.sr.value, NEVER if due is None else self._time_of(due))

    @sr.on_write
    def _clear(self, t_ps: int, written: int, before: int) -> None:
        self._look_early(t_ps)
        if not self.sr.field("EWIF", written):
            self.sr.set(EWIF=0)
        self._arm()
        self._request(t_ps)

    # ------------------------------------------------------------------ counting

    @property
    def _divider(self) -> int:
        return PRESCALER << self.cfr.WDGTB

    def _step_at(self, t_ps: int) -> int:
        return (self.clock.ticks_at(t_ps) - self._origin) // self._divider

    def _time_of(self, step: int) -> int:
        return min(NEVER, self.clock.time_of(self._origin + step * self._divider))

    def _count_at(self, step: int) -> int:
        return (self._count - (step - self._step)) & 0x7F

    @property
    def _last_step(self) -> int:
        """The step with which T6 falls."""
        return self._step + (self._count & 0x3F) + 1

    def _next_early(self, after: int) -> int | None:
        """The first step after another at which the count becomes 0x40."""
        steps = (self._count_at(after) - EARLY) & 0x7F
        return after + (steps or 0x80)

    def _look_early(self, t_ps: int) -> None:
        """EWIF, as far as the steps up to now set it."""
        step = self._step_at(t_ps)
        due = self._next_early(self._seen)
        if due is not None and due <= step:
            self.sr.set(EWIF=1)
        self._seen = max(self._seen, step)

    # ------------------------------------------------------------------ events

    def _arm(self) -> None:
        """Ask for the step that resets the chip, and for the one before if it interrupts."""
        if self.cr.WDGA and self._count & EARLY:
            due = self._time_of(self._last_step)
            if self._reset_alarm is None or due < self._reset_alarm.t_ps:
                self._stop_reset_alarm()
                if due < NEVER:
                    self._reset_alarm = self.soc.scheduler.at(due, self._look)
        else:
            self._stop_reset_alarm()
        if self._early_alarm is not None:
            self._early_alarm.cancel()
            self._early_alarm = None
        if self.cfr.EWI and not self.sr.EWIF:
            due = self._time_of(self._next_early(self._seen) or 0)
            if due < NEVER:
                self._early_alarm = self.soc.scheduler.at(due, self._warn)

    def _stop_reset_alarm(self) -> None:
        if self._reset_alarm is not None:
            self._reset_alarm.cancel()
            self._reset_alarm = None

    def _warn(self, t_ps: int) -> None:
        self._early_alarm = None
        self._look_early(t_ps)
        self._arm()
        self._request(t_ps)

    def _request(self, t_ps: int) -> None:
        self.irq(t_ps, "global", bool(self.cfr.EWI and self.sr.EWIF))

    def _look(self, t_ps: int) -> None:
        self._reset_alarm = None
        if self._time_of(self._last_step) > t_ps:  # fed meanwhile
            self._arm()
            return
        waited = show_duration(t_ps - self._fed_ps, 4)
        self._bite(
            t_ps, "watchdog-expired",
            f"{self.name} was not fed for {waited}: it resets the chip",
            "write CR.T more often than that, within the window",
        )  # fmt: skip

    def _bite(self, t_ps: int, code: str, message: str, cure: str) -> None:
        self._stop_reset_alarm()
        self.soc.hazard(code, message, section=SECTION, cure=cure)
        self.soc.request_reset(t_ps, "WWDGRSTF")


PERIPHERAL = Wwdg
