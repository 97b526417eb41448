"""One conversion: how long it takes, and what its result looks like in a register."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fwgen.machine.peripheral import Register

SAMPLING_CYCLES = (3, 15, 28, 56, 84, 112, 144, 480)  # SMPx (RM0368 §11.12.4)
BITS = (12, 10, 8, 6)  # RES; so many cycles follow the sampling (§11.7)

# DS10086, ADC characteristics: the sample and hold capacitor (typical), the sampling switch and the
# largest external impedance.
HOLD_FARAD = 4e-12
SWITCH_OHM = 6_000
MOST_OHM = 50_000


@dataclass(slots=True)
class Conversion:
    """A conversion under way, in ticks of ADCCLK; ``value`` is held from tick ``sample`` on."""

    injected: bool
    rank: int
    channel: int
    start: int
    sample: int
    end: int
    bits: int
    value: int | None = None

    def shift(self, ticks: int) -> None:
        """Be as much later."""
        self.start += ticks
        self.sample += ticks
        self.end += ticks


def sampling_cycles(smpr1: Register, smpr2: Register, channel: int) -> int:
    """Cycles of ADCCLK for which a channel is sampled."""
    register, lane = (smpr1, channel - 10) if channel >= 10 else (smpr2, channel)
    return SAMPLING_CYCLES[register.value >> 3 * lane & 7] if channel <= 18 else SAMPLING_CYCLES[0]


def quantised(uv: int, reference_uv: int, bits: int) -> int:
    """The code of a voltage: an ideal converter, whose first step lies at half an LSB.

    Source: DS10086, ADC accuracy characteristics.
    """
    code = ((uv << bits) * 2 + reference_uv) // (2 * reference_uv)
    return max(0, min(code, (1 << bits) - 1))


def aligned(value: int, bits: int, *, left: bool, injected: bool) -> int:
    """A result as DR or JDR holds it; an injected one may be negative. RM0368 §11.4."""
    if left:
        # Half-words, but bytes for 6 bits; an injected result leaves room for its sign.
        value <<= (8 if bits == 6 else 16) - bits - injected
    return value & 0xFFFF


def most_ohm(cycles: int, hz: float, bits: int) -> int:
    """The largest resistance of a source that is sampled to a quarter of an LSB.

    Source: DS10086, ADC characteristics, equation 1.
    """
    ohm = (cycles - 0.5) / (hz * HOLD_FARAD * log(2 ** (bits + 2))) - SWITCH_OHM
    return max(0, min(MOST_OHM, int(ohm)))
