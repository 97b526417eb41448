"""I2S that another master clocks, bit by bit: a slave, or I2SxEXT beside its I2Sx. RM0368 §20.4.6.

CK goes to its idle side as a bit begins, and back in its middle, where bits are sampled. WS changes
one bit before a slot in the Philips standard, with its first bit else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.stm32.spi_v2.slot import MASTER_RX, PCM, PHILIPS, SLAVE_RX, Slot
from fwgen.trace import SpiFrame

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.signals import Signal
    from fwgen.machine.stm32.spi_v2.block import Block


class I2sSlave:
    """The shift register of a slave; ``sd_out`` and ``sd_in`` are its line of data."""

    def __init__(self, block: Block, sd_out: Signal, sd_in: Signal) -> None:
        self._block, self._out, self._in = block, sd_out, sd_in
        self._unlisten: list[Callable[[], None]] = []
        self._clear()

    def _clear(self) -> None:
        self._bit: int | None = None  # of the slot under way; None: between two
        self._next = False  # the next bit is the first one of a slot
        self._ws = 0  # where it was sampled last
        self._right = False
        self._sent = self._heard = 0
        self._began = 0

    @property
    def on(self) -> bool:
        """Whether it listens."""
        return bool(self._unlisten)

    @property
    def _transmits(self) -> bool:
        return self._block.i2scfgr.I2SCFG not in (SLAVE_RX, MASTER_RX)

    def switched_on(self, t_ps: int, ck: Signal, ws: Signal) -> None:
        """I2SE rose: listen to a clock and a word select."""
        self._clear()
        self._slot = Slot.of(self._block.i2scfgr)
        self._ck, self._select = ck, ws
        # WS at its left level starts the slave, whenever that is (§20.4.6).
        self._ws = 1 - self._slot.left
        self._unlisten = [ck.listen(self._clock), ws.listen(self._selected)]
        if self._transmits:
            self._out.drive(t_ps, 0)

    def switched_off(self, t_ps: int) -> None:
        """I2SE fell."""
        if not self._unlisten:
            return
        block = self._block
        if self._bit is not None and self._transmits:
            block.soc.hazard(
                "i2s-cut",
                f"{block.name} as I2S: I2SE cleared while a sample was on its way: it is lost",
                section="RM0368 §20.4.6",
                cure="wait for TXE, then for BSY to fall, before clearing I2SE",
            )
        for unlisten in self._unlisten:
            unlisten()
        self._unlisten = []
        self._clear()
        block.sr.set(BSY=0, CHSIDE=0)
        self._out.drive(t_ps, None)

    # ------------------------------------------------------------------ edges

    def _level(self, t_ps: int) -> int:
        level = self._select.level(t_ps)
        return self._block.soc.chance if level is None else level

    def _selected(self, t_ps: int, level: int | None) -> None:
        """WS moved: outside the Philips standard a slot begins with it."""
        slot = self._slot
        begins = level != self._ws and (slot.standard != PCM or level == 1)
        at_rest = self._ck.level(t_ps) == slot.ckpol
        if slot.standard != PHILIPS and begins and self._bit is None and at_rest:
            self._begin(t_ps, level or 0)

    def _clock(self, t_ps: int, level: int | None) -> None:
        if level is None:
            return
        if level == self._slot.ckpol:
            self._change(t_ps)
        else:
            self._sample(t_ps)

    def _change(self, t_ps: int) -> None:
        """A bit begins."""
        slot = self._slot
        if self._next:
            self._next = False
            self._begin(t_ps, self._ws)
        elif self._bit is not None:
            self._put(t_ps)
        elif slot.standard != PHILIPS:
            self._selected(t_ps, self._level(t_ps))  # it may have moved at the same moment

    def _sample(self, t_ps: int) -> None:
        """The middle of a bit."""
        slot, ws = self._slot, self._level(t_ps)
        moved = ws != self._ws and (slot.standard != PCM or ws == 1)
        self._ws = ws
        if moved:
            self._moved(t_ps, ws)
        if self._bit is None:
            return
        level = self._in.level(t_ps)
        if not self._transmits:
            self._heard = self._heard << 1 | (self._block.soc.chance if level is None else level)
        self._bit += 1
        if self._bit % 16 == 0:
            self._half_over(self._bit // 16 - 1)
        if self._bit == slot.bits:
            self._over(t_ps)
        self._block.request(t_ps)

    def _moved(self, t_ps: int, ws: int) -> None:
        """WS is another one than in the bit before."""
        slot, bit = self._slot, self._bit
        if slot.standard == PHILIPS:
            expected = bit is None or bit == slot.bits - 1
            self._next = True
        else:
            expected = bit in (None, 0)
            if bit is None:  # it came with the clock's first edge, or amid a bit
                self._begin(t_ps, ws)
        if not expected:
            self._block.sr.set(FRE=1, BSY=0)
            self._bit, self._next = None, slot.standard == PHILIPS
            self._block.request(t_ps)

    # ------------------------------------------------------------------ slots

    def _begin(self, t_ps: int, ws: int) -> None:
        block, slot = self._block, self._slot
        self._bit, self._began = 0, t_ps
        self._right = slot.standard != PCM and ws != slot.left
        self._sent = self._heard = 0
        block.sr.set(BSY=1)
        if self._transmits:
            self._load(0)
            self._put(t_ps)
        block.request(t_ps)

    def _load(self, half: int) -> None:
        """What goes out in a half of the slot comes from DR as it begins (UDR, §20.4.8)."""
        block, slot = self._block, self._slot
        if half not in slot.halves:
            return
        value = block.tx
        if value is None:
            block.sr.set(UDR=1)
        else:
            block.take()
            last = half == slot.halves[-1]
            block.sr.set(CHSIDE=int(self._right != last and slot.standard != PCM))
            self._sent |= slot.placed(half, value)

    def _put(self, t_ps: int) -> None:
        if self._transmits and self._bit is not None:
            self._out.drive(t_ps, self._sent >> self._slot.bits - 1 - self._bit & 1)

    def _half_over(self, half: int) -> None:
        slot, block = self._slot, self._block
        if self._transmits:
            if half == 0 and slot.bits == 32:
                self._load(1)
        elif half in slot.halves:
            bits_left = slot.bits - 16 * (half + 1)
            word = self._heard << bits_left & slot.mask
            if block.give(word >> bits_left & 0xFFFF):
                block.sr.set(CHSIDE=int(self._right))

    def _over(self, t_ps: int) -> None:
        block, slot = self._block, self._slot
        sent = slot.sample(self._sent) if self._transmits else None
        heard = None if self._transmits else slot.sample(self._heard)
        self._bit = None
        block.sr.set(BSY=0)
        block.soc.recorder.add(
            SpiFrame(t_ps, block.name, "slave", sent, heard, slot.data_bits, self._began)
        )
