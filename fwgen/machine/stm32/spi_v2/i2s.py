"""I2S as a master: the clocks, the word select and one slot of data after the other. RM0368 §20.4.

A slot is one channel's share of a frame. It takes one event; what the lines do within it is told as
pulses. Data change on one edge of CK and are sampled on the other, in the middle of a bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.signals import SquareWave, pulses
from fwgen.machine.time import NEVER
from fwgen.trace import SpiFrame
from fwgen.units import PS_PER_S

if TYPE_CHECKING:
    from fractions import Fraction

    from fwgen.machine.stm32.spi_v2.port import Spi
    from fwgen.machine.time import Timer

SLAVE_TX, SLAVE_RX, MASTER_TX, MASTER_RX = range(4)  # I2SCFG
PHILIPS, MSB, LSB, PCM = range(4)  # I2SSTD
DATA_BITS = (16, 24, 32)  # DATLEN
LONG_SYNC = 13  # bits of CK that a long PCM frame synchronisation lasts


class I2s:
    """The master's side of one port; ``port`` has the registers."""

    def __init__(self, port: Spi) -> None:
        self._port = port
        # "SPI2_SCK" carries I2S2_CK on the same pad, and so on; MCK has a pad of its own.
        self._mck = port.soc.fabric.output(f"{port.name.replace('SPI', 'I2S')}_MCK")
        self._clock = port.soc.clock("PLLI2S")
        self._timer: Timer | None = None
        self.clear()

    def clear(self) -> None:
        """Nothing is under way."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self.running = False
        self._right = False  # the slot is the right channel's, or the second of a PCM frame
        self._halves: list[int] = []  # of the sample that is being written, upper one first
        self._again = 0  # halves of a sample that was received, still to be read
        self._low = 0

    # ------------------------------------------------------------------ shape

    @property
    def data_bits(self) -> int:
        """Bits of a sample."""
        return DATA_BITS[min(self._port.i2scfgr.DATLEN, 2)]

    @property
    def slot_bits(self) -> int:
        """Bits of CK in a slot: 16 only where the sample is no longer."""
        return 32 if self._port.i2scfgr.CHLEN or self.data_bits > 16 else 16

    def _bit_ticks(self) -> int:
        """Ticks of I2SxCLK in a bit of CK (§20.4.4)."""
        i2spr = self._port.i2spr
        divider = 2 * i2spr.I2SDIV + i2spr.ODD
        return divider * (128 // self.slot_bits if i2spr.MCKOE else 1)

    def sample_hz(self) -> Fraction:
        """The audio sampling frequency that divider and clock give."""
        return self._clock.hz / (2 * self.slot_bits * self._bit_ticks())

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
        if not self._clock.hz:
            self._hazard(
                "i2s-no-clock", "the PLLI2S that clocks it is off: nothing moves",
                "set PLLI2SCFGR, then PLLI2SON in RCC_CR, and wait for PLLI2SRDY",
            )  # fmt: skip
            return
        cfg = port.i2scfgr
        lines.sck.drive(t_ps, cfg.CKPOL)
        # Left is low in the Philips standard, high in the justified ones; PCM rests low.
        lines.nss.drive(t_ps, 1 if cfg.I2SSTD == PHILIPS else 0)
        lines.mosi.drive(t_ps, 0 if self.transmits else None)
        if port.i2spr.MCKOE:
            half = PS_PER_S * (2 * port.i2spr.I2SDIV + port.i2spr.ODD) / self._clock.hz / 2
            self._mck.drive_wave(SquareWave(t_ps, 1, half, half))
        self.running = True
        self.next(t_ps)

    def switched_off(self, t_ps: int) -> None:
        """I2SE fell."""
        port = self._port
        if self._timer is not None and self.transmits:
            self._hazard(
                "i2s-cut", "I2SE cleared while a sample was on its way: it is lost",
                "wait for TXE, then for BSY to fall, before clearing I2SE",
            )  # fmt: skip
        self.clear()
        port.sr.set(BSY=0, CHSIDE=0)
        self._mck.drive(t_ps, None)
        port.lines.release(t_ps)

    # ------------------------------------------------------------------ samples

    def next(self, t_ps: int, tick: int | None = None) -> None:
        """Begin a slot, if there is something to send, or to receive.

        Samples longer than 16 bits take two writes of DR, the upper half first.
        """
        port = self._port
        if not self.running or self._timer is not None:
            return
        sample: int | None = None
        if self.transmits:
            sample = self._sample()
            if sample is None:
                return
        start = self._clock.ticks_at(t_ps) + 1 if tick is None else tick
        bits, bit = self.slot_bits, self._bit_ticks()
        port.sr.set(BSY=1)
        times = [self._clock.time_of(start + n * bit // 2) for n in range(2 * bits + 1)]
        self._put_out(times, sample)
        end, right = start + bits * bit, self._right
        self._right = not right
        heard: list[int | None] = []

        def over(now: int) -> None:
            self._timer = None
            self._slot_over(now, times[0], sample, heard, end)

        if not self.transmits:
            self._listen(times, heard)
        self._timer = port.soc.scheduler.at(min(NEVER, self._clock.time_of(end)), over)
        port.request(t_ps)

    def _sample(self) -> int | None:
        """The next sample out of DR; None while it is not whole."""
        port = self._port
        if port.tx is not None:
            self._halves.append(port.tx)
            port.tx = None
            port.sr.set(TXE=1, CHSIDE=int(self._side_of_next()))
        needed = 1 if self.data_bits == 16 else 2
        if len(self._halves) < needed:
            return None
        value = 0
        for half in self._halves:
            value = value << 16 | half
        self._halves = []
        return value >> 8 if self.data_bits == 24 else value

    def _side_of_next(self) -> bool:
        whole = len(self._halves) >= (1 if self.data_bits == 16 else 2)
        return self._right ^ whole

    def _first_bit(self) -> int:
        """Which bit of a slot the sample begins in."""
        standard = self._port.i2scfgr.I2SSTD
        return self.slot_bits - self.data_bits if standard == LSB else 0

    def _put_out(self, times: list[int], sample: int | None) -> None:
        port, bits = self._port, self.slot_bits
        cfg, lines = port.i2scfgr, port.lines
        idle = cfg.CKPOL
        # A bit begins where CK goes to its idle level's side, and is sampled half a bit later.
        lines.sck.drive_wave(
            pulses(times[0], [(t, idle ^ (n & 1)) for n, t in enumerate(times[:-1])])
        )
        self._select(times)
        if sample is not None:
            first, width = self._first_bit(), self.data_bits
            levels = []
            for n in range(bits):
                at = width - 1 - (n - first)
                inside = 0 <= n - first < width
                levels.append((times[2 * n], sample >> at & 1 if inside else 0))
            lines.mosi.drive_wave(pulses(times[0], levels))

    def _select(self, times: list[int]) -> None:
        """WS: one bit early in the Philips standard, a pulse in PCM, aligned else."""
        port, bits = self._port, self.slot_bits
        cfg, nss = port.i2scfgr, port.lines.nss
        last = times[2 * bits - 2]
        if cfg.I2SSTD == PHILIPS:
            # The first slot's own change came with nothing before it to come one bit early to.
            now = int(self._right)
            nss.drive_wave(pulses(times[0], [(times[0], now), (last, now ^ 1)]))
        elif cfg.I2SSTD == PCM:
            if not self._right:
                wide = times[2 * min(LONG_SYNC if cfg.PCMSYNC else 1, bits)]
                nss.drive_wave(pulses(times[0], [(times[0], 1), (wide, 0)]))
        else:
            nss.drive(times[0], int(not self._right))

    def _listen(self, times: list[int], heard: list[int | None]) -> None:
        scheduler, line = self._port.soc.scheduler, self._port.lines.mosi_in
        first = self._first_bit()
        for n in range(first, first + self.data_bits):
            scheduler.at(times[2 * n + 1], lambda t: heard.append(line.level(t)))

    def _slot_over(
        self, t_ps: int, start_ps: int, sample: int | None, heard: list[int | None], end: int
    ) -> None:
        port = self._port
        value: int | None = None
        if not self.transmits:
            value = 0
            for bit in heard:
                value = value << 1 | (port.soc.chance if bit is None else bit)
            self._received(value)
        port.soc.recorder.add(
            SpiFrame(t_ps, port.name, "master", sample, value, self.data_bits, start_ps)
        )
        self.next(t_ps, end)
        if self._timer is None:
            port.sr.set(BSY=0)
        port.request(t_ps)

    def _received(self, value: int) -> None:
        """Into DR: a long sample comes as two halves, the upper one first."""
        port = self._port
        if port.sr.RXNE or self._again:
            port.sr.set(OVR=1)
            return
        if self.data_bits == 24:
            value <<= 8
        if self.data_bits == 16:
            port.rx = value
        else:
            port.rx, self._low, self._again = value >> 16, value & 0xFFFF, 1
        port.sr.set(RXNE=1, CHSIDE=int(not self._right))

    def read(self, t_ps: int) -> None:
        """DR was read: the lower half of a long sample follows."""
        port = self._port
        if self._again:
            self._again = 0
            port.rx = self._low
            port.sr.set(RXNE=1)

    def _hazard(self, code: str, message: str, cure: str) -> None:
        port = self._port
        port.soc.hazard(code, f"{port.name} as I2S: {message}", section="RM0368 §20.4", cure=cure)
