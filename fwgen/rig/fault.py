"""A fault on silicon, read through the probe, told as the machine tells it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from fwgen.errors import RigError
from fwgen.image.facts import SYSTEM_EXCEPTIONS, Facts
from fwgen.image.faults import Scene, likely_cause, reason_of, report
from fwgen.trace import Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwgen.board.types import Board, Memory
    from fwgen.image.types import Image
    from fwgen.rig.connection import Connection

# Arm ARM DDI0403 C1.6.2 (DHCSR), C1.6.5 (DEMCR), B3.2.15 to B3.2.19 (fault status).
DHCSR, DEMCR = 0xE000_EDF0, 0xE000_EDFC
CFSR, HFSR, MMFAR, BFAR = 0xE000_ED28, 0xE000_ED2C, 0xE000_ED34, 0xE000_ED38
DBGKEY, C_DEBUGEN = 0xA05F << 16, 1
S_HALT, S_SLEEP, S_LOCKUP, S_RESET_ST = 1 << 17, 1 << 18, 1 << 19, 1 << 25
CATCH = 0x7F0  # VC_HARDERR, INTERR, BUSERR, STATERR, CHKERR, NOCPERR, MMERR

CFSR_BITS = {
    0: "IACCVIOL", 1: "DACCVIOL", 3: "MUNSTKERR", 4: "MSTKERR", 5: "MLSPERR", 7: "MMARVALID",
    8: "IBUSERR", 9: "PRECISERR", 10: "IMPRECISERR", 11: "UNSTKERR", 12: "STKERR", 13: "LSPERR",
    15: "BFARVALID", 16: "UNDEFINSTR", 17: "INVSTATE", 18: "INVPC", 19: "NOCP", 24: "UNALIGNED",
    25: "DIVBYZERO",
}  # fmt: skip
HFSR_BITS = {1: "VECTTBL", 30: "FORCED", 31: "DEBUGEVT"}
_VALID = ("MMARVALID", "BFARVALID")
_GENERAL = (*(f"r{n}" for n in range(13)), "sp", "lr", "pc")
_FRAME = 32  # bytes: r0 to r3, r12, lr, pc, xpsr


class _Memory:
    """A board's memory behind a probe, as the report reads it."""

    def __init__(self, connection: Connection, board: Board) -> None:
        self._connection = connection
        self.regions: Sequence[_Region] = [
            _Region(memory) for memory in board.chip.memories.values()
        ]

    def read(self, address: int, size: int) -> bytes | None:
        if not any(r.base <= address and address + size <= r.end for r in self.regions):
            return None
        try:
            return self._connection.read(address, size)
        except RigError:
            return None


class _Region:
    def __init__(self, memory: Memory) -> None:
        self.kind, self.base, self.end = memory.kind, memory.base, memory.base + memory.size


def read_fault(
    connection: Connection, board: Board, image: Image | None, t_ps: int
) -> Fault:  # fmt: skip
    """The fault of a core that was caught at its handler, or that is locked up.

    The core is halted, at the first instruction of the handler; the registers are those of the
    moment of the fault, from the frame that the core has pushed. Raises RigError.
    """
    memory = _Memory(connection, board)
    registers = list(connection.registers(*_GENERAL))
    xpsr, msp, psp = connection.registers("xpsr", "msp", "psp")
    cfsr, hfsr = connection.read_word(CFSR), connection.read_word(HFSR)
    status = connection.read_word(DHCSR)
    flags = {"CFSR": _bits(cfsr, CFSR_BITS), "HFSR": _bits(hfsr, HFSR_BITS)}
    addresses: dict[str, int] = {}
    if "MMARVALID" in flags["CFSR"]:
        addresses["MMFAR"] = connection.read_word(MMFAR)
    if "BFARVALID" in flags["CFSR"]:
        addresses["BFAR"] = connection.read_word(BFAR)
    number = xpsr & 0x1FF
    taken = next((name for name, n in SYSTEM_EXCEPTIONS.items() if n == number), "fault")
    if status & S_LOCKUP:
        taken = "Lockup"
    frame = _frame(memory, registers, msp, psp)
    if frame is not None:
        registers[0:4], registers[12], registers[14] = list(frame[0:4]), frame[4], frame[5]
        registers[15], xpsr = frame[6] & ~1, frame[7]
        at_process = registers[14] and _from_process(connection.registers("lr")[0])
        registers[13] = (psp if at_process else msp) + _FRAME + (4 if xpsr >> 9 & 1 else 0)
    pc = registers[15] & ~1
    addresses["LR"] = registers[14]
    causes = [bit for bit in (*flags["CFSR"], *flags["HFSR"]) if bit not in _VALID]
    bit = next(iter(causes), "FORCED")
    if bit == "FORCED" and not cfsr:
        bit = "SVC" if _is_svc(memory, pc) else bit
    address = addresses.get("MMFAR", addresses.get("BFAR"))
    if address is None and bit in ("STKERR", "UNSTKERR"):
        address = registers[13]
    if address is None and bit in ("PRECISERR", "IMPRECISERR", "UNALIGNED"):
        address = 0
    scene = Scene(memory, image, board.chip.core, registers, xpsr, (pc, pc))
    who = _who(bit)
    reason = reason_of(scene, bit, pc, address, who)
    text = report(
        scene, taken=taken, reason=reason, cause=likely_cause(scene, bit, pc, address), t_ps=t_ps,
        pc=pc, flags={name: bits for name, bits in flags.items() if bits}, addresses=addresses,
    )  # fmt: skip
    values = dict(zip(_GENERAL, [*registers[:15], pc], strict=True)) | {"xpsr": xpsr}
    return Fault(t_ps, taken, reason, pc, text, values)


def _bits(value: int, names: dict[int, str]) -> list[str]:
    return [name for bit, name in names.items() if value >> bit & 1]


def _who(bit: str) -> str:
    if bit in ("IACCVIOL", "DACCVIOL", "MUNSTKERR", "MSTKERR", "MLSPERR"):
        return "MemManage"
    if bit in ("IBUSERR", "PRECISERR", "IMPRECISERR", "UNSTKERR", "STKERR", "LSPERR"):
        return "BusFault"
    if bit in HFSR_BITS.values() or bit == "SVC":
        return "HardFault"
    return "UsageFault"


def _from_process(exc_return: int) -> bool:
    """Whether the frame is on the process stack: EXC_RETURN bit 2 (B1.5.8)."""
    return exc_return >= 0xF000_0000 and bool(exc_return & 4)


def _frame(
    memory: _Memory, registers: Sequence[int], msp: int, psp: int
) -> tuple[int, ...] | None:  # fmt: skip
    """What the core pushed when it took the exception; None where there is no frame."""
    if registers[14] < 0xF000_0000:
        return None
    data = memory.read(psp if _from_process(registers[14]) else msp, _FRAME)
    return None if data is None else struct.unpack("<8I", data)


def _is_svc(memory: _Memory, pc: int) -> bool:
    code = memory.read(pc - 2, 2)
    return code is not None and code[1] == 0xDF


def reset_causes(facts: Facts) -> tuple[int, dict[str, int]] | None:
    """Where the chip keeps the causes of its last resets, and the bit of each; None: nowhere."""
    where = facts.get("RCC_CSR")
    if where is None:
        return None
    names = ("LPWRRSTF", "WWDGRSTF", "IWDGRSTF", "SFTRSTF", "PORRSTF", "BORRSTF", "PINRSTF")
    bits = {name: bit for name in names if (bit := facts.get(f"RCC_CSR_{name}")) is not None}
    return where, bits
