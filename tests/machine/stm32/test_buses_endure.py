"""Whatever is written to ports and pins that have parts and wires on them, the machine goes on.

Random accesses at random times: no exception, the lines come to rest once all is switched off, and
afterwards a plain transfer works as on a fresh chip.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.stm32.buses import MS, US, soc_with

PARTS = {
    "FL": {"kind": "w25q16", "sck": "PA5", "miso": "PA6", "mosi": "PA7", "cs": "PB6"},
    "EE": {"kind": "24c02", "scl": "PB8", "sda": "PB9", "address": 0x50, "pull": "up"},
    "W1": {"kind": "wire", "pins": ["PA5", "PB13"]},
    "W2": {"kind": "wire", "pins": ["PA7", "PB15"]},
    "W3": {"kind": "wire", "pins": ["PB8", "PB10"]}, "W4": {"kind": "wire", "pins": ["PB9", "PB3"]},
}  # fmt: skip
# What firmware would write, and neighbours of it; pins among them.
SPI = [0x344, 0x34C, 0x344 | 3, 0x304, 0x340, 0x240, 0x44, 0xC344, 0x8344, 0x744, 0xB44, 0x2344, 0]
I2C = [1, 0x401, 0x501, 0x101, 0x201, 0xC01, 0x601, 0x81, 0x8000, 0]
I2C += [0x403, 0x2413, 0x41B, 0x421, 0x1421, 0x503, 0x203, 0x1623]  # SMBus, and PEC
CHOICES = (
    *(("SPI1", "CR1", v) for v in SPI), *(("SPI2", "CR1", v) for v in SPI),
    *((p, "CR2", v) for p in ("SPI1", "SPI2") for v in (0, 4, 0xE7, 0x10, 0xF0)),
    *((p, "DR", v) for p in ("SPI1", "SPI2") for v in (0x9F, 0x05, 0x06, 0x20, 0)),
    *((p, "I2SCFGR", v) for p in ("SPI1", "SPI2") for v in (0xE00, 0xF00, 0)),
    *(("SPI2", "I2SCFGR", v) for v in (0xC00, 0xD00, 0xD13, 0xCB0, 0xEA0)), ("SPI2", "I2SPR", 4),
    *(("I2S2ext", "I2SCFGR", v) for v in (0xC00, 0xD00, 0xE00, 0)), ("I2S2ext", "DR", 0x1234),
    *(("RCC", "CR", v) for v in (0x0400_0083, 0x83)), ("RCC", "PLLI2SCFGR", 0x2000_3000),
    *(("I2C1", "CR1", v) for v in I2C), *(("I2C2", "CR1", v) for v in I2C),
    *((p, "DR", v) for p in ("I2C1", "I2C2") for v in (0xA0, 0xA1, 0x64, 0x65, 0)),
    *((p, "CR2", v) for p in ("I2C1", "I2C2") for v in (16, 0x710, 0xF10)),
    *((p, "CCR", v) for p in ("I2C1", "I2C2") for v in (80, 200, 0x8010, 0)),
    *((p, "OAR1", v) for p in ("I2C1", "I2C2") for v in (0x4064, 0xC064)),
    *((p, "SR1", v) for p in ("I2C1", "I2C2") for v in (0, 0xFBFF)),
    *(("GPIOA", "MODER", v) for v in (0xA800_A800, 0xA800_5400, 0xA800_0000)),
    *(("GPIOB", "MODER", v) for v in (0xA8_0000 << 8 | 0xA_1280, 0x0005_1280, 0x280, 0xA82A_12C0)),
    *(("GPIOB", "OTYPER", v) for v in (0x708, 0)), ("GPIOA", "AFRL", 0x5550_0000),
    ("GPIOB", "AFRH", 0x5550_0444), ("GPIOB", "AFRL", 0x9000), ("GPIOB", "PUPDR", 0x5_0100),
    *(("GPIOB", "BSRR", 1 << n) for n in (6, 22, 8, 24, 9, 25)),
    *(("GPIOA", "BSRR", 1 << n) for n in (5, 21, 7, 23)),
    *(("RCC", "APB2ENR", v) for v in (0x1000, 0)),
    *(("RCC", "APB1RSTR", v) for v in (0x60_4000, 0)),
)  # fmt: skip
READS = [(p, r) for p in ("I2C1", "I2C2") for r in ("SR1", "SR2", "DR")]
READS += [(p, r) for p in ("SPI1", "SPI2") for r in ("SR", "DR")]
steps = st.lists(
    st.tuples(
        st.one_of(st.sampled_from(CHOICES), st.sampled_from(READS)),
        st.sampled_from((0, 1000, US, 7 * US, 60 * US, MS)),
    ),
    max_size=80,
)


@settings(max_examples=60, deadline=None)
@given(steps=steps)
def test_any_use_of_ports_and_pins_leaves_a_machine_that_works(steps) -> None:
    soc = soc_with(**PARTS)
    for access, wait in steps:
        if len(access) == 3:
            soc.write(*access)
        else:
            soc.read(*access)
        soc.run_until(soc.now_ps + wait)
    for register in ("APB1RSTR", "APB2RSTR", "AHB1RSTR"):
        soc.write("RCC", register, 0x60_5000 if register != "AHB1RSTR" else 3)
        soc.write("RCC", register, 0)
    soc.run_until(soc.now_ps + 50 * MS)
    assert soc.fabric.pads["PB8"].level == 1
    for register in ("APB1ENR", "APB2ENR"):
        soc.write("RCC", register, 0x60_5000)
    soc.run_until(soc.now_ps + US)
    identity(soc)
    write_and_read(soc)


def identity(soc) -> None:
    """The flash tells what it is."""
    soc.write("GPIOB", "BSRR", 1 << 6)
    soc.write("GPIOB", "MODER", 0x1280)
    soc.write("GPIOA", "AFRL", 0x5550_0000)
    soc.write("GPIOA", "MODER", 0xA800_A800)
    soc.write("SPI1", "CR1", 0x344)
    soc.run_until(soc.now_ps + MS)
    got = []
    for instruction, count in ((0xAB, 0), (0x9F, 3)):
        soc.write("GPIOB", "BSRR", 1 << 22)
        for byte in (instruction, *(0,) * count):
            soc.write("SPI1", "DR", byte)
            soc.run_until(soc.now_ps + 2 * US)
            got.append(soc.read("SPI1", "DR"))
        soc.write("GPIOB", "BSRR", 1 << 6)
        soc.run_until(soc.now_ps + 30 * MS)
    assert got[2:] == [0xEF, 0x40, 0x15]


def write_and_read(soc) -> None:
    """The EEPROM acknowledges its address."""
    soc.write("GPIOB", "OTYPER", 0x300)
    soc.write("GPIOB", "AFRH", 0x44)
    soc.write("GPIOB", "MODER", 0xA_1280)
    soc.write("I2C1", "CR2", 16)
    soc.write("I2C1", "CCR", 80)
    soc.write("I2C1", "CR1", 1)
    # A read that was broken off may have left the part holding SDA: nine clocks free it.
    for _ in range(2):
        soc.write("I2C1", "CR1", 0x101)
        soc.run_until(soc.now_ps + MS)
        if soc.read("I2C1", "SR1") & 1:
            break
    assert soc.read("I2C1", "SR1") & 1, "no START"
    soc.write("I2C1", "DR", 0xA0)
    soc.run_until(soc.now_ps + MS)
    assert soc.read("I2C1", "SR1") & 2
