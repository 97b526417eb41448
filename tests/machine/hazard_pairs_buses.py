"""Pairs of SPI, I2S and I2C, and of the parts on these buses."""

from __future__ import annotations

from tests.machine.core.dma import poke
from tests.machine.hazard_pairs import MODER, MS, NUMBERS, RCC, SWD, Pair, wait
from tests.machine.stm32.buses import board_with

GPIOB, SPI1, SPI2, I2C1 = 0x4002_0400, 0x4001_3000, 0x4000_3800, 0x4000_5400
EXTENSION = 0x4000_341C  # I2S2ext's I2SCFGR
SR1, SR2, DR = I2C1 + 0x14, I2C1 + 0x18, I2C1 + 0x10
MASTER = 0x344  # MSTR, SPE, SSM, SSI
PINS = {"sck": "PA5", "miso": "PA6", "mosi": "PA7", "cs": "PB6"}
WITH = {
    "modules": board_with(
        FL={"kind": "w25q16", **PINS},
        EE={"kind": "24c02", "scl": "PB8", "sda": "PB9", "pull": "up"},
    ).modules
}
BARE = {"modules": {}}
UP = 1 << 16 | 1 << 18  # PUPDR of PB8 and PB9


def until_clear(address: int, mask: int) -> str:
    """Poll until a bit is clear."""
    label = f"clear{next(NUMBERS)}"
    return (
        f"ldr r0, ={address:#x}\nldr r2, ={mask:#x}\n"
        f"{label}: ldr r1, [r0, #0]\ntst r1, r2\nbne {label}"
    )


def look(address: int) -> str:
    return f"ldr r0, ={address:#x}\nldr r1, [r0, #0]"


def pause(turns: int) -> str:
    label = f"pause{next(NUMBERS)}"
    return f"ldr r3, ={turns}\n{label}: subs r3, #1\nbne {label}"


def lines(*more: str) -> str:
    return "\n".join(more)


ON = lines(
    poke((RCC + 0x30, 3), (RCC + 0x40, 1 << 21 | 1 << 14), (RCC + 0x44, 1 << 12)), "nop\n" * 8
)
SELECT, DESELECT = poke((GPIOB + 0x18, 1 << 22)), poke((GPIOB + 0x18, 1 << 6))


def spi(*more: str, cr1: int = MASTER, pins: int = 0xA800, cr2: int = 0) -> str:
    """SPI1 on PA5 to PA7 at 8 MHz, its select PB6 high; then more; then it comes to rest."""
    return lines(
        ON, DESELECT, poke((GPIOB, 0x1280), (MODER + 0x20, 0x5550_0000), (MODER, SWD | pins),
                           (SPI1 + 4, cr2), (SPI1, cr1)), *more, pause(300),
    )  # fmt: skip


def frames(*data: int) -> str:
    """Each exchanged, and waited for."""
    return lines(*(
        lines(poke((SPI1 + 12, byte)), wait(SPI1 + 8, 1), look(SPI1 + 12),
              until_clear(SPI1 + 8, 0x80))
        for byte in data
    ))  # fmt: skip


def bits(value: int, count: int) -> str:
    """So many of 16 bits by hand: MOSI, then a pulse of SCK."""
    bsrr = MODER + 0x18
    return lines(*(
        poke((bsrr, 1 << 7 if value >> 15 - n & 1 else 1 << 23), (bsrr, 1 << 5), (bsrr, 1 << 21))
        for n in range(count)
    ))  # fmt: skip


def does(*data: int) -> str:
    return lines(SELECT, frames(*data), DESELECT)


def busy() -> str:
    return lines(does(0x06), does(0x02, 0, 0, 0, 0xA5))


DONE = pause(6000)  # longer than a page takes
WRITTEN = lines(busy(), DONE)


def i2c(
    *more: str, freq: int = 16, ccr: int = 80, trise: int = 17, otyper: int = 0x300,
    moder: int = 0xA_0280, pupdr: int = 0x100, cr1: int = 1,
) -> str:  # fmt: skip
    """I2C1 on PB8 and PB9 at 100 kHz; then more."""
    return lines(
        ON, poke((GPIOB + 4, otyper), (GPIOB + 12, pupdr), (GPIOB + 0x24, 0x44), (GPIOB, moder),
                 (I2C1 + 4, freq), (I2C1 + 0x1C, ccr), (I2C1 + 0x20, trise), (I2C1, cr1)), *more,
    )  # fmt: skip


