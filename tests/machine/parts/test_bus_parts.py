"""Parts on buses whose pins firmware moves by itself, and what their data sheets forbid."""

from __future__ import annotations

import pytest

from fwgen.board.modules import BUS_PINS, known_modules, load_module_kind
from fwgen.errors import BoardError
from tests.machine.stm32.alone import hazards
from tests.machine.stm32.buses import MS, US, output, soc_with

FLASH = {"kind": "w25q16", "sck": "PA5", "miso": "PA6", "mosi": "PA7", "cs": "PB6"}
EE = {"kind": "24c02", "scl": "PB8", "sda": "PB9", "address": 0x50, "pull": "up"}


class Spi:
    """Mode 0, most significant bit first, by BSRR and IDR."""

    def __init__(self, **parts) -> None:
        self.soc = soc_with(**(parts or {"FL": FLASH}))
        for pin, level in (("PA5", 0), ("PA7", 0), ("PB6", 1)):
            output(self.soc, pin, level)

    def pin(self, port: str, index: int, level: int) -> None:
        self.soc.write(port, "BSRR", 1 << index + (0 if level else 16))
        self.soc.run_until(self.soc.now_ps + US)

    def byte(self, value: int, bits: int = 8) -> int:
        got = 0
        for n in range(7, 7 - bits, -1):
            self.pin("GPIOA", 7, value >> n & 1)
            self.pin("GPIOA", 5, 1)
            got = got << 1 | self.soc.read("GPIOA", "IDR") >> 6 & 1
            self.pin("GPIOA", 5, 0)
        return got

    def does(self, *data: int, count: int = 0) -> list[int]:
        self.pin("GPIOB", 6, 0)
        got = [self.byte(b) for b in data] + [self.byte(0) for _ in range(count)]
        self.pin("GPIOB", 6, 1)
        return got[len(data) :]

    def waits(self) -> int:
        """Poll BUSY; how long it took."""
        begin = self.soc.now_ps
        while self.does(0x05, count=1)[0] & 1:
            self.soc.run_until(self.soc.now_ps + 100 * US)
        return self.soc.now_ps - begin

    def codes(self) -> list[str]:
        return [h.code for h in hazards(self.soc) if h.severity != "note"]


def test_a_flash_takes_pins_that_firmware_moves_by_itself() -> None:
    spi = Spi()
    assert spi.does(0x9F, count=3) == [0xEF, 0x40, 0x15]
    assert spi.does(0x90, 0, 0, 0, count=2) == [0xEF, 0x14]
    spi.does(0x06)
    assert spi.does(0x05, count=2) == [2, 2]
    spi.does(0x02, 0, 0x12, 0xFE, 0xA5, 0x5A, 0x3C)  # past the end of the page
    assert 6 * 10**8 < spi.waits() < 9 * 10**8
    assert spi.does(0x05, count=1) == [0]
    assert spi.does(0x03, 0, 0x12, 0xFE, count=2) == [0xA5, 0x5A]
    assert spi.does(0x0B, 0, 0x12, 0x00, 0, count=2) == [0x3C, 0xFF]
    assert spi.codes() == ["part-page-wrap"]


def test_erasing_takes_its_time_and_only_the_sector() -> None:
    spi = Spi(FL={**FLASH, "content": "01 02 03"})
    assert spi.does(0x03, 0, 0, 0, count=3) == [1, 2, 3]
    spi.does(0x06)
    spi.does(0x02, 0, 0, 1, 0xFD)  # bit 0 of 02 would have to rise
    spi.waits()
    assert spi.does(0x03, 0, 0, 1, count=1) == [0]
    spi.does(0x06)
    spi.does(0x20, 0, 0x0F, 0xFF)
    assert 45 * MS <= spi.waits() < 46 * MS
    assert spi.does(0x03, 0, 0, 0, count=3) == [0xFF] * 3
    assert spi.codes() == ["part-not-erased"]


@pytest.mark.parametrize(
    ("doing", "code"),
    [
        (lambda s: s.does(0x20, 0, 0, 0), "part-not-enabled"),
        (lambda s: (s.does(0x06), s.does(0x20, 0, 0, 0), s.does(0x03, 0, 0, 0)), "part-busy"),
        (lambda s: (s.does(0xB9), s.does(0x9F, count=3)), "part-asleep"),
        (
            lambda s: (s.pin("GPIOB", 6, 0), s.byte(0x06), s.byte(0, 3), s.pin("GPIOB", 6, 1)),
            "part-cut-short",
        ),
    ],
)
def test_what_a_flash_ignores_is_told(doing, code) -> None:
    spi = Spi()
    doing(spi)
    assert spi.codes() == [code]


