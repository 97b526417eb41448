"""One channel's share of an I2S frame: its bits, and how software gets at them. RM0368 §20.4.3."""

from __future__ import annotations

from typing import NamedTuple

from fwgen.machine.peripheral import Register

SLAVE_TX, SLAVE_RX, MASTER_TX, MASTER_RX = range(4)  # I2SCFG
PHILIPS, MSB, LSB, PCM = range(4)  # I2SSTD
DATA_BITS = (16, 24, 32)  # DATLEN
LONG_SYNC = 13  # bits of CK that a long PCM frame synchronisation lasts


class Slot(NamedTuple):
    """The shape of a slot.

    Bits are counted from the first one on the line. ``halves`` are the 16-bit parts of the slot
    that DR takes or gives, in their order; ``mask`` has the bits of the slot that are data.
    """

    standard: int
    bits: int
    data_bits: int
    ckpol: int
    long_sync: bool

    @classmethod
    def of(cls, i2scfgr: Register) -> Slot:
        """As I2SCFGR says. 16 bits hold a sample that is no longer; the rest takes 32."""
        data = DATA_BITS[min(i2scfgr.DATLEN, 2)]
        bits = 32 if i2scfgr.CHLEN or data > 16 else 16
        return cls(i2scfgr.I2SSTD, bits, data, i2scfgr.CKPOL, bool(i2scfgr.PCMSYNC))

    @property
    def first(self) -> int:
        """Which bit the sample begins with."""
        return self.bits - self.data_bits if self.standard == LSB else 0

    @property
    def halves(self) -> tuple[int, ...]:
        """Which halves of the slot pass through DR."""
        if self.data_bits > 16:
            return (0, 1)
        return (self.bits // 16 - 1,) if self.standard == LSB else (0,)

    @property
    def mask(self) -> int:
        """The bits of data in a slot, the first bit of the line on top."""
        return ((1 << self.data_bits) - 1) << (self.bits - self.first - self.data_bits)

    def placed(self, half: int, value: int) -> int:
        """Sixteen bits of DR at their place in a slot."""
        return value << (self.bits - 16 * (half + 1)) & self.mask

    def sample(self, word: int) -> int:
        """The sample in a slot."""
        return (word & self.mask) >> (self.bits - self.first - self.data_bits)

    @property
    def left(self) -> int:
        """The level of WS in a left slot, or at the beginning of a PCM frame (§20.4.3)."""
        return 0 if self.standard == PHILIPS else 1
