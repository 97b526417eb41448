"""Pairs of the real-time clock, its oscillator, Stop, the window watchdog and the CRC unit."""

from __future__ import annotations

from tests.machine.core.dma import poke
from tests.machine.hazard_pairs import EXTI, PWR, RCC, Pair, pause, wait

RTC, WWDG, CRC = 0x4000_2800, 0x4000_2C00, 0x4002_3000
TR, DR, CR, ISR, PRER, WUTR, SHIFTR, CALR = (
    RTC + n for n in (0, 4, 8, 0xC, 0x10, 0x14, 0x2C, 0x3C)
)
ALRMAR, TAFCR, BKP0R = RTC + 0x1C, RTC + 0x40, RTC + 0x50
BDCR, CSR, APB1ENR = RCC + 0x70, RCC + 0x74, RCC + 0x40
BYPSHAD = 0x20
OPEN = "\n".join([
    poke((APB1ENR, 1 << 28), (RCC + 0x30, 0x1005)), "nop\n" * 8, poke((PWR, 0x100)),
])  # fmt: skip
RUN = poke((ISR, 0))


def rtc(*more: str, unlock: bool = True) -> str:
    """The RTC counts the LSI, and takes writes; then more."""
    key = [poke((RTC + 0x24, 0xCA), (RTC + 0x24, 0x53))] if unlock else []
    on = poke((CSR, 1)) + "\n" + wait(CSR, 2) + "\n" + poke((BDCR, 0x8200))
    return "\n".join([OPEN, on, *key, *more])


def init(*pairs: tuple[int, int]) -> str:
    """Set up in initialisation mode, and out of it."""
    return "\n".join([
        poke((ISR, 0x80)), wait(ISR, 0x40), poke(*pairs) if pairs else "nop", RUN,
    ])  # fmt: skip


USUAL = ((PRER, 0xFF), (PRER, 0x7F_00FF), (TR, 0x12_0000), (DR, 0x25_2101))
DEEP = poke((0xE000_ED10, 4)) + "\nwfi"

PAIRS: dict[str, Pair] = {
    "access-size": Pair(
        OPEN + f"\nldr r0, ={CRC:#x}\nstrb r0, [r0, #0]",
        OPEN + f"\nldr r0, ={CRC:#x}\nstr r0, [r0, #0]", "8 bits",
    ),
    "lse-absent": Pair(
        OPEN + "\n" + poke((BDCR, 1)), OPEN + "\n" + poke((BDCR, 1)), "no LSE",
        board={"lse_hz": None}, right_board={},
    ),
    "lse-mode": Pair(OPEN + "\n" + poke((BDCR, 5)), OPEN + "\n" + poke((BDCR, 1)), "LSEBYP"),
    "rtc-alarm": Pair(
        rtc(init((PRER, 1), (PRER, 0x7F_0001), *USUAL[2:]), poke((CR, 0x100))),
        rtc(init(*USUAL), poke((CR, 0x100))), "alarm A",
    ),
    "rtc-calibrations": Pair(
        rtc(init(*USUAL, (CR, 0x80)), poke((CALR, 1))), rtc(init(*USUAL), poke((CALR, 1))),
        "together",
    ),
    "rtc-clock": Pair(
        OPEN + "\n" + poke((RCC, 0x0005_0083)) + "\n" + wait(RCC, 1 << 17)
        + "\n" + poke((RCC + 8, 2 << 16), (BDCR, 0x8300)),
        OPEN + "\n" + poke((RCC, 0x0005_0083)) + "\n" + wait(RCC, 1 << 17)
        + "\n" + poke((RCC + 8, 8 << 16), (BDCR, 0x8300)), "RTCCLK is 4 MHz",
    ),
    "rtc-edge": Pair(
        rtc(init(*USUAL), poke((CR, 0x800), (CR, 0x808))),
        rtc(init(*USUAL), poke((CR, 8), (CR, 0x808))), "TSEDGE",
    ),
    "rtc-locked": Pair(
        rtc(poke((CR, BYPSHAD)), unlock=False), rtc(poke((CR, BYPSHAD))), "write-protected"
    ),
    "rtc-no-time": Pair(
        rtc(init(*USUAL[:2], (TR, 0x7A), USUAL[3])), rtc(init(*USUAL)), "no time"
    ),
    "rtc-prescalers": Pair(
        rtc(init((PRER, 0x7F_00FE), *USUAL[2:])), rtc(init(*USUAL)), "once"
    ),
    "rtc-shadow": Pair(
        rtc(init(*USUAL), f"ldr r0, ={TR:#x}\nldr r1, [r0, #0]\nldr r1, [r0, #4]"),
        rtc(init(*USUAL), wait(ISR, 0x20), f"ldr r0, ={TR:#x}\nldr r1, [r0, #0]\nldr r1, [r0, #4]"),
        "need not be the time",
    ),
    "rtc-shift": Pair(
        rtc(init((PRER, 0x7FFF), (PRER, 0x7FFF), *USUAL[2:]), poke((SHIFTR, 0x7FFF)),
            "ldr r3, =60000\ncount: subs r3, #1\nbne count", poke((SHIFTR, 1))),
        rtc(init((PRER, 0x7FFF), (PRER, 0x7FFF), *USUAL[2:]), poke((SHIFTR, 1))), "overflow",
    ),
    "rtc-source": Pair(
        rtc(poke((BDCR, 0x8100))), rtc(poke((BDCR, 0x8200))), "after a clock was chosen"
    ),
    "rtc-source-kept": Pair(
        rtc(poke((BDCR, 0x8000))), rtc(poke((BDCR, 0x8200))), "written as 0"
    ),
    "rtc-tampered": Pair(
        rtc(poke((TAFCR, 1)), wait(ISR, 1 << 13), poke((BKP0R, 1))),
        rtc(poke((TAFCR, 1)), wait(ISR, 1 << 13), poke((TAFCR, 0), (ISR, 0), (BKP0R, 1))),
        "TAMP1F",
    ),
    "rtc-undated": Pair(
        rtc(init(*USUAL[:3], (DR, 0))), rtc(init(*USUAL)), "without a date"
    ),
    "rtc-wakeup": Pair(
        rtc(init(*USUAL), poke((WUTR, 0), (CR, 3), (CR, 0x403))),
        rtc(init(*USUAL), poke((WUTR, 1), (CR, 3), (CR, 0x403))), "forbidden",
    ),
    "rtc-write": Pair(rtc(poke((TR, 1))), rtc(init(*USUAL)), "the write is lost"),
    "stop-refused": Pair(
        OPEN + "\n" + poke((EXTI, 16), (EXTI + 16, 16)) + "\n" + DEEP, OPEN + "\n" + DEEP,
        "Stop is not entered",
    ),
    "watchdog-early": Pair(
        poke((APB1ENR, 1 << 11)) + "\n" + "nop\n" * 6 + poke((WWDG + 4, 0x50), (WWDG, 0xFF))
        + pause(20_000) + poke((WWDG, 0xFF)),
        poke((APB1ENR, 1 << 11)) + "\n" + "nop\n" * 6 + poke((WWDG + 4, 0x7F), (WWDG, 0xFF))
        + "\nfeed: " + poke((WWDG, 0xFF)) + pause(999) + "b feed", "above the window",
    ),
}  # fmt: skip
