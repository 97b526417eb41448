"""Firmware that nobody would write: any bytes at all, and any access to any register.

Whatever it is, a run must come back within its patience, raise nothing, and end with a trace that
can be kept and read again; the same firmware gives the same trace, however the run is sped up.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from fwgen.image.types import Image, Segment
from fwgen.machine import Machine
from fwgen.machine.armv7m.engine import GENERAL, XPSR
from fwgen.trace import dump_trace, load_trace
from tests.machine.core.firmware import FLASH, STACK, TABLE, assemble

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from random import Random

    from fwgen.board.types import Board
    from fwgen.trace import Trace

US = 10**6
SPAN = 400 * US
PATIENCE_S = 20.0
BODY = FLASH + TABLE
RAM_END = STACK

# What every vector of ``touching`` leads to: an interrupt is switched off, a fault's instruction
# (two bytes, as all that may fault here) is stepped over.
_HANDLER = """
handler: mrs r0, ipsr
subs r0, #16
blt system
and r1, r0, #31
movs r2, #1
lsls r2, r1
lsrs r0, r0, #5
lsls r0, r0, #2
ldr r3, =0xe000e180
str r2, [r3, r0]
bx lr
system: cmn.w r0, #9
bge other
tst lr, #4
ite eq
mrseq r1, msp
mrsne r1, psp
ldr r0, [r1, #24]
adds r0, #2
str r0, [r1, #24]
bx lr
other: ldr r3, =0xe000e010
movs r2, #0
str r2, [r3, #0]
bx lr
"""


class Access(NamedTuple):
    """One access to the bus; a write without a value is a read. ``size`` is 1, 2 or 4 bytes."""

    address: int
    size: int
    value: int | None


def image(body: bytes, vectors: Sequence[int] = (), stack: int = STACK) -> Image:
    """``body`` behind a vector table that leads into it wherever ``vectors`` does not say."""
    table = [stack, BODY | 1] + [BODY | 1] * (TABLE // 4 - 2)
    for number, vector in enumerate(vectors, 2):
        table[number] = vector
    data = struct.pack(f"<{TABLE // 4}I", *table) + body
    return Image((Segment(FLASH, data),), table[1], stack, (), core="cortex-m4f")


def _put(register: int, value: int) -> bytes:
    """MOVW and MOVT (T3, T1)."""
    made = b""
    for opcode, half in ((0xF240, value & 0xFFFF), (0xF2C0, value >> 16)):
        first = opcode | (half >> 11 & 1) << 10 | half >> 12
        made += struct.pack("<HH", first, (half >> 8 & 7) << 12 | register << 8 | half & 0xFF)
    return made


_STORE = {4: 0x6001, 2: 0x8001, 1: 0x7001}  # str, strh, strb r1, [r0]
_LOAD = {4: 0x6801, 2: 0x8801, 1: 0x7801}
WFI_CODE = struct.pack("<H", 0xBF30)
_FOREVER = struct.pack("<H", 0xE7FE)


def touching(accesses: Sequence[Access], *, waits: bool = False) -> Image:
    """Firmware that does these accesses, one after another, whatever comes of it."""
    handler, _ = assemble(_HANDLER, BODY)
    code = handler + bytes(len(handler) & 2)
    start = BODY + len(code)
    for address, size, value in accesses:
        code += _put(0, address)
        if value is not None:
            code += _put(1, value) + struct.pack("<H", _STORE[size])
        else:
            code += struct.pack("<H", _LOAD[size])
    code += (WFI_CODE if waits else b"") + _FOREVER
    table = [STACK, start | 1] + [BODY | 1] * (TABLE // 4 - 2)
    data = struct.pack(f"<{TABLE // 4}I", *table) + code
    return Image((Segment(FLASH, data),), start | 1, STACK, (), core="cortex-m4f")


def registers(board: Board) -> Mapping[str, tuple[int, ...]]:
    """The addresses of every modelled peripheral's registers, and of some that it lacks."""
    from fwgen.board.registers import load_register_map

    found = {}
    for spec in board.chip.peripherals.values():
        if spec.kind is not None:
            offsets = [r.offset for r in load_register_map(spec.registers).registers.values()]
            beyond = (spec.end - spec.base - 4, max(offsets) + 4)
            found[spec.name] = tuple(spec.base + offset for offset in (*offsets, *beyond))
    return found


def clocks_on(board: Board) -> Iterator[Access]:
    """Writes that open every gate of the clock controller."""
    rcc = board.chip.peripherals["RCC"].base
    for offset in (0x30, 0x34, 0x38, 0x40, 0x44):
        yield Access(rcc + offset, 4, 0xFFFFFFFF)


def endure(board: Board, firmware: Image, **options: Any) -> tuple[Trace, tuple[object, ...]]:
    """Run it; the trace, and what the core is left with. What a run must never do fails here."""
    with Machine(board, patience_s=None, **options) as machine:
        machine.load(firmware)
        machine.advance(SPAN)
        core = machine.core
        trace = machine.trace()
        left = (*core.engine.read_many((*GENERAL, XPSR)), core.next_pc, core.cycle, core.locked)
    assert trace.span_ps == SPAN
    times = [event.t_ps for event in trace.events]
    assert times == sorted(times)
    assert all(0 <= t_ps <= SPAN for t_ps in times)
    text = dump_trace(trace)
    assert dump_trace(load_trace(text)) == text
    return trace, left


def both_ways(board: Board, firmware: Image) -> None:
    """Sped up by skipping and by the compiled hook, or by neither: the same run."""
    quick, left = endure(board, firmware)
    plain, stepped = endure(board, firmware, accelerate=False, native=False)
    assert left[-3:] == stepped[-3:]
    assert dump_trace(quick) == dump_trace(plain)


def any_value(rng: Random) -> int:
    """Words of all sizes, single bits, all ones."""
    kind = rng.randrange(5)
    if kind == 0:
        return 1 << rng.randrange(32)
    if kind == 1:
        return 0xFFFFFFFF if rng.random() < 0.5 else 0
    if kind == 2:
        return rng.getrandbits(rng.randint(1, 16))
    return rng.getrandbits(32)


def any_access(rng: Random, places: Sequence[int]) -> Access:
    """An access to one of some registers, aligned or not."""
    size = rng.choice((4, 4, 4, 2, 1))
    address = rng.choice(places) + (rng.randrange(4) if rng.random() < 0.15 else 0)
    return Access(address, size, None if rng.random() < 0.3 else any_value(rng))


def any_masters(board: Board, rng: Random) -> Image:
    """Firmware that sets up masters of the bus and those whom they serve, and lets them run.

    Streams get addresses that exist, short counts and enables; pads their alternate functions;
    the served peripherals any values, most often with their enables.
    """
    chip = board.chip
    served = [spec for spec in chip.peripherals.values() if spec.dma and spec.kind is not None]
    made = [*clocks_on(board)]
    for spec in chip.peripherals.values():
        if spec.name.startswith("GPIO") and rng.random() < 0.7:
            made.append(Access(spec.base, 4, _DEBUG_PADS if spec.name == "GPIOA" else 0xAAAA_AAAA))
            function = rng.randrange(16)
            made += [Access(spec.base + lane, 4, 0x1111_1111 * function) for lane in (0x20, 0x24)]
    if rng.random() < 0.8:
        made += [Access(0xE000_E100 + 4 * bank, 4, 0xFFFF_FFFF) for bank in range(3)]
    for spec in rng.sample(served, min(len(served), rng.randint(1, 4))):
        places = registers(board)[spec.name]
        for place in places[:-2]:
            if rng.random() < 0.5:
                made.append(Access(place, 4, any_value(rng)))
        for request in rng.choice(tuple(spec.dma.values())):
            if rng.random() < 0.9:
                made += _stream(board, rng, str(request), rng.choice(places))
        made += [any_access(rng, places) for _ in range(rng.randrange(6))]
    for _ in range(rng.randrange(3)):  # from memory to memory
        made += _stream(board, rng, f"DMA2.{rng.randrange(8)}.0", rng.choice(_MEMORY), 2)
    return touching(made, waits=rng.random() < 0.5)


_DEBUG_PADS = 0xAAAA_AAAA  # PA13 and PA14 keep their function: AF0 of the others is as good
_MEMORY = (0x2000_0000, 0x2000_8000, 0x2000_FFF0, 0x2001_7FF8, FLASH, 0x0800_7FF0, 0x1FFF_7A10)


def _stream(
    board: Board, rng: Random, request: str, other: int, direction: int | None = None
) -> Iterator[Access]:
    """Writes that set up and enable the stream of a request ("DMA1.5.4")."""
    name, stream, channel = request.split(".")
    base = board.chip.peripherals[name].base + 0x10 + 0x18 * int(stream)
    way = rng.randrange(3) if direction is None else direction
    control = int(channel) << 25 | rng.getrandbits(25) & ~0xC1 | way << 6 | 1
    for offset in (0x10, 0x0C):
        yield Access(base + offset, 4, rng.choice(_MEMORY) + rng.choice((0, 0, 4, 1)))
    yield Access(base + 0x08, 4, other)
    yield Access(base + 0x04, 4, rng.choice((1, 2, 7, 16, 100, 65535)))
    yield Access(base + 0x14, 4, rng.choice((0x21, rng.getrandbits(8), 7, 4)))
    yield Access(base, 4, control)


_PEOPLED = (0x2000_0000, 0x2001_0000, 0x4002_0000, 0x4002_3800, 0x4000_0000, 0xE000_E000, FLASH)


def any_body(rng: Random) -> bytes:
    """Bytes, halfwords that are often instructions, and registers that often point somewhere."""
    kind = rng.randrange(3)
    if kind == 0:
        return rng.randbytes(rng.randint(2, 400))
    code = b""
    for _ in range(rng.randint(1, 60)):
        draw = rng.random()
        if draw < 0.25:
            code += _put(rng.randrange(8), rng.choice(_PEOPLED) + 4 * rng.randrange(64))
        elif draw < 0.7 or kind == 1:
            code += struct.pack("<H", rng.randrange(0xE000))  # the narrow ones
        else:
            wide = rng.choice((0xE800, 0xF000, 0xF800)) | rng.getrandbits(11)
            code += struct.pack("<HH", wide, rng.getrandbits(16))
    return code


def any_image(rng: Random) -> Image:
    """An image of any bytes: its handlers are somewhere in it, or nowhere."""
    body = any_body(rng)
    vectors = [
        (BODY + rng.randrange(len(body) + 2)) | (rng.random() < 0.9)
        if rng.random() < 0.9
        else rng.getrandbits(32)
        for _ in range(TABLE // 4 - 2)
    ]
    stack = STACK if rng.random() < 0.8 else rng.getrandbits(32)
    return image(body, vectors, stack)
