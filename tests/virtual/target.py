"""A small target for probes under test: a Debug Port, an AHB-AP, a Cortex-M's debug registers.

Enough of ADIv5.2 and of the ARMv7-M ARM §C1.6 that pyOCD discovers, halts, resets and reads it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from fwgen.virtual.wire import FaultAnswerError, NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Sequence

DPIDR = 0x2BA01477
IDR = 0x24770011
FLASH, RAM, ROM_TABLE = 0x0800_0000, 0x2000_0000, 0xE00F_F000
SCS = 0xE000_E000
CPUID, AIRCR = 0xE000_ED00, 0xE000_ED0C
DHCSR, DCRSR, DCRDR, DEMCR = 0xE000_EDF0, 0xE000_EDF4, 0xE000_EDF8, 0xE000_EDFC
STICKYERR, SELECT, CTRL_STAT, ABORT = 1 << 5, 0x8, 0x4, 0x0
ACKS = 0xA000_0000  # CSYSPWRUPACK, CDBGPWRUPACK


class Target:
    """``faults`` are answers to the next AP accesses, one each, None meaning as usual."""

    def __init__(self) -> None:
        self.memory = {FLASH: bytearray(0x10000), RAM: bytearray(0x10000)}
        self.rom = bytearray(0x1000)
        self._describe()
        self.supply_mv = 3300
        self.silent = False
        self.faults: deque[Exception | None] = deque()
        self.nrst: list[bool] = []
        self.resets = 0
        self.swo = b""
        self.trace_baud = 0
        self.log: list[str] = []
        self.ctrl = self.select = self.last_ap = 0
        self.sticky = False
        self.csw = self.tar = 0
        self.halted = False
        self.dhcsr_reset = True
        self.demcr = 0
        self.core = dict.fromkeys(range(0x80), 0)
        self.dcrdr = 0

    def _describe(self) -> None:
        """A ROM table with one entry, the System Control Space (ADIv5.2 D3)."""
        self.rom[0:4] = ((SCS - ROM_TABLE) & 0xFFFFFFFF | 3).to_bytes(4, "little")
        self._identify(self.rom, cls=1, part=0x4C4)
        self.scs = bytearray(0x1000)
        self._identify(self.scs, cls=0xE, part=0x00C)
        self.scs[0xD00:0xD04] = (0x410FC241).to_bytes(4, "little")

    @staticmethod
    def _identify(page: bytearray, *, cls: int, part: int) -> None:
        page[0xFD0] = 4
        page[0xFE0] = part & 0xFF
        page[0xFE4] = 0xB0 | part >> 8
        page[0xFE8] = 0x0B
        page[0xFF0], page[0xFF4], page[0xFF8], page[0xFFC] = 0x0D, cls << 4, 0x05, 0xB1

    # The wire.

    def _answer(self) -> None:
        if self.silent:
            raise NoAnswerError

    def read_dp(self, address: int) -> int:
        self._answer()
        if address == 0:
            return DPIDR
        if address == CTRL_STAT and not self.select & 0xF:
            return self.ctrl | (self.ctrl & 0x5000_0000) << 1 | (STICKYERR if self.sticky else 0)
        if address == CTRL_STAT:
            return 0x1234_0000 | self.select & 0xF  # a bank of its own
        return self.last_ap if address == 0xC else 0

    def write_dp(self, address: int, value: int) -> None:
        self._answer()
        self.log.append(f"dp[{address:x}]={value:x}")
        if address == ABORT and value & 4:
            self.sticky = False
        elif address == CTRL_STAT and not self.select & 0xF:
            self.ctrl = value & 0x5000_0000
        elif address == SELECT:
            self.select = value

    def _access(self) -> None:
        self._answer()
        if self.sticky:
            raise FaultAnswerError
        if self.faults:
            fault = self.faults.popleft()
            if fault is not None:
                self.sticky |= isinstance(fault, FaultAnswerError)
                raise fault

    def read_ap(self, address: int) -> int:
        self._access()
        if address >> 24:
            value = 0
        else:
            value = {0x00: self.csw, 0x04: self.tar, 0xF8: ROM_TABLE | 3, 0xFC: IDR}.get(
                address & 0xFF, 0
            )
            if address & 0xFF == 0x0C:
                value = self._drw_read()
        self.last_ap = value
        return value

    def write_ap(self, address: int, value: int) -> None:
        self._access()
        if address & 0xFF == 0x00:
            self.csw = value & 0xFFFFFF7F | 0x40
        elif address & 0xFF == 0x04:
            self.tar = value
        elif address & 0xFF == 0x0C:
            size = 1 << (self.csw & 7)
            lane = 8 * (self.tar & 3)
            self._store(self.tar, size, (value >> lane & (1 << 8 * size) - 1))
            self._advance(size)

    def read_ap_many(self, address: int, count: int) -> list[int]:
        values: list[int] = []
        while len(values) < count and not self._in_trouble():
            try:
                values.append(self.read_ap(address))
            except FaultAnswerError:
                break
        return values

    def write_ap_many(self, address: int, values: Sequence[int]) -> int:
        for done, value in enumerate(values):
            if self._in_trouble():
                return done
            try:
                self.write_ap(address, value)
            except FaultAnswerError:
                return done
        return len(values)

    def _in_trouble(self) -> bool:
        return self.silent or self.sticky or bool(self.faults and self.faults[0])

    def _drw_read(self) -> int:
        size = 1 << (self.csw & 7)
        value = self._load(self.tar, size) << 8 * (self.tar & 3)
        self._advance(size)
        return value

    def _advance(self, size: int) -> None:
        if self.csw >> 4 & 3 == 1:
            # The AHB-AP of a Cortex-M4 counts in 12 bits.
            self.tar = self.tar & ~0xFFF | (self.tar + size) & 0xFFF

    def read_memory(self, address: int, size: int, count: int) -> bytes:
        self._access()
        return b"".join(
            self._load(address + n * size, size).to_bytes(size, "little") for n in range(count)
        )

    def write_memory(self, address: int, size: int, data: bytes) -> None:
        self._access()
        for n in range(0, len(data), size):
            self._store(address + n, size, int.from_bytes(data[n : n + size], "little"))

    def reset_line(self, asserted: bool) -> None:
        self.nrst.append(asserted)
        if asserted:
            self._reset()

    def trace_start(self, baud: int) -> None:
        self.trace_baud, self.swo = baud, b""

    def trace_stop(self) -> None:
        self.trace_baud, self.swo = 0, b""

    def trace_read(self) -> bytes:
        sent, self.swo = self.swo, b""
        return sent if self.trace_baud else b""

    # The core.

    def _reset(self) -> None:
        self.resets += 1
        self.dhcsr_reset = True
        self.halted = bool(self.demcr & 1)

    def _find(self, address: int) -> tuple[bytearray, int]:
        for base, content in {**self.memory, ROM_TABLE: self.rom, SCS: self.scs}.items():
            if base <= address < base + len(content):
                return content, address - base
        self.sticky = True
        raise FaultAnswerError(address=address)

    def _load(self, address: int, size: int) -> int:
        if address == DHCSR:
            value = 0x0001_0000 | self.halted << 17 | self.dhcsr_reset << 25 | self.halted << 1 | 1
            self.dhcsr_reset = False
            return value
        if address == DCRDR:
            return self.dcrdr
        if address == DEMCR:
            return self.demcr
        content, offset = self._find(address)
        return int.from_bytes(content[offset : offset + size], "little")

    def _store(self, address: int, size: int, value: int) -> None:
        if address == DHCSR:
            if value >> 16 == 0xA05F:
                self.halted = bool(value & 2)
        elif address == AIRCR:
            if value >> 16 == 0x05FA and value & 4:
                self._reset()
        elif address == DCRSR:
            if value >> 16 & 1:
                self.core[value & 0x7F] = self.dcrdr
            else:
                self.dcrdr = self.core[value & 0x7F]
        elif address == DCRDR:
            self.dcrdr = value
        elif address == DEMCR:
            self.demcr = value
        else:
            content, offset = self._find(address)
            content[offset : offset + size] = value.to_bytes(size, "little")
