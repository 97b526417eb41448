"""The debug access port of a chip: a serial wire debug port and one AHB access port.

This is what stands at the end of the two wires, for every kind of probe alike. A transfer is
answered, or refused as the wire would: no answer at all, or FAULT, after which all but the debug
port's own registers stay refused until ABORT clears the sticky error.

Source: Arm IHI0031 (ADIv5) B2, C2; Arm Cortex-M4 TRM 100166 §9 (AHB-AP); RM0368 §23.5, §23.8.
Not modelled: JTAG, pushed compare and verify, WAIT answers (a transfer takes as long as it
takes), transaction counting.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwgen.machine.armv7m.debugger import Debugger
    from fwgen.virtual.faults import Faults

# Debug port registers, by address; several answer at 4, as SELECT.DPBANKSEL says.
ABORT = DPIDR = 0x0
CTRL_STAT = 0x4
SELECT = RESEND = 0x8
RDBUFF = 0xC
STKCMPCLR, STKERRCLR, WDERRCLR, ORUNERRCLR = 1 << 1, 1 << 2, 1 << 3, 1 << 4
STICKYORUN, STICKYCMP, STICKYERR, READOK, WDATAERR = 1 << 1, 1 << 4, 1 << 5, 1 << 6, 1 << 7
CDBGPWRUPREQ, CDBGPWRUPACK = 1 << 28, 1 << 29
CSYSPWRUPREQ, CSYSPWRUPACK = 1 << 30, 1 << 31
_STICKY = STICKYORUN | STICKYCMP | STICKYERR | WDATAERR

# Access port registers.
CSW, TAR, DRW, BD0, BD3, CFG, BASE, IDR = 0x00, 0x04, 0x0C, 0x10, 0x1C, 0xF4, 0xF8, 0xFC
CSW_WRITABLE = 0x2F00_0037  # HPROT, size, increment
CSW_RESET = 0x0300_0002
DEVICE_EN = 1 << 6
SINGLE, PACKED = 1, 2  # CSW.AddrInc
WRAP = 0x1000  # TAR increments within 4 KiB

SW_DP_ID = 0x2BA0_1477  # RM0368 §23.5.3
AHB_AP_ID = 0x2477_0011  # Cortex-M4's: TRM §9.3
ROM_TABLE = 0xE00F_F003  # its address; present, in the format of ADIv5


class NoAnswerError(Exception):
    """Nobody drives the wire: no power, no chip, no cable, or another protocol."""


class FaultAnswerError(Exception):
    """The debug port answered FAULT: the access at ``address`` failed, or an earlier one did.

    Of many accesses at once, ``done`` came through before, and read ``values``.
    """

    def __init__(self, message: str = "FAULT", address: int | None = None) -> None:
        super().__init__(message)
        self.address = address
        self.done = 0
        self.values: list[int] = []


class Dap:
    """The debug port and its access port. ``memory`` reaches the chip's bus.

    ``write_ap`` and ``read_ap`` take the register's address with the bank that it is in; what
    SELECT holds counts only for the wire (``transfer``).
    """

    def __init__(self, memory: Debugger, faults: Faults) -> None:
        self.memory = memory
        self._bit_errors = faults.bit_errors
        self._random = random.Random(faults.seed)
        self.power_on()

    def power_on(self) -> None:
        """Power came back: the port forgets everything."""
        self._select = self._ctrl_stat = 0
        self._csw, self._tar = CSW_RESET, 0
        self._last = 0

    # ------------------------------------------------------------------ the wire

    def transfer(self, *, ap: bool, address: int, value: int | None = None) -> int:
        """One transfer as the wire has it: ``address`` is A[3:2], ``value`` None reads.

        A read of the access port gives its value at once: the probe collects it. Raises
        FaultAnswerError.
        """
        if not ap:
            if value is None:
                return self.read_dp(address)
            self.write_dp(address, value)
            return 0
        where = self.selected(address)
        if value is None:
            return self.read_ap(where)
        self.write_ap(where, value)
        return 0

    def selected(self, address: int) -> int:
        """The register of an access port that A[3:2] mean now."""
        return self._select & 0xFF00_00F0 | address & 0xC

    def read_dp(self, address: int) -> int:
        """Read a register of the debug port, its bank above it. Raises FaultAnswerError."""
        if address >> 4:
            return 0  # another bank: there is nothing in this version of the port
        if address == DPIDR:
            return SW_DP_ID
        if address == CTRL_STAT:
            return self._status() if not self._select & 0xF else 0
        self._need_clean()
        return self._last

    def write_dp(self, address: int, value: int) -> None:
        """Write a register of the debug port. Raises FaultAnswerError."""
        if address == ABORT:
            for clear, sticky in (
                (STKCMPCLR, STICKYCMP), (STKERRCLR, STICKYERR), (WDERRCLR, WDATAERR),
                (ORUNERRCLR, STICKYORUN),
            ):  # fmt: skip
                if value & clear:
                    self._ctrl_stat &= ~sticky
            return
        self._need_clean()
        if address == SELECT:
            self._select = value
        elif address == CTRL_STAT and not self._select & 0xF:
            self._ctrl_stat = self._ctrl_stat & _STICKY | value & ~_STICKY

    def _status(self) -> int:
        """CTRL/STAT: power-up requests are granted at once."""
        value = self._ctrl_stat & ~(CDBGPWRUPACK | CSYSPWRUPACK | READOK)
        value |= CDBGPWRUPACK if value & CDBGPWRUPREQ else 0
        value |= CSYSPWRUPACK if value & CSYSPWRUPREQ else 0
        return value | (0 if value & STICKYERR else READOK)

    def _need_clean(self) -> None:
        if self._ctrl_stat & _STICKY:
            raise FaultAnswerError("a sticky error is set")

    def _fail(self, what: str, address: int) -> FaultAnswerError:
        self._ctrl_stat |= STICKYERR
        return FaultAnswerError(f"the bus refused {what} at {address:#010x}", address)

    # ------------------------------------------------------------------ the access port

    def read_ap(self, address: int) -> int:
        """Read a register of an access port. Raises FaultAnswerError."""
        return self.read_ap_many(address, 1)[0]

    def write_ap(self, address: int, value: int) -> None:
        """Write a register of an access port. Raises FaultAnswerError."""
        self.write_ap_many(address, (value,))

    def read_ap_many(self, address: int, count: int) -> list[int]:
        """Read one register of an access port many times. Raises FaultAnswerError."""
        self._need_power()
        register = address & 0xFC
        if address >> 24:
            values = [0] * count  # there is one access port
        elif register == DRW:
            values = self._read_words(count)
        elif BD0 <= register <= BD3:
            where = self._tar & ~0xF | register & 0xC
            values = [self._access(where, 4) for _ in range(count)]
        else:
            values = [self._read_register(register)] * count
        if self._bit_errors and (register == DRW or BD0 <= register <= BD3):
            values = [self._disturbed(value) for value in values]
        if values:
            self._last = values[-1]
        return values

    def write_ap_many(self, address: int, values: Sequence[int]) -> None:
        """Write one register of an access port many times. Raises FaultAnswerError."""
        self._need_power()
        register = address & 0xFC
        if address >> 24 or not values:
            return
        if register == DRW:
            self._write_words(values)
        elif BD0 <= register <= BD3:
            for value in values:
                self._store(self._tar & ~0xF | register & 0xC, 4, value)
        elif register == CSW:
            size = values[-1] & 7
            kept = values[-1] if size <= 2 else values[-1] & ~7 | self._csw & 7
            self._csw = kept & CSW_WRITABLE
        elif register == TAR:
            self._tar = values[-1]

    def _need_power(self) -> None:
        self._need_clean()
        if not self._ctrl_stat & CDBGPWRUPREQ:
            raise FaultAnswerError("debug power was not requested")

    def _read_register(self, register: int) -> int:
        known = {CSW: self._csw | DEVICE_EN, TAR: self._tar, BASE: ROM_TABLE, IDR: AHB_AP_ID}
        return known.get(register, 0)

    def _disturbed(self, value: int) -> int:
        """A word as a bad cable may deliver it."""
        if self._random.random() < self._bit_errors:
            value ^= 1 << self._random.randrange(32)
        return value

    # ------------------------------------------------------------------ data

    def read_memory(self, address: int, width: int, count: int) -> bytes:
        """Accesses of ``width`` bytes, one after another. Raises FaultAnswerError."""
        self._need_power()
        data = None
        if width == 4 and not address & 3 and not self._bit_errors:
            data = self.memory.read_block(address, 4 * count)
        if data is None:
            words = (self._access(address + n * width, width) for n in range(count))
            if self._bit_errors:
                words = (self._disturbed(word) & (1 << 8 * width) - 1 for word in words)
            data = b"".join(word.to_bytes(width, "little") for word in words)
        return data

    def write_memory(self, address: int, width: int, data: bytes) -> None:
        """Accesses of ``width`` bytes, one after another. Raises FaultAnswerError."""
        self._need_power()
        if width == 4 and not address & 3 and self.memory.write_block(address, data):
            return
        for at in range(0, len(data), width):
            value = int.from_bytes(data[at : at + width], "little")
            self._store(address + at, width, value)

    @property
    def _size(self) -> int:
        return 1 << (self._csw & 7)

    def _advance(self, by: int) -> None:
        self._tar = self._tar & ~(WRAP - 1) | (self._tar + by) & (WRAP - 1)

    def _read_words(self, count: int) -> list[int]:
        increment = self._csw >> 4 & 3
        if count > 1 and self._size == 4 and increment == SINGLE and not self._tar & 3:
            data = None
            if (self._tar & (WRAP - 1)) + 4 * count <= WRAP:
                data = self.memory.read_block(self._tar, 4 * count)
            if data is not None:
                self._advance(4 * count)
                return list(memoryview(data).cast("I"))
        values: list[int] = []
        try:
            for _ in range(count):
                values.append(self._read_word(increment))
        except FaultAnswerError as fault:
            fault.values, fault.done = values, len(values)
            raise
        return values

    def _read_word(self, increment: int) -> int:
        value = 0
        for _ in range(4 // self._size if increment == PACKED else 1):
            lane = 8 * (self._tar & 3 & ~(self._size - 1))
            value |= self._access(self._tar, self._size) << lane
            if increment:
                self._advance(self._size)
        return value

    def _write_words(self, values: Sequence[int]) -> None:
        increment = self._csw >> 4 & 3
        if len(values) > 1 and self._size == 4 and increment == SINGLE and not self._tar & 3:
            data = b"".join(value.to_bytes(4, "little") for value in values)
            whole = (self._tar & (WRAP - 1)) + len(data) <= WRAP
            if whole and self.memory.write_block(self._tar, data):
                self._advance(len(data))
                return
        for done, value in enumerate(values):
            try:
                self._write_word(value, increment)
            except FaultAnswerError as fault:
                fault.done = done
                raise

    def _write_word(self, value: int, increment: int) -> None:
        for _ in range(4 // self._size if increment == PACKED else 1):
            lane = 8 * (self._tar & 3 & ~(self._size - 1))
            self._store(self._tar, self._size, value >> lane)
            if increment:
                self._advance(self._size)

    def _access(self, address: int, size: int) -> int:
        value = self.memory.read(address & ~(size - 1), size)
        if value is None:
            raise self._fail("a read", address)
        return value

    def _store(self, address: int, size: int, value: int) -> None:
        mask = (1 << (8 * size)) - 1
        if not self.memory.write(address & ~(size - 1), size, value & mask):
            raise self._fail("a write", address)
