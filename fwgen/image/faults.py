"""What a fault was, told as a good debugger would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fwgen.thumb import decode_all, isa
from fwgen.thumb.belief import manual
from fwgen.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fwgen.image.types import Image


class _Region(Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def base(self) -> int: ...
    @property
    def end(self) -> int: ...


class Memory(Protocol):
    """What the report is drawn from: a machine's memory, or that of a board behind a probe."""

    @property
    def regions(self) -> Sequence[_Region]:
        """Flash and RAM, by kind."""

    def read(self, address: int, size: int) -> bytes | None:
        """What is at an address; None where there is nothing."""


# CFSR and HFSR bits in words: Arm ARM DDI0403 B3.2.15, B3.2.16.
MEANING = {
    "IACCVIOL": "fetched an instruction from where nothing may execute",
    "DACCVIOL": "touched what may not be touched",
    "MUNSTKERR": "protection violated while unstacking",
    "MSTKERR": "protection violated while stacking",
    "MLSPERR": "protection violated while saving floating-point state",
    "MMARVALID": "MMFAR holds the address",
    "IBUSERR": "fetched an instruction from where there is no memory",
    "PRECISERR": "an access that the bus refused; BFAR holds its address",
    "IMPRECISERR": "a buffered store that the bus refused after the core had gone on",
    "UNSTKERR": "the frame to return to lies outside memory",
    "STKERR": "the frame of an exception did not fit into RAM",
    "LSPERR": "floating-point state could not be saved",
    "BFARVALID": "BFAR is valid",
    "UNDEFINSTR": "an instruction that the core does not have",
    "INVSTATE": "left Thumb state: a jump to an even address",
    "INVPC": "an exception return that does not fit what is active",
    "NOCP": "a floating-point instruction while the FPU is off",
    "UNALIGNED": "an access that must be aligned was not",
    "DIVBYZERO": "a division by zero",
    "VECTTBL": "a vector could not be read",
    "FORCED": "no handler of its own could take the fault: escalated to HardFault",
    "DEBUGEVT": "a breakpoint without a debugger",
    "SVC": "SVC where its handler may not run: masked, or in a handler of the same priority",
}

SEMIHOSTING = b"\xab\xbe"  # BKPT #0xAB: Arm Semihosting for AArch32 and AArch64 §3.1

_NAMES = (*(f"r{n}" for n in range(13)), "sp", "lr", "pc")


class Scene:
    """Where a fault happened: everything that the report draws on."""

    def __init__(
        self,
        memory: Memory,
        image: Image | None,
        core: str,
        registers: Sequence[int],
        xpsr: int,
        block: tuple[int, int],
    ) -> None:
        self.memory, self.image, self.core = memory, image, core
        self.registers, self.xpsr = registers, xpsr
        self.block = block  # start and end of the code that ran last

    def place(self, address: int) -> str:
        """An address with the symbol it lies in."""
        return self._named(address, address & ~1)

    def after_call(self, address: int) -> str:
        """A return address with the symbol that called.

        What is called last and never returns, as a compiler knows, has the next function's first
        address as its return address: the call before it says who called.
        """
        return self._named(address, (address & ~1) - 2)

    def _named(self, address: int, within: int) -> str:
        symbol = self.image.symbol_at(within) if self.image is not None else None
        if symbol is None:
            return f"{address:#010x}"
        offset = (address & ~1) - symbol.address
        return f"{address:#010x} <{symbol.name}{f'+{offset:#x}' if offset else ''}>"

    def instruction(self, pc: int) -> str:
        """The instruction at an address in words, or what stands there instead."""
        code = self.memory.read(pc, 4) or self.memory.read(pc, 2)
        if code is None:
            return "(no memory)"
        found = decode_all(code, pc)
        return found[0].text if found and found[0].valid else f".hword {code[:2][::-1].hex()}"

    def around(self, pc: int) -> Iterator[str]:
        """Listing lines about an address, else the code that ran last, disassembled."""
        lines = self.image.listing.around(pc) if self.image is not None else ()
        if lines:
            for line in lines:
                here = line.address is not None and line.address <= pc < line.address + line.size
                yield f"  {'->' if here else '  '} {line.text}"
            return
        start, end = self.block
        if not start <= pc < end or end - start > 64:
            start, end = pc, pc + 2
        code = self.memory.read(start, end - start + 8) or self.memory.read(start, end - start)
        for one in decode_all(code or b"", start)[:12]:
            if not one.valid and one.address > pc:
                return  # the bytes end within it, or code ends here
            mark = "->" if one.address == pc else "  "
            yield f"  {mark} {one.address:#010x}  {manual(one.code):<9}  {one.text}"


