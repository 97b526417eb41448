"""Calls a flash algorithm in the machine the way a debugger does: arguments in, result out.

The chip boots into a few instructions in RAM that wait for a call in a mailbox, so that all of
its flash may be erased under them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from fwgen.image.types import Image, Segment
from fwgen.machine import Machine
from fwgen.trace import Hazard
from tests.machine.core.firmware import assemble

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.machine.stm32.flash_f4 import Flash
    from fwgen.rig.algorithms import Algorithm

STUB, MAILBOX, STACK = 0x2001_0000, 0x2001_1000, 0x2001_8000
MS = 10**9
WAIT = f"""
wait:
    ldr r4, ={MAILBOX:#x}
    ldr r5, [r4, #0]
    cmp r5, #0
    beq wait
    ldr r0, [r4, #4]
    ldr r1, [r4, #8]
    ldr r2, [r4, #12]
    ldr r3, [r4, #16]
    mov sp, r3
    blx r5
    ldr r4, ={MAILBOX:#x}
    str r0, [r4, #4]
    movs r5, #0
    str r5, [r4, #0]
    b wait
"""


class Caller:
    """One chip with an algorithm in its RAM. ``at`` loads it elsewhere than it was linked for."""

    def __init__(self, board: Board, algorithm: Algorithm, at: int | None = None) -> None:
        self.algorithm = algorithm
        self.shift = 0 if at is None else at - algorithm.base
        self.machine = Machine(board)
        self.machine.listen(self._heard)
        self.hazards: list[str] = []
        stub, _ = assemble(WAIT, STUB)
        table = STACK.to_bytes(4, "little") + (STUB | 1).to_bytes(4, "little")
        base = board.chip.flash.base
        image = Image(segments=(Segment(base, table),), entry=STUB | 1, initial_sp=STACK)
        self.machine.load(image)
        self.memory = self.machine.core.memory
        assert self.memory.write_ram(STUB, stub)
        assert self.memory.write_ram(MAILBOX, bytes(4))
        assert self.memory.write_ram(algorithm.base + self.shift, algorithm.code)
        self.now_ps = MS
        self.machine.advance(self.now_ps)

    def _heard(self, event: object) -> None:
        if isinstance(event, Hazard) and event.severity != "note":
            self.hazards.append(event.code)

    def call(self, name: str, *arguments: int, within_ps: int = 30_000 * MS) -> int:
        """The result of a call, and how long it took in ``took_ps``."""
        entry = (self.algorithm.entries[name] + self.shift) | 1
        words = [entry, *arguments, *[0] * (3 - len(arguments)), self.algorithm.stack_top]
        assert self.memory.write_ram(MAILBOX, b"".join(w.to_bytes(4, "little") for w in words))
        began, step = self.now_ps, MS // 10
        while self.memory.word(MAILBOX):
            assert self.now_ps < began + within_ps, "the call does not return"
            self.now_ps += step
            step = min(2 * step, 100 * MS)
            self.machine.advance(self.now_ps)
        self.took_ps = self.now_ps - began
        result = self.memory.word(MAILBOX + 4)
        assert result is not None
        return result

    def program(self, address: int, data: bytes, *, size: int | None = None) -> int:
        """Put data into a buffer and program it."""
        buffer = self.algorithm.buffers[0]
        assert self.memory.write_ram(buffer, data)
        return self.call("program_page", address, len(data) if size is None else size, buffer)

    def put(self, address: int, data: bytes) -> None:
        """Give the flash a content, as if it had been there."""
        assert self.memory.program(address, data)

    def read(self, address: int, size: int) -> bytes:
        """What is there."""
        data = self.memory.read(address, size)
        assert data is not None
        return data

    @property
    def flash(self) -> Flash:
        """The controller."""
        return cast("Flash", self.machine.soc.peripherals["FLASH"])