def test_power_down_and_a_supply_that_fails_while_writing() -> None:
    spi = Spi()
    spi.does(0xB9)
    spi.does(0xAB)
    spi.soc.run_until(spi.soc.now_ps + 4 * US)
    assert spi.does(0x9F, count=1) == [0xEF]
    spi.does(0x06)
    spi.does(0x02, 0, 0, 0, 0x55)
    spi.soc.modules["FL"].power_on(spi.soc.now_ps)
    spi.soc.run_until(spi.soc.now_ps + MS)
    assert spi.does(0x03, 0, 0, 0, count=1) == [0xFF]
    assert not spi.codes()


class I2c:
    """Open-drain outputs, moved by BSRR."""

    def __init__(self) -> None:
        self.soc = soc_with(EE=EE)
        self.soc.write("GPIOB", "OTYPER", 0x300)
        for pin in ("PB8", "PB9"):
            output(self.soc, pin, 1)

    def pin(self, index: int, level: int) -> None:
        self.soc.write("GPIOB", "BSRR", 1 << index + (0 if level else 16))
        self.soc.run_until(self.soc.now_ps + 3 * US)

    def sda(self) -> int:
        return self.soc.read("GPIOB", "IDR") >> 9 & 1

    def start(self) -> None:
        for index, level in ((9, 1), (8, 1), (9, 0), (8, 0)):
            self.pin(index, level)

    def stop(self) -> None:
        for index, level in ((9, 0), (8, 1), (9, 1)):
            self.pin(index, level)

    def bit(self, level: int) -> int:
        self.pin(9, level)
        self.pin(8, 1)
        got = self.sda()
        self.pin(8, 0)
        return got

    def send(self, byte: int) -> bool:
        for n in range(7, -1, -1):
            self.bit(byte >> n & 1)
        return not self.bit(1)

    def take(self, *, ack: bool) -> int:
        got = 0
        for _ in range(8):
            got = got << 1 | self.bit(1)
        self.bit(int(not ack))
        return got


def test_an_eeprom_takes_pins_that_firmware_moves_by_itself() -> None:
    bus = I2c()
    bus.start()
    assert [bus.send(b) for b in (0xA0, 0x33, 0xC1, 0xC2)] == [True] * 4
    bus.stop()
    bus.start()
    assert not bus.send(0xA0)  # the write cycle
    bus.stop()
    bus.soc.run_until(bus.soc.now_ps + 5 * MS)
    bus.start()
    assert not bus.send(0xA2)  # somebody else's address
    bus.start()
    assert [bus.send(b) for b in (0xA0, 0x33)] == [True, True]
    bus.start()
    assert bus.send(0xA1)
    assert [bus.take(ack=True), bus.take(ack=False)] == [0xC1, 0xC2]
    bus.stop()
    bus.start()
    assert bus.send(0xA1)  # where it left off
    assert bus.take(ack=False) == 0xFF
    bus.stop()
    assert not hazards(bus.soc)


def test_a_write_without_a_stop_changes_nothing() -> None:
    bus = I2c()
    bus.start()
    for byte in (0xA0, 0x10, 0x77):
        assert bus.send(byte)
    bus.start()
    assert bus.send(0xA1)
    assert bus.soc.modules["EE"].memory[0x10] == 0xFF


ON_BUSES = [(k, bus) for k in known_modules() for bus in load_module_kind(k).buses]


@pytest.mark.parametrize(("kind", "bus"), ON_BUSES)
def test_every_kind_of_part_can_be_made(kind: str, bus: str) -> None:
    known = load_module_kind(kind)
    free = iter(("PC0", "PC1", "PC2", "PC3"))
    pins = dict(zip(BUS_PINS[bus], {"i2c": ("PB8", "PB9"), "spi": (
        "PA5", "PA6", "PA7", "PB6")}[bus], strict=True))  # fmt: skip
    pins = {pin: pins[pin] for pin in known.bus_pins(bus)} | {p: next(free) for p in known.pins}
    soc = soc_with(X={"kind": kind, **pins})
    if "bytes" in known.facts:
        assert len(soc.modules["X"].memory) == known.facts["bytes"]
    assert soc.modules["X"].spec.bus == bus


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(BoardError, match="no kind of part '24c03'"):
        load_module_kind("24c03")