START, STOP = poke((I2C1, 0x101)), poke((I2C1, 0x201))
STARTED = lines(START, wait(SR1, 1))
STOPPED = lines(STOP, until_clear(SR2, 2))
ADDRESSED = lines(STARTED, poke((DR, 0xA0)), wait(SR1, 2), look(SR2))
FAIR = lines(ADDRESSED, STOPPED)


def sends(*data: int) -> str:
    each = (lines(wait(SR1, 0x80), poke((DR, byte))) for byte in data)
    return lines(ADDRESSED, *each, wait(SR1, 4), STOPPED)


PLLI2S = lines(poke((RCC + 0x84, 0x5400_3000), (RCC, 0x0400_0083)), wait(RCC, 1 << 27))
SOUND = lines(
    ON,
    poke((GPIOB + 0x24, 0x5055_0000), (GPIOB, 0x8A00_0280)),
)


def i2s(divider: int = 4, *more: str, pll: str = PLLI2S) -> str:
    """I2S2 sends on PB12, PB13 and PB15."""
    return lines(
        SOUND, pll, poke((SPI2 + 0x20, divider), (SPI2 + 0x1C, 0xA00), (SPI2 + 0x1C, 0xE00)),
        *more,
    )  # fmt: skip


QUIET = poke((SPI2 + 0x1C, 0xA00))
SLAVE = board_with(
    W1={"kind": "wire", "pins": ["PA5", "PB13"]}, W2={"kind": "wire", "pins": ["PA6", "PB14"]},
    R1={"kind": "resistor", "pin": "PA6", "pull": "down"},
).devices  # fmt: skip


def slave(*more: str) -> str:
    return lines(
        ON, poke((GPIOB + 0x24, 0x0550_0000), (GPIOB, 0x2800_0280), (SPI2, 0x240)), *more,
        poke((MODER + 0x20, 0x5550_0000), (MODER, SWD | 0xA800), (SPI1, MASTER | 4 << 3),
             (SPI1 + 12, 1)), pause(300),
    )  # fmt: skip


def pair(wrong: str, right: str, says: str, *, board: dict[str, object] = WITH,
         right_board: dict[str, object] | None = None) -> Pair:  # fmt: skip
    return Pair(wrong, right, says, board=board, right_board=right_board, span_ps=40 * MS)


