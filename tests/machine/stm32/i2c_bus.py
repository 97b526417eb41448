"""An I2C port as firmware uses it, register by register, and an analyser on its pins."""

from __future__ import annotations

from fwgen.machine.time import NEVER
from fwgen.trace import I2cTransfer, Trace
from tests.machine.stm32.alone import hazards
from tests.machine.stm32.buses import MS, alternate

PE, NOSTRETCH, START, STOP, ACK, POS, PEC, SWRST = (1 << n for n in (0, 7, 8, 9, 10, 11, 12, 15))
ENPEC, ENGC = 1 << 5, 1 << 6
SB, ADDR, BTF, ADD10, STOPF, RXNE, TXE = (1 << n for n in (0, 1, 2, 3, 4, 6, 7))
BERR, ARLO, AF, OVR, PECERR = (1 << n for n in (8, 9, 10, 11, 12))
MSL, BUSY, TRA, GENCALL, DUALF = 1, 2, 4, 1 << 4, 1 << 7
EE = {"kind": "24c02", "scl": "PB8", "sda": "PB9", "address": 0x50, "pull": "up"}
WIRES = {
    "W1": {"kind": "wire", "pins": ["PB8", "PB10"]}, "W2": {"kind": "wire", "pins": ["PB9", "PB3"]},
    "R1": {"kind": "resistor", "pin": "PB8", "pull": "up"},
    "R2": {"kind": "resistor", "pin": "PB9", "pull": "up"},
}  # fmt: skip


def pins(soc, port: str = "I2C1") -> None:
    for pin, af in {"I2C1": (("PB8", 4), ("PB9", 4)), "I2C2": (("PB10", 4), ("PB3", 9))}[port]:
        alternate(soc, pin, af, open_drain=True)


def on(soc, port: str = "I2C1", *, ccr: int = 80, cr1: int = 0, oar1: int = 0) -> None:
    pins(soc, port)
    soc.write(port, "CR2", 16)
    soc.write(port, "CCR", ccr)
    soc.write(port, "TRISE", 17)
    soc.write(port, "OAR1", 1 << 14 | oar1)
    soc.write(port, "CR1", PE | cr1)


def step(soc) -> None:
    assert soc.scheduler.next_ps < NEVER, "nothing more will happen"
    soc.run_until(soc.scheduler.next_ps)


def until(soc, flags: int, port: str = "I2C1") -> int:
    """Poll SR1 as firmware does."""
    while not (got := soc.read(port, "SR1")) & flags:
        step(soc)
    return got


def change(soc, port: str = "I2C1", *, set: int = 0, clear: int = 0) -> None:
    soc.write(port, "CR1", soc.read(port, "CR1") & ~clear | set)


def idle(soc, port: str = "I2C1") -> None:
    while soc.read(port, "SR2") & BUSY:
        step(soc)


def address(soc, byte: int, port: str = "I2C1") -> bool:
    change(soc, port, set=START)
    until(soc, SB, port)
    soc.write(port, "DR", byte)
    if until(soc, ADDR | AF, port) & AF:
        soc.write(port, "SR1", 0xFFFF & ~AF)
        change(soc, port, set=STOP)
        idle(soc, port)
        return False
    return True


def write(soc, to: int, data: bytes, *, stop: bool = True) -> bool:
    if not address(soc, to << 1):
        return False
    assert soc.read("I2C1", "SR2") & (MSL | BUSY | TRA) == MSL | BUSY | TRA
    for byte in data:
        until(soc, TXE)
        soc.write("I2C1", "DR", byte)
    until(soc, BTF)
    if stop:
        change(soc, set=STOP)
        idle(soc)
    return True


def read(soc, source: int, count: int) -> bytes:
    """One, two and more bytes, each the way that the manual wants it (§18.3.3)."""
    change(soc, set=ACK | (POS if count == 2 else 0), clear=0 if count == 2 else POS)
    assert address(soc, source << 1 | 1)
    got = bytearray()
    if count == 1:
        change(soc, clear=ACK)
        soc.read("I2C1", "SR2")
        change(soc, set=STOP)
    elif count == 2:
        soc.read("I2C1", "SR2")
        change(soc, clear=ACK)
        until(soc, BTF)
        change(soc, set=STOP)
        got.append(soc.read("I2C1", "DR"))
    else:
        soc.read("I2C1", "SR2")
        for _ in range(count - 3):
            until(soc, RXNE)
            got.append(soc.read("I2C1", "DR"))
        until(soc, BTF)
        change(soc, clear=ACK)
        got.append(soc.read("I2C1", "DR"))
        change(soc, set=STOP)
        got.append(soc.read("I2C1", "DR"))
    until(soc, RXNE)
    got.append(soc.read("I2C1", "DR"))
    idle(soc)
    return bytes(got)


def transfers(soc, port: str = "I2C1") -> list[I2cTransfer]:
    return [e for e in soc.recorder.events if isinstance(e, I2cTransfer) and e.port == port]


def codes(soc) -> list[str]:
    return [h.code for h in hazards(soc) if h.severity != "note"]


def trace(soc) -> Trace:
    events = tuple(sorted(soc.recorder.events, key=lambda e: e.t_ps))
    return Trace("machine", "b", soc.now_ps + MS, events, dict(soc.recorder.initial))


def decoded(soc) -> list[list[int]]:
    """What an analyser on PB8 and PB9 makes of the edges: nine bits a byte, per START."""
    seen = trace(soc)
    moves = sorted(
        [(t, 0, v) for t, v in seen.edges("PB8")] + [(t, 1, v) for t, v in seen.edges("PB9")]
    )
    scl = sda = 1
    made: list[list[int]] = []
    for _, line, level in moves:
        if line == 1:
            if scl and sda and not level:
                made.append([])
            sda = level
        else:
            if level and not scl and made:
                made[-1].append(sda)
            scl = level
    return made


def as_bytes(bits: list[int]) -> list[int]:
    return [int("".join(map(str, bits[n : n + 8])), 2) for n in range(0, len(bits) - 8, 9)]
