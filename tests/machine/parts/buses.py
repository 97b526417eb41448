"""A part on a bus alone: whole bytes in and out, as a port of the chip would have them."""

from __future__ import annotations

from typing import Self

from fwgen.contract import Sense
from tests.machine.parts.bench import Alone

I2C = "scl='PB8'\nsda='PB9'\npull='up'\n"
SPI = "sck='PA5'\nmiso='PA6'\nmosi='PA7'\ncs='PB6'\n"
BIT_PS = 2_500_000  # 400 kHz


class OnI2c(Alone):
    """A part on I2C, spoken to at 400 kHz."""

    def __init__(self, part: str, *, chance: int = 0) -> None:
        super().__init__(f"{I2C}{part}", chance=chance)
        self.address = self.spec.address or 0

    def start(self, byte: int) -> bool:
        self.model.clocked(self.t, 400_000)
        self.model.started(self.t)
        self.wait(9 * BIT_PS)
        return self.model.addressed(self.t, byte)

    def stop(self) -> None:
        self.wait(BIT_PS)
        self.model.stopped(self.t)

    def write(self, *data: int, stop: bool = True) -> int:
        """How many bytes were acknowledged, the address too."""
        count = int(self.start(self.address << 1))
        for byte in data if count else ():
            self.wait(9 * BIT_PS)
            if not self.model.written(self.t, byte):
                break
            count += 1
        if stop:
            self.stop()
        return count

    def fetch(self, count: int, address: int | None = None) -> bytes | None:
        """Bytes from where it stands; None where nobody answers."""
        if not self.start((self.address if address is None else address) << 1 | 1):
            self.stop()
            return None
        got = []
        for n in range(count):
            got.append(self.model.read(self.t))
            self.wait(9 * BIT_PS)
            self.model.answered(self.t, acked=n < count - 1)
        self.stop()
        return bytes(got)

    def read(self, register: int, count: int = 1) -> bytes:
        """A repeated START after the register's number."""
        assert self.write(register, stop=False) == 2
        got = self.fetch(count)
        assert got is not None
        return got

    def senses(self, to: int, what: str = "temperature") -> Self:
        self.do(Sense(f"X.{what}", 0, to, to))
        return self.wait(1)


class OnSpi(Alone):
    """A part on SPI, spoken to at 1 MHz."""

    def __init__(self, part: str, *, chance: int = 0) -> None:
        super().__init__(f"{SPI}{part}", chance=chance)

    def does(self, *data: int, count: int = 0, bits: int = 0) -> bytes:
        """What comes while and after ``data`` is sent: of the rest alone."""
        self.model.select(self.t)
        got = []
        for byte in (*data, *[0] * count):
            out = self.model.shift_out(self.t)
            self.model.clocked(self.t, 1_000_000)
            self.wait(8_000_000)
            self.model.shift_in(self.t, byte)
            got.append(0xFF if out is None else out)
        self.model.deselect(self.t, bits)
        self.wait(1_000_000)
        return bytes(got[len(data) :])

    def senses(self, to: int, what: str = "temperature") -> Self:
        self.do(Sense(f"X.{what}", 0, to, to))
        return self.wait(1)
