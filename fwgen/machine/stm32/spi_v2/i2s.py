"""I2S as a master: the clocks, the word select and one slot of data after the other. RM0368 §20.4.

A slot is one channel's share of a frame. It takes one event; what the lines do within it is told as
pulses. Data change on one edge of CK and are sampled on the other, in the middle of a bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.stm32.spi_v2.ckin import ExternalClock
from fwgen.machine.stm32.spi_v2.slot import LONG_SYNC, MASTER_TX, PCM, PHILIPS, Slot
from fwgen.machine.time import NEVER
from fwgen.machine.waves import SquareWave, pulses
from fwgen.trace import SpiFrame
from fwgen.units import PS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwgen.machine.signals import Signal
    from fwgen.machine.stm32.spi_v2.port import Spi
    from fwgen.machine.time import ClockDomain, Timer

Plan = "list[tuple[int, int]]"  # ticks of I2SxCLK, and the level from then on


class I2sMaster:
    """The master's side of one port; ``port`` has the registers.

    Source of I2SxCLK: the PLLI2S, or I2S_CKIN where RCC_CFGR.I2SSRC says so (§6.3.3).
    """

    def __init__(self, port: Spi) -> None:
        self._port = port
        # "SPI2_SCK" carries I2S2_CK on the same pad, and so on; MCK has a pad of its own.
        self._mck = port.soc.fabric.output(f"{port.name.replace('SPI', 'I2S')}_MCK")
        self._external = ExternalClock(port.soc)
        self._clock: ClockDomain = port.soc.clock("PLLI2S")
        self._clock.on_change(lambda t_ps: self._reclocked(t_ps, external=False))
        self._external.clock.on_change(lambda t_ps: self._reclocked(t_ps, external=True))
        self._timer: Timer | None = None
        self._looks: list[Timer] = []
        self.clear()

    def clear(self) -> None:
        """Nothing is under way."""
        for timer in (self._timer, *self._looks):
            if timer is not None:
                timer.cancel()
        self._timer, self._looks = None, []
        self.running = False
        self._right = False  # the slot is the right channel's
        self._first = True  # no slot was sent yet
        self._halves: list[int] = []  # of the sample that is being written
        self._plans: dict[Signal, list[tuple[int, int]]] = {}
        self._begin = self._end = 0
        self._sent: int | None = None
        self._heard = self._bits = 0

    # ------------------------------------------------------------------ shape

    def _divider(self) -> int:
        return 2 * self._port.i2spr.I2SDIV + self._port.i2spr.ODD

    def _bit_ticks(self) -> int:
        """Ticks of I2SxCLK in a bit of CK (§20.4.4)."""
        return self._divider() * (128 // self._slot.bits if self._port.i2spr.MCKOE else 1)

    @property
    def transmits(self) -> bool:
        """Whether it sends."""
        return self._port.i2scfgr.I2SCFG == MASTER_TX

    # ------------------------------------------------------------------ on and off

    def switched_on(self, t_ps: int) -> None:
        """I2SE rose."""
        port, lines = self._port, self._port.lines
        self.clear()
        if port.i2spr.I2SDIV < 2:
            self._hazard(
                "i2s-divider", "I2SDIV is 0 or 1, which is forbidden", "set it to 2 or more"
            )
            return
        rcc = port.soc.peripherals.get("RCC")
        external = rcc is not None and bool(rcc.states["CFGR"].I2SSRC)
        self._clock = port.soc.clock("PLLI2S")
        if external:
            if port.soc.fabric.input("I2S_CKIN").pad is None:
                self._hazard(
                    "i2s-no-clock", "I2SSRC says I2S_CKIN, and no pin is set to it",
                    "set MODER to alternate function, and AFR, of a pin that has I2S_CKIN",
                )  # fmt: skip
            self._external.watch()
            self._clock = self._external.clock
        elif not self._clock.hz:
            self._no_clock()
            return
        slot = self._slot = Slot.of(port.i2scfgr)
        lines.sck.drive(t_ps, slot.ckpol)
        # Left is low in the Philips standard, high in the justified ones; PCM rests low.
        lines.nss.drive(t_ps, 1 - slot.left)
        lines.mosi.drive(t_ps, 0 if self.transmits else None)
        self.running = True
        self._drive_mck(t_ps)
        self.next(t_ps)

    def switched_off(self, t_ps: int) -> None:
        """I2SE fell."""
        port = self._port
        if not self.running:
            return
        if self._timer is not None and self.transmits:
            self._hazard(
                "i2s-cut", "I2SE cleared while a sample was on its way: it is lost",
                "wait for TXE, then for BSY to fall, before clearing I2SE",
            )  # fmt: skip
        self.clear()
        self._external.leave(t_ps)
        port.sr.set(BSY=0, CHSIDE=0)
        self._mck.drive(t_ps, None)
        port.lines.release(t_ps)

    def _drive_mck(self, t_ps: int) -> None:
        if not self._port.i2spr.MCKOE:
            return
        if not self._clock.hz:
            self._mck.drive(t_ps, 0)
            return
        half = PS_PER_S * self._divider() / self._clock.hz / 2
        self._mck.drive_wave(SquareWave(t_ps, 1, half, half))

    # ------------------------------------------------------------------ the clock

    def _reclocked(self, t_ps: int, *, external: bool) -> None:
        """The clock's rate changed: what is still to come of the slot moves with it."""
        if not self.running or external is not (self._clock is self._external.clock):
            return
        if not (self._clock.hz or external):
            self._no_clock()
        self._drive_mck(t_ps)
        if self._timer is None:
            self.next(t_ps)
            return
        for line in self._plans:
            self._play(t_ps, line)
        self._await(t_ps)

    def _no_clock(self) -> None:
        self._hazard(
            "i2s-no-clock", "the PLLI2S that clocks it is off: nothing moves",
            "set PLLI2SCFGR, then PLLI2SON in RCC_CR, and wait for PLLI2SRDY",
        )  # fmt: skip

    def _play(self, t_ps: int, line: Signal) -> None:
        """Drive a line by its plan, from now on."""
        now, levels = self._clock.ticks_at(t_ps), []
        for tick, level in self._plans[line]:
            if tick <= now:
                levels = [(t_ps, level)]
            elif (at := self._clock.time_of(tick)) < NEVER:
                levels.append((at, level))
        if levels:
            line.drive_wave(pulses(levels[0][0], levels))

    def _await(self, t_ps: int) -> None:
        """Ask for the events that are still to come of the slot."""
        scheduler, clock = self._port.soc.scheduler, self._clock
        for timer in (self._timer, *self._looks):
            if timer is not None:
                timer.cancel()
        bit = self._bit_ticks()
        self._looks = []
        if not self.transmits:
            self._looks = [
                scheduler.at(clock.time_of(self._begin + n * bit + bit // 2), self._look)
                for n in range(self._bits, self._slot.bits)
            ]
        self._timer = scheduler.at(clock.time_of(self._end), self._over)

    # ------------------------------------------------------------------ slots

    def next(self, t_ps: int, tick: int | None = None) -> None:
        """Begin a slot, if there is something to send, or to receive.

        Samples longer than 16 bits take two writes of DR, the upper half first.
        """
        port = self._port
        if not self.running or self._timer is not None or not self._clock.hz:
            return
        self._sent = None
        if self.transmits:
            self._sent = self._word()
            if self._sent is None:
                return
            port.sr.set(BSY=1)  # "BSY flag is kept low" in master receive mode (§20.4.8)
        bit, slot = self._bit_ticks(), self._slot
        start = self._clock.ticks_at(t_ps) + 1 if tick is None else tick
        # WS goes one bit early in the Philips standard: before the first slot, too.
        lead = bit if self._first and slot.standard == PHILIPS else 0
        self._begin, self._first = start + lead, False
        self._end = self._begin + slot.bits * bit
        self._heard = self._bits = 0
        self._plan(start, bit)
        for line in self._plans:
            self._play(t_ps, line)
        self._await(t_ps)
        self._right = not self._right and slot.standard != PCM
        port.request(t_ps)

    def _word(self) -> int | None:
        """The next slot's bits out of DR; None while they are not whole."""
        port, slot = self._port, self._slot
        if port.tx is not None:
            self._halves.append(port.tx)
            port.take()
            whole = len(self._halves) == len(slot.halves)
            side = self._right != whole and slot.standard != PCM
            port.sr.set(CHSIDE=int(side))
        if len(self._halves) < len(slot.halves):
            return None
        halves, self._halves = self._halves, []
        return sum(slot.placed(at, half) for at, half in zip(slot.halves, halves, strict=True))

    def _plan(self, start: int, bit: int) -> None:
        """What the lines do in this slot, by ticks."""
        slot, lines, begin = self._slot, self._port.lines, self._begin
        # A bit begins where CK goes to its idle level's side, and is sampled half a bit later.
        self._plans = {
            lines.sck: [
                (start + half * bit // 2, slot.ckpol ^ (half & 1))
                for half in range(2 * (self._end - start) // bit + 1)
            ],
            lines.nss: list(self._select(start, bit)),
        }
        if self._sent is not None:
            word = self._sent
            self._plans[lines.mosi] = [
                (begin + n * bit, word >> slot.bits - 1 - n & 1) for n in range(slot.bits)
            ]

    def _select(self, start: int, bit: int) -> Iterable[tuple[int, int]]:
        """WS: one bit early in the Philips standard, a pulse in PCM, aligned else."""
        slot, side = self._slot, self._slot.left ^ self._right
        if slot.standard == PHILIPS:
            return [(start, side), (self._end - bit, side ^ 1)]
        if slot.standard == PCM:
            return [(start, 1), (start + bit * (LONG_SYNC if slot.long_sync else 1), 0)]
        return [(start, side)]

    def _look(self, t_ps: int) -> None:
        """The middle of a bit."""
        port, slot = self._port, self._slot
        level = port.lines.mosi_in.level(t_ps)
        self._heard = self._heard << 1 | (port.soc.chance if level is None else level)
        self._bits += 1
        half, inside = divmod(self._bits, 16)
        if inside or half - 1 not in slot.halves:
            return
        left = slot.bits - self._bits
        word = self._heard << left & slot.mask
        # ``_right`` is the next slot's side by now.
        if port.give(word >> left & 0xFFFF) and slot.standard != PCM:
            port.sr.set(CHSIDE=int(not self._right))
        port.request(t_ps)

    def _over(self, t_ps: int) -> None:
        port, slot = self._port, self._slot
        self._timer = None
        sent = None if self._sent is None else slot.sample(self._sent)
        heard = None if self.transmits else slot.sample(self._heard)
        port.soc.recorder.add(
            SpiFrame(
                t_ps, port.name, "master", sent, heard, slot.data_bits,
                self._clock.time_of(self._begin),
            )
        )  # fmt: skip
        self.next(t_ps, self._end)
        if self._timer is None:
            port.sr.set(BSY=0)
        port.request(t_ps)

    def _hazard(self, code: str, message: str, cure: str) -> None:
        port = self._port
        port.soc.hazard(code, f"{port.name} as I2S: {message}", section="RM0368 §20.4", cure=cure)