PAIRS: dict[str, Pair] = {
    "cs-within-frame": pair(
        spi(SELECT, poke((SPI1 + 12, 6)), DESELECT, cr1=MASTER | 5 << 3),
        spi(SELECT, frames(6), DESELECT, cr1=MASTER | 5 << 3), "still on its way",
    ),
    "i2s-cut": pair(
        i2s(40, poke((SPI2 + 12, 1)), QUIET), i2s(40, poke((SPI2 + 12, 1)), pause(3000), QUIET),
        "I2SE cleared",
    ),
    "i2s-divider": pair(i2s(1), i2s(2), "forbidden"),
    "i2s-extension-master": pair(
        lines(ON, poke((EXTENSION, 0xE00))), lines(ON, poke((EXTENSION, 0xC00))), "always a slave"
    ),
    "i2s-no-clock": pair(i2s(pll="nop"), i2s(), "PLLI2S"),
    "spi-cut": pair(
        spi(poke((SPI1 + 12, 1)), poke((SPI1, MASTER & ~0x40 | 5 << 3)), cr1=MASTER | 5 << 3),
        spi(frames(1), poke((SPI1, MASTER & ~0x40 | 5 << 3)), cr1=MASTER | 5 << 3),
        "SPE cleared",
    ),
    "spi-mode-fault": pair(spi(cr1=0x44), spi(), "NSS is low"),
    "spi-not-connected": pair(
        spi(poke((SPI1 + 12, 1)), pins=0), spi(poke((SPI1 + 12, 1))), "no pin is set"
    ),
    "spi-reconfigured": pair(
        spi(poke((SPI1 + 12, 1)), poke((SPI1, MASTER | 4 << 3)), cr1=MASTER | 5 << 3),
        spi(frames(1), poke((SPI1, MASTER | 4 << 3)), cr1=MASTER | 5 << 3), "changed",
    ),
    "spi-slave-empty": pair(
        slave(), slave(poke((SPI2 + 12, 5))), "nothing was written", board={"devices": SLAVE}
    ),
    "i2c-cut": pair(i2c(ADDRESSED, poke((I2C1, 0))), i2c(FAIR, poke((I2C1, 0))), "PE cleared"),
    "i2c-cr1-pending": pair(
        i2c(START, poke((I2C1, 0x501)), wait(SR1, 1), STOPPED), i2c(STARTED, STOPPED),
        "START had still to come",
    ),
    "i2c-reconfigured": pair(
        i2c(poke((I2C1 + 0x1C, 90)), FAIR), i2c(FAIR), "CCR changed while PE is 1"
    ),
    "i2c-data-lost": pair(
        i2c(ADDRESSED, poke((DR, 1)), poke((DR, 2)), STOPPED), i2c(sends(1, 2)), "STOP comes"
    ),
    "i2c-freq": pair(i2c(FAIR, freq=8), i2c(FAIR), "FREQ says 8"),
    "i2c-no-pull-up": pair(i2c(START, pause(3000)), i2c(FAIR), "pulls", board=BARE,
                           right_board=WITH),
    "i2c-no-rate": pair(i2c(START, ccr=0), i2c(FAIR), "no rate"),
    "i2c-not-connected": pair(i2c(START, moder=0x280), i2c(FAIR), "no pin is set"),
    "i2c-not-sending": pair(i2c(poke((DR, 1))), i2c(sends(1)), "nothing is being sent"),
    "i2c-push-pull": pair(i2c(START, otyper=0), i2c(FAIR), "drives"),
    "i2c-sequence": pair(
        i2c(START, pause(300), poke((DR, 0xA0))), i2c(FAIR), "without a read of SR1"
    ),
    "i2c-too-fast": pair(i2c(FAIR, ccr=40), i2c(FAIR), "allows"),
    "i2c-trise": pair(i2c(FAIR, trise=2), i2c(FAIR), "TRISE is 2"),
    "i2c-weak-pull-up": pair(
        i2c(STARTED, STOPPED, pupdr=UP | 0x100), i2c(FAIR), "weak", board=BARE, right_board=WITH
    ),
    "i2c-weak-pull-up-fast": pair(
        i2c(STARTED, STOPPED, pupdr=UP | 0x100, ccr=0x800E), i2c(FAIR, ccr=0x800E), "weak",
        board=BARE, right_board=WITH,
    ),
    "part-asleep": pair(spi(does(0xB9), does(0x9F, 0)), spi(does(0x9F, 0)), "power-down"),
    "part-busy": pair(spi(busy(), does(0x9F, 0)), spi(WRITTEN, does(0x9F, 0)), "is busy"),
    "part-cut-short": pair(
        spi(poke((MODER, SWD | 0x5400)), SELECT, bits(0x0600, 12), DESELECT),
        spi(poke((MODER, SWD | 0x5400)), SELECT, bits(0x0600, 8), DESELECT), "bits into a byte",
    ),
    "part-not-enabled": pair(spi(does(0x20, 0, 0, 0)), spi(does(0x06), does(0x20, 0, 0, 0)), "WEL"),
    "part-not-erased": pair(
        spi(WRITTEN, does(0x06), does(0x02, 0, 0, 0, 0x5A)),
        spi(WRITTEN, does(0x06), does(0x02, 0, 0, 0, 0x85)), "no bit goes",
    ),
    "part-page-wrap": pair(
        i2c(sends(7, 1, 2)), i2c(sends(6, 1, 2)), "past the end"
    ),
    "part-too-fast": pair(
        i2c(FAIR, ccr=0x8004), i2c(FAIR, ccr=0x800E), "its limit here is 400 kHz"
    ),
}  # fmt: skip
