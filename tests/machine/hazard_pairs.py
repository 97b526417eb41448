"""Tiny firmware: for each hazard one that commits it, and a neighbour that does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import fwgen
from fwgen.board import load_board
from fwgen.contract import Drive
from tests.machine.core.dma import (
    BUFFER,
    DMA1,
    DMA2,
    GPIOA,
    TARGET,
    TIM1,
    TIM2,
    USART2,
    clocks,
    poke,
    serial,
    stream,
)

if TYPE_CHECKING:
    from fwgen.contract import Stimulus

BOARD = load_board("nucleo-f401")
MS = 10**9
ROOT = Path(fwgen.__file__).parent
RCC, FLASH, PWR, IWDG = 0x4002_3800, 0x4002_3C00, 0x4000_7000, 0x4000_3000
EXTI, SCB_VTOR = 0x4001_3C00, 0xE000_ED08
MODER, OTYPER, PUPDR, AFRL = GPIOA, GPIOA + 4, GPIOA + 0xC, GPIOA + 0x20
SWD = 0xA800_0000  # PA13 and PA14 as after reset
KEYS = poke((FLASH + 4, 0x4567_0123), (FLASH + 4, 0xCDEF_89AB))
OPTION_KEYS = poke((FLASH + 8, 0x0819_2A3B), (FLASH + 8, 0x4C5D_6E7F))
COPY, MINC, PINC, CIRC = 2 << 6, 1 << 10, 1 << 9, 1 << 8
WORDS, PULSES = 2 << 13 | 2 << 11, 2 << 3  # PULSES: EXTI line 4


NUMBERS = count()


def pause(rounds: int) -> str:
    """Some cycles (three a round) in which nothing is done."""
    label = f"pause{next(NUMBERS)}"
    return f"\nldr r7, ={rounds}\n{label}: subs r7, r7, #1\nbne {label}\n"


def wait(address: int, mask: int) -> str:
    """Poll until a bit is set."""
    label = f"wait{next(NUMBERS)}"
    return (
        f"ldr r0, ={address:#x}\nldr r2, ={mask:#x}\n"
        f"{label}: ldr r1, [r0, #0]\ntst r1, r2\nbeq {label}"
    )


def on(*more: str) -> str:
    """Everything clocked, then more."""
    return "\n".join([clocks(), *more])


def pll(
    m: int = 16,
    n: int = 336,
    scale: int = 0xC000,
    latency: int = 2,
    ppre: int = 0x1000,
    q: int = 7,
) -> str:
    """84 MHz of the HSI (16 / 16 * 336 / 4): the PLL, the wait states, the switch."""
    return "\n".join([
        poke((RCC + 0x40, 1 << 28)), "nop\nnop\nnop\nnop", poke((PWR, scale)),
        poke((RCC + 4, 0x2000_0000 | q << 24 | 1 << 16 | n << 6 | m), (RCC, 0x0100_0083)),
        wait(RCC, 1 << 25), poke((FLASH, latency), (RCC + 8, ppre), (RCC + 8, ppre | 2)),
        "movs r3, #200\nagain: subs r3, #1\nbne again",
    ])  # fmt: skip


def programmed(*values: int) -> str:
    """Program words at the start of sector 5, x32, waiting for each."""
    text = [KEYS, poke((FLASH + 16, 0x201))]
    for n, value in enumerate(values):
        text += [poke((0x0802_0000, value)), f"ldr r0, ={FLASH + 12:#x}",
                 f"busy{n}: ldr r1, [r0, #0]", "lsls r1, r1, #15", f"bmi busy{n}"]  # fmt: skip
    return "\n".join(text)


def copy(cr: int = 0, ndtr: int = 16, m0ar: int = TARGET, fcr: int = 7, dma: int = DMA2) -> str:
    """A copy from RAM to RAM by stream 0."""
    return on(stream(dma, 0, COPY | MINC | PINC | cr, ndtr, BUFFER, m0ar, fcr=fcr))


def say(cr1: int = 0x2008, brr: int = 0x8B, before: str = "", after: str = "") -> str:
    """USART2 sends one byte."""
    return on(
        poke((AFRL, 0x7700), (MODER, SWD | 0xA0)), before,
        poke((USART2 + 8, brr), (USART2 + 12, cr1)), wait(USART2, 1 << 7),
        poke((USART2 + 4, 65)), after,
    )  # fmt: skip


def blink(between: str) -> str:
    """PA5 goes up, then down."""
    return on(
        poke((MODER, SWD | 0x400), (GPIOA + 0x18, 1 << 5)), between,
        poke((GPIOA + 0x18, 1 << 21)),
    )  # fmt: skip


COUNT = "ldr r3, =30000\ncount: subs r3, #1\nbne count"
TICK = poke((0xE000_E014, 160_000), (0xE000_E018, 0), (0xE000_E010, 5)) + "\n" + wait(
    0xE000_E010, 1 << 16
)  # fmt: skip
LATE = "b go\ntick: ldr r0, =0x40000010\nmovs r1, #0\n{clear}\n{more}\nbx lr\ngo: " + on(
    poke((TIM2 + 0x2C, 999), (TIM2 + 0xC, 1), (0xE000_E100, 1 << 28), (TIM2, 1))
)  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """A firmware that commits a hazard and its neighbour; how both are run."""

    wrong: str
    right: str
    says: str = ""  # part of the message
    board: dict[str, object] = field(default_factory=dict)
    right_board: dict[str, object] | None = None
    span_ps: int = 20 * MS
    stimuli: tuple[Stimulus, ...] = ()
    right_stimuli: tuple[Stimulus, ...] | None = None
    vectors: dict[int, str] = field(default_factory=dict)
    data: int = 0  # bytes of RAM that the image keeps for its variables
    faults: bool = False  # the engine cannot run what is wrong


GPIOB = 0x4002_0400
PORT_B = poke((RCC + 0x30, 0x60_0003)) + "\nnop" * 8
RISING = poke((EXTI + 8, 1 << 4), (EXTI, 1 << 4))
DRIVEN = (Drive("PA5", MS, 0),)

PAIRS: dict[str, Pair] = {
    "backup-locked": Pair(
        poke((RCC + 0x70, 0x8000)),
        poke((RCC + 0x40, 1 << 28), (PWR, 0x100), (RCC + 0x70, 0x8000)), "is locked",
    ),
    "baud-error": Pair(say(brr=0x80), say(), "baud"),
    "baud-off": Pair(say(brr=0x8E), say(), "-2."),
    "clock-limit": Pair(pll(ppre=0), pll(), "APB1 runs at 84 MHz"),
    "clock-off": Pair(
        poke((MODER, SWD | 1 << 10)), on(poke((MODER, SWD | 1 << 10))), "GPIOA"
    ),
    "clock-off-idle": Pair(poke((MODER, SWD)), on(poke((MODER, SWD))), "GPIOA"),
    "clock-select": Pair(poke((RCC + 8, 3)), poke((RCC + 8, 0)), "selects no clock"),
    "clock-settling": Pair(
        "ldr r0, =0x40023830\nldr r2, =0x40020000\nmovs r1, #1\nldr r3, =0xa8000000\n"
        "str r1, [r0, #0]\nstr r3, [r2, #0]",
        "ldr r0, =0x40023830\nldr r2, =0x40020000\nmovs r1, #1\nldr r3, =0xa8000000\n"
        "str r1, [r0, #0]\nldr r1, [r0, #0]\nstr r3, [r2, #0]",
        "GPIOA",
    ),
    "counted-time": Pair(blink(COUNT), blink(TICK), "PA5"),
    "dma-burst": Pair(
        copy(WORDS | 1 << 23, m0ar=TARGET + 1020), copy(WORDS | 1 << 23, m0ar=TARGET), "1 KB"
    ),
    "dma-bus-error": Pair(copy(dma=DMA1), copy(), "reaches"),
    "dma-empty": Pair(copy(ndtr=0), copy(), "NDTR 0"),
    "dma-flags": Pair(
        copy() + "\n" + wait(DMA2, 1 << 5)
        + "\n" + poke((DMA2 + 0x14, 4), (DMA2 + 0x10, COPY | MINC | PINC | 1)),
        copy() + "\n" + wait(DMA2, 1 << 5)
        + "\n" + poke((DMA2 + 8, 0x3D), (DMA2 + 0x14, 4), (DMA2 + 0x10, COPY | MINC | PINC | 1)),
        "flags of its last transfer",
    ),
    "dma-incomplete": Pair(copy(2 << 13, ndtr=6), copy(2 << 13, ndtr=8), "no whole number"),
    "dma-misaligned": Pair(copy(WORDS, m0ar=TARGET + 2), copy(WORDS), "aligned"),
    "dma-mode": Pair(copy(CIRC), copy(), "circular"),
    "dma-no-request": Pair(
        on(serial(8, 0x80), stream(DMA1, 6, 7 << 25 | MINC | 1 << 6, 4, USART2 + 4, BUFFER)),
        on(serial(8, 0x80), stream(DMA1, 6, 4 << 25 | MINC | 1 << 6, 4, USART2 + 4, BUFFER)),
        "channel 7",
    ),
    "dma-protected": Pair(
        on(serial(4, 0x40), stream(DMA1, 5, 4 << 25 | MINC, 4, USART2 + 4, TARGET))
        + "\n" + poke((DMA1 + 0x10 + 5 * 0x18 + 12, TARGET + 64)),
        on(serial(4, 0x40), poke((DMA1 + 0x10 + 5 * 0x18 + 12, TARGET + 64)),
           stream(DMA1, 5, 4 << 25 | MINC, 4, USART2 + 4, TARGET)),
        "while stream 5 is enabled",
    ),
    "flag-cleared-last": Pair(
        LATE.format(clear="ldr r2, [r0, #0]", more="str r1, [r0, #0]"),
        LATE.format(clear="ldr r2, [r0, #0]\nstr r1, [r0, #0]", more="nop\n" * 12),
        "clears its flag", vectors={16 + 28: "tick"},
    ),
    "flag-cleared-late": Pair(
        LATE.format(clear="", more="str r1, [r0, #0]"),
        LATE.format(clear="str r1, [r0, #0]", more="nop\n" * 12),
        "clears its flag", vectors={16 + 28: "tick"},
    ),
    "flash-cache-reset": Pair(
        poke((FLASH, 0x200), (FLASH, 0xA00)), poke((FLASH, 0x200), (FLASH, 0), (FLASH, 0x800)),
        "the cache is not reset",
    ),
    "flash-key": Pair(poke((FLASH + 4, 1)), KEYS, "wrong key"),
    "flash-latency": Pair(pll(latency=1), pll(), "2 are needed"),
    "flash-not-erased": Pair(programmed(0, 1), programmed(1, 0), "only an erase makes a 0 a 1"),
    "flash-prefetch": Pair(
        poke((FLASH, 0x100)), poke((FLASH, 0)), "prefetch", board={"supply_uv": 1_900_000}
    ),
    "flash-psize": Pair(
        programmed(0), programmed(0), "parallelism x32",
        board={"supply_uv": 2_400_000}, right_board={},
    ),
    "flash-refused": Pair(
        "ldr r0, =0x08020000\nstr r0, [r0, #0]", programmed(0), "the flash refused"
    ),
    "floating-input": Pair(
        on(RISING), on(poke((PUPDR, 0x6400_0200)), RISING), "PA4"
    ),
    "hse-absent": Pair(
        poke((RCC, 0x0001_0083)), poke((RCC, 0x83)), "no HSE", board={"hse_hz": None}
    ),
    "hse-mode": Pair(poke((RCC, 0x0001_0083)), poke((RCC, 0x0005_0083)), "HSEBYP"),
    "hse-range": Pair(
        poke((RCC, 0x0005_0083)), poke((RCC, 0x0005_0083)), "outside",
        board={"hse_hz": 60_000_000}, right_board={},
    ),
    "mpu-setting": Pair(
        poke((0xE000_EDA0, 0x0300_0007)), poke((0xE000_EDA0, 0x0300_0009)), "smaller than 32 bytes"
    ),
    "open-drain-floats": Pair(
        say(before=poke((OTYPER, 4))), say(before=poke((OTYPER, 4), (PUPDR, 0x6400_0010))),
        "open drain",
    ),
    "option-bytes": Pair(
        OPTION_KEYS + "\n" + poke((FLASH + 0x14, 0x0FFF_55EC | 2)), OPTION_KEYS, "locked or erased"
    ),
    "output-fight": Pair(
        on(poke((MODER, SWD | 0x400), (GPIOA + 0x14, 1 << 5))), on(poke((MODER, SWD))),
        "driven both ways", stimuli=DRIVEN,
    ),
    "pin-taken": Pair(
        on(poke((MODER, SWD | 1 << 6))), on(poke((MODER, SWD | 1 << 10))), "drives it"
    ),
    "pll-q": Pair(pll(q=0), pll(q=2), "PLLQ is 0"),
    "pll-range": Pair(pll(m=4, n=192), pll(), "the VCO's input"),
    "pll-running": Pair(
        pll() + "\n" + poke((RCC + 4, 0x2700_0000 | 1 << 16 | 192 << 6 | 16)), pll(), "PLL is on"
    ),
    "regulator-scale": Pair(pll(scale=0x4000), pll(scale=0x8000), "regulator's scale"),
    "reserved-bits": Pair(on(poke((GPIOA + 0x14, 1 << 20))), on(poke((GPIOA + 0x14, 1))), "ODR"),
    "reserved-value": Pair(
        on(poke((PUPDR, 0x6400_0300))), on(poke((PUPDR, 0x6400_0100))), "PUPDR is 11"
    ),
    "serial-format": Pair(say(0x2008 | 0x1400), say(), "parity"),
    "serial-seven-bits": Pair(say(0x2008 | 0x400), say(0x2008), "7 data bits"),
    "shared-input": Pair(
        on(PORT_B, poke((GPIOA + 0x24, 0x700), (MODER, SWD | 2 << 20), (GPIOB + 0x20, 7 << 28),
                        (GPIOB, 0x280 | 2 << 14))),
        on(PORT_B, poke((GPIOA + 0x24, 0x700), (MODER, SWD | 2 << 20))), "is fed by",
    ),
    "stack-into-data": Pair(
        "bl deep\nb end\ndeep: sub sp, #256\npush {lr}\nbl more\npop {pc}\nmore: bx lr\nend: nop",
        "bl deep\nb end\ndeep: push {lr}\nbl more\npop {pc}\nmore: bx lr\nend: nop",
        "reached the firmware's own data", data=0x1_7FC0,
    ),
    "swd-remapped": Pair(on(poke((MODER, 0x400))), on(poke((MODER, SWD | 0x400))), "PA13"),
    "timer-burst": Pair(
        on(poke((TIM1 + 0x48, 17 | 1 << 8), (TIM1 + 0x4C, 0), (TIM1 + 0x4C, 0))),
        on(poke((TIM1 + 0x48, 13), (TIM1 + 0x4C, 0))), "beyond the last one",
    ),
    "timer-direction": Pair(
        on(poke((TIM2 + 0x20, 1), (TIM2 + 0x18, 1))), on(poke((TIM2 + 0x18, 1), (TIM2 + 0x20, 1))),
        "while CC1E is set",
    ),
    "timer-mode": Pair(
        on(poke((TIM2, 1), (TIM2, 0x21))), on(poke((TIM2, 0x20), (TIM2, 0x21))),
        "while the counter runs",
    ),
    "tx-cut": Pair(
        say(after=wait(USART2, 1 << 7) + "\n" + poke((USART2 + 12, 0x2000))),
        say(after=wait(USART2, 1 << 6) + "\n" + poke((USART2 + 12, 0x2000))), "TE cleared",
    ),
    "tx-not-connected": Pair(
        say(before=poke((MODER, SWD))), say(), "nothing comes out"
    ),
    "tx-overrun": Pair(
        say(after=poke((USART2 + 4, 66), (USART2 + 4, 67))),
        say(after=wait(USART2, 1 << 7) + "\n" + poke((USART2 + 4, 66))), "TXE is 0",
    ),
    "usb-clock": Pair(
        poke((RCC + 0x34, 0x80)) + "\nnop\nnop\nnop\nnop\n" + poke((0x5000_0010, 0x2000_0001)),
        pll() + "\n" + poke((RCC + 0x34, 0x80)) + "\nnop\nnop\nnop\nnop\n"
        + poke((0x5000_0010, 0x2000_0001)), "stands still",
    ),
    "unpredictable": Pair(  # ldm r0!, {r0, r1}: the base is in its own list
        "ldr r0, =0x20000000\nb go\ngo: .word 0x0003e8b0", "ldr r0, =0x20000000\nldm r0, {r0, r1}",
        "at 0x", faults=True,
    ),
    "vos-locked": Pair(pll() + "\n" + poke((PWR, 0x4000)), pll(), "while the PLL is on"),
    "vtor-misaligned": Pair(
        poke((SCB_VTOR, 0x0800_0100)), poke((SCB_VTOR, 0x0800_0000)), "must be aligned"
    ),
    "watchdog-expired": Pair(
        poke((IWDG, 0xCCCC)),
        poke((IWDG, 0xCCCC)) + "\nfeed: " + poke((IWDG, 0xAAAA)) + pause(9999) + "b feed",
        "not fed",
        span_ps=600 * MS,
    ),
    "watchdog-unfed": Pair(
        poke((IWDG, 0xCCCC)), poke((IWDG, 0xCCCC)) + "\nfeed: " + poke((IWDG, 0xAAAA)) + "\nb feed",
        "never fed",
    ),
    "watchdog-write": Pair(
        poke((IWDG + 8, 100)), poke((IWDG, 0x5555), (IWDG + 8, 100)), "write-protected"
    ),
    "weak-drive": Pair(
        on(poke((PUPDR, 0x6400_0400))), on(poke((MODER, SWD | 0x400), (GPIOA + 0x18, 32))),
        "weak pull",
    ),
    "wrong-alternate-function": Pair(
        on(poke((AFRL, 3 << 20), (MODER, SWD | 2 << 10))),
        on(poke((AFRL, 1 << 20), (MODER, SWD | 2 << 10))), "AF3",
    ),
}  # fmt: skip
