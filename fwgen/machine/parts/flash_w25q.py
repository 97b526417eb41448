"""Serial flash of Winbond's W25Q family on an SPI bus. W25Q data sheets, instruction set.

Read Data, Fast Read, Page Program, Sector, Block and Chip Erase, Write Enable and Disable, status
registers 1 to 3, JEDEC and device id, unique id, power-down and release, software reset.
Not modelled (a hazard names the instruction): dual and quad transfers, suspend, security registers,
individual block locks. The protection bits of the status register are stored and protect nothing: a
hazard where one is set. Programming and erasing take the typical time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.parts.bus_part import BusPart

if TYPE_CHECKING:
    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc

BUSY, WEL = 1, 2
PAGE = 256

READ, FAST_READ, PROGRAM = 0x03, 0x0B, 0x02
WRITE_ENABLE, WRITE_DISABLE, WRITE_ENABLE_VOLATILE = 0x06, 0x04, 0x50
READ_STATUS = {0x05: 0, 0x35: 1, 0x15: 2}
WRITE_STATUS = {0x01: 0, 0x31: 1, 0x11: 2}
ERASES = {0x20: (4096, "erase_sector"), 0x52: (32768, "erase_half"), 0xD8: (65536, "erase_block")}
CHIP_ERASES = (0xC7, 0x60)
JEDEC_ID, DEVICE_ID, UNIQUE_ID = 0x9F, 0x90, 0x4B
POWER_DOWN, RELEASE = 0xB9, 0xAB
ENABLE_RESET, RESET = 0x66, 0x99
KNOWN = {
    READ, FAST_READ, PROGRAM, WRITE_ENABLE, WRITE_DISABLE, WRITE_ENABLE_VOLATILE, JEDEC_ID,
    DEVICE_ID, UNIQUE_ID, POWER_DOWN, RELEASE, ENABLE_RESET, RESET, *CHIP_ERASES, *ERASES,
    *READ_STATUS, *WRITE_STATUS,
}  # fmt: skip
# So many bytes of address, and of nothing, follow the instruction.
ADDRESSED = {READ, FAST_READ, PROGRAM, DEVICE_ID, *ERASES}
DUMMIES = {FAST_READ: 1, UNIQUE_ID: 4, RELEASE: 3}
WHEN_BUSY = set(READ_STATUS)


class FlashW25q(BusPart):
    """One chip."""

    SOURCE = "W25Q data sheet"

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        content = bytes.fromhex(self.word("content"))
        self.memory = bytearray(b"\xff" * self.facts["bytes"])
        self.memory[: len(content)] = content

    def power_on(self, t_ps: int) -> None:
        """The supply came: what was being written then stays as it was."""
        self._status = [0, 0, 0]
        self._asleep = self._reset_enabled = False
        self._awake_from = self._busy_until = t_ps
        self._work: tuple[int, int, bytes] | None = None  # being written: from, length, what
        self._taken: list[int] = []
        self._page: dict[int, int] = {}
        self._address = self._count = 0  # bytes that came after the instruction
        self._ignored = False

    # ------------------------------------------------------------------ the bus

    def select(self, t_ps: int) -> None:
        """A new instruction begins."""
        self._catch_up(t_ps)
        self._taken, self._page, self._ignored = [], {}, False

    def deselect(self, t_ps: int, bits: int) -> None:
        """What writes takes effect now, if the last byte was whole."""
        self._catch_up(t_ps)
        if not self._taken or self._ignored:
            return
        if bits:
            self._hazard(
                t_ps, "part-cut-short",
                f"deselected {bits} bits into a byte: instruction {self._taken[0]:02X}h is not"
                " carried out",
                "send whole bytes, and wait for BSY to fall before raising the chip select",
            )  # fmt: skip
            return
        self._carry_out(t_ps, self._taken[0])

    def rate_limit(self) -> int:
        """Read Data is slower than the rest."""
        read = bool(self._taken) and self._taken[0] == READ
        return self.facts["max_rate_read" if read else "max_rate"]

    def shift_in(self, t_ps: int, byte: int) -> None:
        """A byte of the instruction, its address or its data."""
        self._catch_up(t_ps)
        if not self._taken:
            self._begin(t_ps, byte)
            return
        taken, instruction = self._taken, self._taken[0]
        if self._ignored:
            return
        if instruction in ADDRESSED and self._count < 3:
            self._address = (self._address << 8 | byte) & 0xFF_FFFF
        elif instruction == PROGRAM:
            # "If more than 256 bytes are sent", the address wraps to the beginning of the page.
            at = self._address & ~(PAGE - 1) | (self._address + self._count - 3) & (PAGE - 1)
            self._page[at % len(self.memory)] = byte
        self._count += 1
        if len(taken) < 4:
            taken.append(byte)

    def shift_out(self, t_ps: int) -> int | None:
        """What follows the instruction; None while it is being taken."""
        self._catch_up(t_ps)
        if not self._taken or self._ignored:
            return None
        instruction, n = self._taken[0], self._count
        if instruction in READ_STATUS:
            return self._status_now(t_ps, READ_STATUS[instruction])
        if instruction == JEDEC_ID:
            return self.facts["id"] >> 16 - 8 * (n % 3) & 0xFF
        first = (3 if instruction in ADDRESSED else 0) + DUMMIES.get(instruction, 0)
        if n < first:
            return None
        if instruction in (READ, FAST_READ):
            value = self.memory[self._address % len(self.memory)]
            self._address += 1
            return value
        if instruction == DEVICE_ID:
            maker, device = self.facts["id"] >> 16, (self.facts["id"] & 0xFF) - 1
            return (maker, device)[(n - first + self._address) & 1]
        if instruction == RELEASE:
            return (self.facts["id"] & 0xFF) - 1
        if instruction == UNIQUE_ID:
            return 0xD0 + (n - first) % 8
        return None

    # ------------------------------------------------------------------ instructions

    def _begin(self, t_ps: int, instruction: int) -> None:
        self._taken, self._address, self._count = [instruction], 0, 0
        if self._asleep and instruction != RELEASE:
            self._ignore(t_ps, "part-asleep", "is in power-down", "send ABh and wait for tRES1")
        elif t_ps < self._awake_from:
            self._ignore(t_ps, "part-asleep", "is still waking up", "wait for tRES1 after ABh")
        elif t_ps < self._busy_until and instruction not in WHEN_BUSY:
            self._ignore(
                t_ps, "part-busy", "is busy", "poll BUSY in status register 1 (05h) before"
            )
        elif instruction not in KNOWN:
            self._ignored = True
            self.soc.gap(
                self.name, f"instruction {instruction:02X}h", "write", 0, "this part has no model"
            )
        else:
            writes = instruction in (PROGRAM, *ERASES, *CHIP_ERASES, *WRITE_STATUS)
            if writes and not self._status[0] & WEL:
                self._ignore(
                    t_ps, "part-not-enabled", "has WEL at 0", "send Write Enable (06h) before"
                )
        if instruction != RESET:
            self._reset_enabled = instruction == ENABLE_RESET

    def _ignore(self, t_ps: int, code: str, why: str, cure: str) -> None:
        self._ignored = True
        self._hazard(
            t_ps, code, f"{why}: instruction {self._taken[0]:02X}h is ignored", f"{cure} it"
            if cure.endswith("before") else cure,
        )  # fmt: skip

    def _carry_out(self, t_ps: int, instruction: int) -> None:
        taken, facts, size = self._taken, self.facts, len(self.memory)
        if instruction == WRITE_ENABLE:
            self._status[0] |= WEL
        elif instruction == WRITE_DISABLE:
            self._status[0] &= ~WEL
        elif instruction == WRITE_ENABLE_VOLATILE:
            self._status[0] |= WEL
        elif instruction == PROGRAM and self._page:
            self._program(t_ps)
        elif instruction in ERASES and self._count == 3:
            length, fact = ERASES[instruction]
            begin = (self._address % size) & ~(length - 1)
            self._work = (begin, length, b"\xff" * length)
            self._busy_until = t_ps + facts[fact]
        elif instruction in CHIP_ERASES and self._count == 0:
            self._work = (0, size, b"\xff" * size)
            self._busy_until = t_ps + facts["erase_chip"]
        elif instruction in WRITE_STATUS and len(taken) > 1:
            self._write_status(t_ps, WRITE_STATUS[instruction], taken[1:3])
        elif instruction == POWER_DOWN:
            self._asleep = True
        elif instruction == RELEASE and self._asleep:
            self._asleep, self._awake_from = False, t_ps + facts["wake"]
        elif instruction == RESET and self._reset_enabled:
            self._status[0] = 0
            self._reset_enabled = False

    def _program(self, t_ps: int) -> None:
        begin = min(self._page) & ~(PAGE - 1)
        page = bytearray(self.memory[begin : begin + PAGE])
        for at, byte in self._page.items():
            if byte & ~page[at - begin]:
                self._hazard(
                    t_ps, "part-not-erased",
                    f"{at:#x} is programmed to {byte:#04x}, but holds {page[at - begin]:#04x}: no"
                    " bit goes from 0 to 1 without an erase",
                    "erase the sector first (20h)",
                )  # fmt: skip
            page[at - begin] &= byte
        sent = self._count - 3
        if sent > PAGE - (self._address & (PAGE - 1)):
            self._hazard(
                t_ps, "part-page-wrap",
                f"{sent} bytes from {self._address:#x} on go past the end of the"
                " page, and come round to its beginning",
                "split what you write at multiples of 256",
            )  # fmt: skip
        self._work = (begin, PAGE, bytes(page))
        self._busy_until = t_ps + self.facts["program"]

    def _write_status(self, t_ps: int, which: int, values: list[int]) -> None:
        for n, value in enumerate(values):
            if which + n < 3:
                keeps = self._status[which + n] & (BUSY | WEL if which + n == 0 else 0)
                self._status[which + n] = value & ~(BUSY | WEL if which + n == 0 else 0) | keeps
        if self._status[0] & 0x7C:
            self.soc.gap(self.name, "block protection", "write", 0, "its bits protect nothing")
        self._busy_until = t_ps + self.facts["status"]
        self._work = (0, 0, b"")

    # ------------------------------------------------------------------ time

    def _status_now(self, t_ps: int, which: int) -> int:
        busy = BUSY if which == 0 and t_ps < self._busy_until else 0
        return self._status[which] | busy

    def _catch_up(self, t_ps: int) -> None:
        """What was being written is there when its time is over; WEL falls with it."""
        if self._work is not None and t_ps >= self._busy_until:
            begin, length, data = self._work
            self.memory[begin : begin + length] = data
            self._work = None
            self._status[0] &= ~WEL

    def _hazard(self, t_ps: int, code: str, message: str, cure: str) -> None:
        self.hazard(t_ps, code, message, "instruction set table", cure)


MODEL = FlashW25q
