"""Pairs of the analog-to-digital converter."""

from __future__ import annotations

from fwgen.contract import Analog
from tests.machine.core.dma import poke
from tests.machine.hazard_pairs import MODER, RCC, SWD, Pair, pll, wait

ADC, CCR = 0x4001_2000, 0x4001_2304
SR, CR1, CR2, SMPR1, SMPR2, SQR3, DR = (ADC + n for n in (0, 4, 8, 0xC, 0x10, 0x34, 0x4C))
ADON, SWSTART, JAUTO, DISCEN, TSVREFE = 1, 1 << 30, 1 << 10, 1 << 11, 1 << 23
EOC = 2
HELD = (Analog("PA0", 0, ((0, 1_000_000),)),)
WEAK = (Analog("PA0", 0, ((0, 1_000_000),), ohm=50_000),)
HIGH = (Analog("PA0", 0, ((0, 5_000_000),)),)
PAUSE = "ldr r3, =200\n{0}: subs r3, #1\nbne {0}"
TAKEN = f"ldr r0, ={DR:#x}\nldr r1, [r0, #0]"


def adc(
    channel: int = 0,
    *,
    moder: int = SWD | 3,
    ccr: int = 0,
    smp: int = 0,
    settle: bool = True,
    start: int = ADON | SWSTART,
    before: str = "",
    after: str = TAKEN,
    awaits: bool = True,
) -> str:
    """ADC1 is switched on, converts a channel once, and is read."""
    return "\n".join([
        poke((RCC + 0x30, 1), (RCC + 0x44, 1 << 8)), "nop\n" * 8,
        poke((MODER, moder), (CCR, ccr), (SMPR1, smp), (SMPR2, smp), (SQR3, channel)), before,
        poke((CR2, start & 0xFFFF)), PAUSE.format("settle") if settle else "nop",
        poke((CR2, start)), wait(SR, EOC) if awaits else "nop", after,
    ])  # fmt: skip


LONG = 0x7FFF_FFF
PAIRS: dict[str, Pair] = {
    "adc-channel": Pair(adc(19), adc(0), "connected to nothing", stimuli=HELD),
    "adc-clock": Pair(pll() + "\n" + adc(), pll() + "\n" + adc(ccr=1 << 16), "at most",
                      stimuli=HELD),
    "adc-clock-slow": Pair(
        poke((RCC + 8, 0x90)) + "\n" + adc(ccr=3 << 16), adc(ccr=3 << 16), "at least",
        stimuli=HELD,
    ),
    "adc-mode": Pair(
        adc(before=poke((CR1, DISCEN | JAUTO))), adc(before=poke((CR1, DISCEN))), "JAUTO",
        stimuli=HELD,
    ),
    "adc-off": Pair(
        adc(start=SWSTART, awaits=False), adc(), "ADON is 0", stimuli=HELD
    ),
    "adc-overrun": Pair(
        adc(start=ADON | SWSTART | 1 << 10, after=poke((CR2, ADON | SWSTART | 1 << 10))
            + "\n" + PAUSE.format("second")),
        adc(start=ADON | SWSTART | 1 << 10, after=TAKEN + "\n"
            + poke((CR2, ADON | SWSTART | 1 << 10)) + "\n" + PAUSE.format("second")),
        "not read before the next", stimuli=HELD,
    ),
    "adc-pin-mode": Pair(adc(moder=SWD), adc(), "not in analog mode", stimuli=HELD),
    "adc-sampling": Pair(adc(), adc(smp=LONG), "too short", stimuli=WEAK),
    "adc-source-off": Pair(
        adc(17, smp=LONG), adc(17, smp=LONG, ccr=TSVREFE), "while it is off"
    ),
    "adc-source-starting": Pair(
        adc(17, smp=LONG, before=PAUSE.format("first"), settle=True, after=TAKEN).replace(
            "ldr r1, =1073741825", f"ldr r2, ={CCR:#x}\nldr r1, ={TSVREFE:#x}\n"
            "str r1, [r2, #0]\nldr r1, =1073741825"),
        adc(17, smp=LONG, ccr=TSVREFE), "before it is up",
    ),
    "adc-stabilising": Pair(adc(settle=False), adc(), "after ADON", stimuli=HELD),
    "over-voltage": Pair(
        adc(), adc(before="nop"), "is at 5 V", stimuli=HIGH, right_stimuli=HELD
    ),
}  # fmt: skip
