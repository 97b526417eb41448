"""Random number generator of the STM32F2 and F4. RM0090 §24."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.time import NEVER

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc
    from fwgen.machine.time import Timer

KERNEL = "PLL48"  # RNG_CLK (§24.3)
PERIODS = 40  # of RNG_CLK between two numbers (§24.1)
SLOWEST = 16  # RNG_CLK below HCLK over this is a clock error (§24.3.2)


class Rng(Peripheral, registers="stm32.rng_v1"):
    """A number each 40 periods of the 48 MHz clock, until DR is full. RM0090 §24.3.

    Numbers come from a generator that begins anew with each power-on and differs in the second
    run of a proof: what a verdict rests on must hold for both. DR reads 0 without DRDY. CECS says
    that RNG_CLK stands still or is slower than HCLK / 16; numbers come no more then.

    Not modelled: seed errors (SECS, SEIS), since the noise source never fails. The first number
    is taken to need as long as any other; DR is taken to be refilled 40 periods after it was read.
    """

    cr, sr, dr = Reg(), Reg(), Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self._random = Random(soc.chance)
        self._kernel, self._hclk = soc.clock(KERNEL), soc.clock("HCLK")
        self._kernel.on_change(self._on_rate)
        self._hclk.on_change(self._on_rate)
        self._due: int | None = None  # the tick of RNG_CLK at which the number is there
        self._alarm: Timer | None = None

    def on_reset(self, t_ps: int) -> None:
        """Off, without a number."""
        self._stop()
        self.irq(t_ps, "global", False)

    def _stop(self) -> None:
        self._due = None
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _begin(self, t_ps: int) -> None:
        self._stop()
        if self.cr.RNGEN and not self.sr.DRDY and not self._slow:
            self._due = self._kernel.ticks_at(t_ps) + PERIODS
            self._alarm = self.soc.scheduler.at(self._kernel.time_of(self._due), self._fill)

    @property
    def _slow(self) -> bool:
        return self._kernel.hz * SLOWEST < self._hclk.hz or not self._kernel.hz

    def _on_rate(self, t_ps: int) -> None:
        if not self.cr.RNGEN:
            return
        slow = self._slow
        if slow and not self.sr.CECS:
            self.sr.set(CEIS=1)
        self.sr.set(CECS=int(slow))
        self._begin(t_ps)
        self._request(t_ps)

    def _fill(self, t_ps: int) -> None:
        self._alarm = self._due = None
        self.dr.value = self._random.getrandbits(32)
        self.sr.set(DRDY=1)
        self._request(t_ps)

    @cr.on_write
    def _control(self, t_ps: int, written: int, before: int) -> None:
        if self.cr.field("RNGEN", before) != self.cr.RNGEN:
            self.sr.set(DRDY=0)
            self.dr.value = 0
            self._stop()
            self._on_rate(t_ps)
        self._request(t_ps)

    @sr.on_peek
    def _status(self, t_ps: int) -> Peek:
        until = NEVER if self._due is None else self._kernel.time_of(self._due)
        return Peek(self.sr.value, until)

    @sr.on_write
    def _acknowledge(self, t_ps: int, written: int, before: int) -> None:
        self._request(t_ps)

    @dr.on_read
    def _take(self, t_ps: int) -> int:
        number, self.dr.value = self.dr.value, 0
        if self.sr.DRDY:
            self.sr.set(DRDY=0)
            self._begin(t_ps)
            self._request(t_ps)
        return number

    def _request(self, t_ps: int) -> None:
        flags = self.sr.DRDY | self.sr.CEIS | self.sr.SEIS
        self.irq(t_ps, "global", bool(self.cr.IE and flags))


PERIPHERAL = Rng
