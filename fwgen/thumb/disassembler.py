"""Machine code to text and facts: capstone speaks, the table of forms adds what it knows.

Capstone is the referee: the text is its own, tidied so that the assembler reads it back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from fwgen.thumb.forms import Match, halfwords, is_wide, recognise
from fwgen.thumb.operands import CONDITIONS, TARGETS, Imm, Mark, Reg, Target, listed


@dataclass(frozen=True, slots=True)
class Memory:
    """What a load or store touches: a base register, a displacement, perhaps an index."""

    base: str
    displacement: int = 0
    index: str = ""
    reads: bool = False
    writes: bool = False


@dataclass(frozen=True, slots=True)
class Decoded:
    """One instruction, or bytes that are none (``valid`` False, ``mnemonic`` "undecodable").

    ``condition`` is that of a conditional branch or of the IT block it stands in. ``target`` is
    where a direct branch goes. ``literal`` is the address that a pc-relative load or adr means.
    ``reads`` and ``writes`` name registers, flags not included.
    """

    address: int
    code: bytes
    mnemonic: str
    operands: str
    valid: bool = True
    condition: str | None = None
    is_branch: bool = False
    is_call: bool = False
    target: int | None = None
    literal: int | None = None
    memory: Memory | None = None
    reads: frozenset[str] = field(default_factory=frozenset)
    writes: frozenset[str] = field(default_factory=frozenset)

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.code)

    @property
    def text(self) -> str:
        """Mnemonic and operands."""
        return f"{self.mnemonic} {self.operands}".rstrip()


@cache
def _capstone() -> Any:
    """The one capstone instance: a microcontroller's Thumb."""
    import capstone

    engine = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    engine.detail = True
    return engine


@lru_cache(maxsize=8192)
def decode(code: bytes, address: int = 0) -> Decoded:
    """The first instruction of some bytes. Never raises: garbage is marked undecodable."""
    one = halfwords(code[:4])[0] if len(code) > 1 else code
    decoded = decode_all(one, address)
    return decoded[0] if decoded else _undecodable(b"", address)


def decode_all(code: bytes, address: int = 0) -> list[Decoded]:
    """Every instruction of a run of code; IT blocks give the instructions their conditions."""
    found: list[Decoded] = []
    at = 0
    while at < len(code):
        for insn in _capstone().disasm(code[at:], address + at):
            found.append(_decoded(insn))
            at += insn.size
        if at < len(code):
            size = 4 if is_wide(int.from_bytes(code[at : at + 2], "little")) else 2
            found.append(_unknown(code[at : at + size], address + at))
            at += size
    return found


def _unknown(code: bytes, address: int) -> Decoded:
    """Bytes that capstone refuses: the table may still know them."""
    match = recognise(code) if len(code) in (2, 4) else None
    if match is None or match.fault is not None:
        return _undecodable(code, address)
    mnemonic, _, operands = match.form.show(match.fields, address).partition(" ")
    return _with_facts(code, address, mnemonic, operands, match)


def _undecodable(code: bytes, address: int) -> Decoded:
    return Decoded(address, code, "undecodable", code.hex(), valid=False)


def _decoded(insn: Any) -> Decoded:
    code, address = bytes(insn.bytes), int(insn.address)
    match = recognise(code)
    condition = None
    if 1 <= insn.cc <= len(CONDITIONS) and not insn.mnemonic.startswith("it"):
        condition = CONDITIONS[insn.cc - 1]
    mnemonic, operands = _tidied(str(insn.mnemonic), str(insn.op_str), match, address)
    try:
        reads, writes = insn.regs_access()
    except Exception:  # noqa: BLE001 - capstone has no such facts for a few instructions
        reads, writes = (), ()
    names = [
        frozenset(_NAMES.get(n, n) for n in map(insn.reg_name, group) if n and _is_register(n))
        for group in (reads, writes)
    ]
    return _with_facts(code, address, mnemonic, operands, match, condition, names[0], names[1])


_NAMES = {"sb": "r9", "sl": "r10", "fp": "r11", "ip": "r12"}


