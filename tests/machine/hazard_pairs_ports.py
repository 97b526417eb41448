"""Tiny firmware for hazards of timers' and USARTs' finer modes: who commits them, who does not."""

from __future__ import annotations

from tests.machine.core.dma import TIM1, TIM2, USART2, poke
from tests.machine.hazard_pairs import AFRL, MODER, PUPDR, SWD, Pair, on, say

BRR, CR1, CR2, CR3 = (USART2 + n for n in (8, 12, 16, 20))
TIM9 = 0x4001_4000
TIM9_CLOCK = poke((0x4002_3844, 1 << 16 | 1)) + "\nnop" * 4
CLOCKED = 0x900  # CLKEN, LBCL


def pins(afrl: int, moder: int, pupdr: int = 0) -> str:
    """Pins of USART2 besides TX and RX."""
    return poke((AFRL, 0x7700 | afrl), (MODER, SWD | 0xA0 | moder), (PUPDR, 0x6400_0000 | pupdr))


CTS = pins(7, 2, 2)  # PA0, pulled low
CK = pins(7 << 16, 2 << 8)  # PA4

PAIRS: dict[str, Pair] = {
    "ck-not-connected": Pair(
        say(before=poke((CR2, CLOCKED))), say(before=CK + "\n" + poke((CR2, CLOCKED))),
        "no pin is set to USART2_CK",
    ),
    "cts-not-connected": Pair(
        say(before=poke((CR3, 0x200))), say(before=CTS + "\n" + poke((CR3, 0x200))),
        "no pin is set to USART2_CTS",
    ),
    "serial-mode": Pair(
        say(before=poke((CR2, 0x4000 | 2 << 12))), say(before=poke((CR2, 0x4000))),
        "STOP must be clear while LINEN",
    ),
    "serial-mute": Pair(
        on(pins(0, 0, 1 << 6), poke((BRR, 0x8B), (CR1, 0x2006))),
        on(pins(0, 0, 1 << 6), poke((BRR, 0x8B), (CR1, 0x2806))), "before any byte came",
    ),
    "timer-clear": Pair(
        on(poke((TIM2 + 8, 0x1000), (TIM2 + 0x18, 0xE0))), on(poke((TIM2 + 0x18, 0xE0))),
        "OCxCE with ETPS set",
    ),
    "timer-idle": Pair(
        on(poke((TIM1 + 4, 0x300), (TIM1 + 0x20, 5), (TIM1 + 0x44, 0x400))),
        on(poke((TIM1 + 4, 0x100), (TIM1 + 0x20, 5), (TIM1 + 0x44, 0x400))), "both outputs active",
    ),
    "timer-locked": Pair(
        on(poke((TIM1 + 0x44, 0x100), (TIM1 + 4, 0x100))),
        on(poke((TIM1 + 4, 0x100), (TIM1 + 0x44, 0x100))), "are locked until reset",
    ),
    "timer-slave-mode": Pair(
        on(TIM9_CLOCK, poke((TIM9 + 8, 3))), on(TIM9_CLOCK, poke((TIM9 + 8, 4))),
        "has no encoder modes",
    ),
}  # fmt: skip
