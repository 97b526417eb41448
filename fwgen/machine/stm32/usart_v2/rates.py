"""Whether a USART's rate is one that somebody at the other end can use. RM0368 §19.3.4."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fwgen.machine.stm32.usart_v2.usart import Usart

# Rates that terminals and protocols use, in baud.
STANDARD_RATES = (
    300, 600, 1200, 2400, 4800, 9600, 14400, 19200, 28800, 31250, 38400, 57600, 76800, 115_200,
    230_400, 250_000, 460_800, 500_000, 921_600, 1_000_000, 1_500_000, 2_000_000, 3_000_000,
)  # fmt: skip
_TOLERATED = Fraction(2, 100)  # of a standard rate
_LOST = Fraction(4, 100)  # beyond this a receiver samples the wrong bit (§19.3.5: 3.75 %)


def check_rate(usart: Usart, ticks: int, *, over8: bool, synchronous: bool) -> None:
    """Tell of a rate that does not exist or that no other device has; ``ticks`` make a bit."""
    soc, name, hz = usart.soc, usart.name, usart.clock.hz
    if not ticks:
        soc.hazard(
            "baud-error",
            f"{name}.BRR gives no baud rate: nothing is sent or received",
            cure=f"write BRR, for example {round(hz / 115_200):#x} for 115200 baud",
        )
        return
    if synchronous:  # the other side follows CK
        return
    rate = hz / ticks
    standard = min(STANDARD_RATES, key=lambda r: abs(rate - r) / r)
    console = soc.board.console
    if console is not None and console.uart == name:
        off = abs(rate - console.baud) / console.baud
        if off < Fraction(1, 5):  # meant to be the console's
            standard = console.baud
    error = (rate - standard) / standard
    if abs(error) > _TOLERATED:
        soc.hazard(
            "baud-error" if abs(error) > _LOST else "baud-off",
            f"{name} runs at {float(rate):.0f} baud, {float(error) * 100:+.1f} % from"
            f" {standard}: BRR is {usart.brr.value:#x} with a clock of {float(hz):.0f} Hz",
            cure=_better_brr(hz, standard, over8=over8),
        )


def _better_brr(hz: Fraction, baud: int, *, over8: bool) -> str:
    ticks = round(hz / baud)
    value = (ticks // 8 << 4 | ticks % 8) if over8 else ticks
    if ticks < (8 if over8 else 16):
        return f"raise the clock: {baud} baud is too fast for it"
    got = float((hz / ticks - baud) / baud) * 100
    return f"write {value:#x} to BRR ({got:+.2f} %)"