def _is_register(name: str) -> bool:
    return name in _NAMES or (name[0] in "rslpd" and name != "spsr")


# What capstone 5.0.9 calls by names that no manual for this profile has.
_RENAMED = {"trap": ("udf", "#254"), "dfb": ("dsb", "#12")}


def _tidied(mnemonic: str, operands: str, match: Match | None, address: int) -> tuple[str, str]:
    """Capstone's words, put right where the assembler (or the manual) would not know them."""
    if mnemonic in _RENAMED:
        return _RENAMED[mnemonic]
    if match is None or match.fault is not None:
        return mnemonic, operands
    form, fields = match.form, match.fields
    # Some coprocessor transfers are vector instructions to the A-profile, which capstone reads.
    vector = form.cost == "coprocessor" and mnemonic.startswith("v")
    minus_zero = form.texts[0].startswith("sub") and not fields.get("i")
    if "adr " in form.texts[-1]:
        if not minus_zero:
            # Capstone shows the distance; a place is more useful, and what the assembler reads.
            name = "adr.w" if form.size == 4 else "adr"
            suffix = mnemonic.partition(".")[0].removeprefix("adr")
            suffix = suffix.removeprefix("addw").removeprefix("subw")  # an IT block's condition
            name = name.replace("adr", "adr" + suffix)
            return name, f"{operands.split(',')[0]}, #{_place(match, address):#x}"
        vector = True
    if vector:
        mnemonic, _, operands = form.show(fields, address).partition(" ")
    return mnemonic, operands


def _place(match: Match, address: int) -> int | None:
    """The address that a pc-relative form means, or None."""
    for variants in match.form.variants:
        for part in variants[0].operands:
            if isinstance(part, Target) and part.relocation in TARGETS:
                layout = TARGETS[part.relocation]
                return (layout.pc(address) + layout.distance(match.fields)) & 0xFFFFFFFF
    return None


def _with_facts(
    code: bytes,
    address: int,
    mnemonic: str,
    operands: str,
    match: Match | None,
    condition: str | None = None,
    reads: frozenset[str] = frozenset(),
    writes: frozenset[str] = frozenset(),
) -> Decoded:
    if match is None:
        return Decoded(
            address, code, mnemonic, operands, condition=condition, reads=reads, writes=writes
        )
    form, fields = match.form, match.fields
    branch = match.fault is None and form.leaves(fields)
    place = _place(match, address)
    direct = form.cost == "branch" and place is not None
    return Decoded(
        address,
        code,
        mnemonic,
        operands,
        condition=condition,
        is_branch=branch,
        is_call=form.texts[0].split()[0] in ("bl", "blx", "blxns"),
        target=place if direct else None,
        literal=None if direct else place,
        memory=_memory(match),
        reads=reads,
        writes=writes,
    )


def _memory(match: Match) -> Memory | None:
    """The memory operand of a form, from its fields."""
    form, fields = match.form, match.fields
    name = form.texts[0].split()[0]
    load = "load" in form.cost or form.cost == "table-branch" or name.startswith(("vldm", "vpop"))
    store = "store" in form.cost or name.startswith(("vstm", "vpush"))
    if not (load or store):
        return None
    parts = form.variants[0][0].operands
    if Mark("[") not in parts:  # a list: from the base up, or down to it
        stacked = name in ("push", "pop", "vpush", "vpop")
        base = "sp" if stacked else next(p.show(fields) for p in parts if isinstance(p, Reg))
        words = 1
        if form.cost == "fp-multiple":
            words = fields["i"]
        elif "r" in fields:
            words = listed(fields).bit_count()
        down = name in ("push", "vpush") or "db" in name
        return Memory(base, -4 * words if down else 0, "", load, store)
    at = parts.index(Mark("["))
    end = parts.index(Mark("]"))
    index, displacement = "", 0
    for part in parts[at + 2 : end]:
        if isinstance(part, Reg):
            index = part.show(fields)
        elif isinstance(part, Imm) and not index:
            displacement = part.value(fields)
    return Memory(parts[at + 1].show(fields), displacement, index, load, store)
