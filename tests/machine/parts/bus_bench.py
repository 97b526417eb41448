"""A part on a bus alone: bytes in, by the pins, as firmware would move them."""

from __future__ import annotations

from tests.machine.parts.bench import US, Alone


class I2c(Alone):
    """A master that moves SCL and SDA of a part at ``half_ps`` each half clock."""

    def __init__(self, part: str, address: int, *, half_ps: int = 5 * US, chance: int = 0) -> None:
        super().__init__(f"{part}\nscl='D15'\nsda='D14'\npull='up'", chance=chance)
        self.address, self.half = address, half_ps
        self.put(scl=None, sda=None).wait(half_ps)

    def bit(self, level: int) -> int:
        self.put(sda=None if level else 0).wait(self.half)
        self.put(scl=None).wait(self.half)
        got = self.level("sda")
        self.put(scl=0).wait(self.half)
        assert got is not None
        return got

    def byte(self, value: int) -> bool:
        """Send one; whether it was acknowledged."""
        for n in range(7, -1, -1):
            self.bit(value >> n & 1)
        return not self.bit(1)

    def start(self, *, reads: bool = False) -> bool:
        self.put(sda=None).wait(self.half).put(scl=None).wait(self.half)
        self.put(sda=0).wait(self.half).put(scl=0).wait(self.half)
        return self.byte(self.address << 1 | reads)

    def stop(self) -> None:
        self.put(sda=0).wait(self.half).put(scl=None).wait(self.half)
        self.put(sda=None).wait(self.half)

    def send(self, *data: int) -> list[bool]:
        """A write of some bytes; which were acknowledged, the address first."""
        acks = [self.start(), *(self.byte(value) for value in data)]
        self.stop()
        return acks

    def get(self, count: int = 1) -> list[int]:
        """A read of some bytes."""
        assert self.start(reads=True)
        made = []
        for n in range(count):
            value = 0
            for _ in range(8):
                value = value << 1 | self.bit(1)
            self.bit(int(n == count - 1))
            made.append(value)
        self.stop()
        return made


class Spi(Alone):
    """A master in mode 0 that moves the pins of a part that only listens."""

    def __init__(self, part: str, *, half_ps: int = US, chance: int = 0) -> None:
        super().__init__(f"{part}\nsck='PA5'\nmosi='PA7'\ncs='PB6'", chance=chance)
        self.half = half_ps
        self.put(sck=0, mosi=0, cs=1).wait(half_ps)

    def byte(self, value: int) -> None:
        for n in range(7, -1, -1):
            self.put(mosi=value >> n & 1).wait(self.half).pulse("sck", self.half, 0)

    def send(self, *data: int, **levels: int) -> None:
        """Bytes with some of its own pins at a level."""
        self.put(**levels).wait(self.half).put(cs=0).wait(self.half)
        for value in data:
            self.byte(value)
        self.wait(self.half).put(cs=1).wait(self.half)