def reason_of(scene: Scene, bit: str, pc: int, address: int | None, who: str) -> str:
    """What happened, and where: one sentence."""
    what = MEANING.get(bit, bit)
    where = scene.place(pc)
    if bit in ("PRECISERR", "IMPRECISERR"):
        near = "near " if bit == "IMPRECISERR" else ""
        return (
            f"{who}: `{scene.instruction(pc)}` {near}at {where} touched {address:#010x}, "
            f"where there is nothing"
        )
    if bit == "UNALIGNED":
        return f"{who}: `{scene.instruction(pc)}` at {where} used {address:#010x}: {what}"
    if bit == "DACCVIOL" and address is not None:
        return (
            f"{who}: `{scene.instruction(pc)}` at {where} touched {address:#010x}, "
            f"which the MPU forbids"
        )
    if bit in ("STKERR", "UNSTKERR", "MSTKERR", "MUNSTKERR"):
        return f"{who}: {what} (frame at {address:#010x}; {where} was running)"
    if bit in ("IBUSERR", "IACCVIOL", "INVPC", "VECTTBL"):
        return f"{who}: {what}, at {where}"
    return f"{who}: {what}: `{scene.instruction(pc)}` at {where}"


def likely_cause(scene: Scene, bit: str, pc: int, address: int | None) -> str:
    """What probably brought it about, in words; "" when nothing stands out."""
    ram = next((r for r in scene.memory.regions if r.kind == "ram"), None)
    sp, lr = scene.registers[13], scene.registers[14]
    off_stack = ram is not None and not ram.base < sp <= ram.end
    if bit == "STKERR" or (bit in ("PRECISERR", "IMPRECISERR") and _is_stack(scene, pc, address)):
        if off_stack:
            return (
                f"SP is {sp:#010x}, but RAM is {ram.base:#010x} to {ram.end:#010x}: "
                "the stack ran out of RAM (endless recursion, large locals, or a wrong initial SP)"
                if ram is not None
                else ""
            )
        return f"SP is {sp:#010x}: the stack ran out of RAM, or SP was overwritten"
    code = scene.memory.read(pc, 4) or b""
    if bit == "DEBUGEVT" and code[:2] == SEMIHOSTING:
        return (
            "semihosting: it asks a debugger to print or to read a file (hprintln!, initialise_"
            "monitor_handles), and faults where none listens; use a serial port"
        )
    if bit == "UNDEFINSTR":
        if code[:2] == b"\xff\xff":
            return "0xffff is erased flash: the code ran off its end, or jumped to the wrong place"
        if scene.instruction(pc).startswith("udf"):
            trap = "UDF is a trap set on purpose: a panic, an abort, a failed assertion"
            return f"{trap}; LR is {scene.after_call(lr)}" if lr < 0xF000_0000 else trap
        problem = isa.first_problem(code[:4], scene.core) if len(code) == 4 else None
        return problem.message if problem is not None and problem.offset == 0 else ""
    if bit == "NOCP":
        return "set CPACR bits 23:20 (0xE000ED88) before the first floating-point instruction"
    if bit == "INVSTATE":
        return (
            "a function pointer or a vector lacks bit 0 (the Thumb bit), or a return address was "
            f"overwritten; LR is {scene.after_call(lr)}"
        )
    if bit in ("IBUSERR", "IACCVIOL"):
        return (
            f"a call or return through a bad pointer; LR is {scene.after_call(lr)}"
            if lr < 0xF000_0000
            else "a call or return through a bad pointer, within a handler"
        )
    if bit == "INVPC":
        return "LR was overwritten within a handler, or its stack frame was"
    if bit == "UNALIGNED":
        return "LDM, STM, LDRD, STRD and floating-point accesses need addresses that 4 divides"
    if address is not None:
        if address < 0x400:
            return "a null pointer with an offset"
        if ram is not None and ram.end <= address < ram.end + 0x10000:
            return f"{address - ram.end:#x} bytes past the end of RAM"
        if 0x4000_0000 <= address < 0x6000_0000:
            return "no peripheral has registers there"
    return ""


def _is_stack(scene: Scene, pc: int, address: int | None) -> bool:
    """Whether an access goes through SP."""
    text = scene.instruction(pc)
    sp = scene.registers[13]
    near = address is not None and abs(address - sp) <= 0x100
    return near and (text.startswith(("push", "pop", "vpush", "vpop")) or "sp" in text)


def report(
    scene: Scene,
    *,
    taken: str,
    reason: str,
    cause: str,
    t_ps: int,
    pc: int,
    flags: Mapping[str, Sequence[str]],
    addresses: Mapping[str, int],
) -> str:
    """The whole report, as text."""
    lines = [f"{taken} at {show_duration(t_ps)}", f"  {reason}"]
    if cause:
        lines.append(f"  probably: {cause}")
    shown = list(scene.around(pc))
    if shown:
        lines += ["", *shown]
    lines.append("")
    registers = [*scene.registers[:15], pc]
    for row in range(0, 16, 4):
        lines.append(
            "  "
            + "  ".join(f"{_NAMES[n]:>3} {registers[n]:08x}" for n in range(row, row + 4))
        )  # fmt: skip
    n, z, c, v = (scene.xpsr >> bit & 1 for bit in (31, 30, 29, 28))
    number = scene.xpsr & 0x1FF
    mode = f"handler of exception {number}" if number else "thread"
    lines.append(f"  xpsr {scene.xpsr:08x}  N={n} Z={z} C={c} V={v}, {mode}")
    for register, names in flags.items():
        for name in names:
            lines.append(f"  {register}.{name}: {MEANING.get(name, name)}")
    for register, value in addresses.items():
        place = scene.after_call(value) if register == "LR" else scene.place(value)
        lines.append(f"  {register} {value:#010x}  {place}")
    return "\n".join(lines)
