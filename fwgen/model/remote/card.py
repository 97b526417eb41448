"""The encoding card: the 16-bit instructions that firmware is mostly made of, out of our table.

A line gives the assembly, the halfword with every field 0, and where each field goes:

    str/ldr Rt,[Rn,#i*4]  6000/6800|i<<6|n<<3|t

Where a relocation fills the place, its field stays 0 and its name stands behind.
"""

from __future__ import annotations

from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Final

from fwgen.image.wire import SHORT
from fwgen.thumb.forms import all_forms
from fwgen.thumb.operands import CONDITIONS

if TYPE_CHECKING:
    from fwgen.thumb.forms import Form

# As the table words them. What is not here is either rare or stands in a group below.
_ROWS: Final = (
    "movS Rd, #i", "cmp Rn, #i", "addS {Rd,} Rd, #i", "subS {Rd,} Rd, #i",
    "lslS {Rd,} Rm, #i>1", "lsrS {Rd,} Rm, #i%32", "asrS {Rd,} Rm, #i%32",
    "addS {Rd,} Rn, Rm", "subS {Rd,} Rn, Rm", "addS {Rd,} Rn, #i", "subS {Rd,} Rn, #i",
    "mov Xd, Xm", "bx Xm", "blx Sm",
    "str Rt, [Rn{, #i*4}]", "ldr Rt, [Rn{, #i*4}]", "strb Rt, [Rn{, #i}]", "ldrb Rt, [Rn{, #i}]",
    "strh Rt, [Rn{, #i*2}]", "ldrh Rt, [Rn{, #i*2}]", "str Rt, [sp{, #i*4}]",
    "ldr Rt, [sp{, #i*4}]", "add {sp,} sp, #i*4", "sub {sp,} sp, #i*4", "push REGS", "pop REGS",
    "uxtb Rd, Rm", "uxth Rd, Rm", "ldr Rt, @THM_PC8", "adr Rd, @THM_PC8", "cbz Rn, @THM_JUMP6",
    "cbnz Rn, @THM_JUMP6", "bCC @THM_JUMP8", "b @THM_JUMP11", "bl @THM_CALL",
    "wfi", "nop", "cpsie i", "cpsid i",
)  # fmt: skip
_GROUPS: Final = (
    ("Rd,Rm", 0xFC00, 0x4000, 6, "|m<<3|d"),
    ("Rt,[Rn,Rm]", 0xF000, 0x5000, 9, "|m<<6|n<<3|t"),
)  # operands, which bits make the group, their value, where the number within it stands


@cache
def card(core: str) -> str:
    """The card of a core, as text. Wide forms are given only where the linker fills them."""
    wide = not core.startswith(("cortex-m0", "cortex-m1"))
    forms: dict[str, Form] = {}
    for form in all_forms():
        for text in form.texts:
            forms.setdefault(text, form)
    rows = [_row(text, forms[text]) for text in _ROWS if wide or "v7m" not in forms[text].needs]
    lines = []
    for (operands, places), group in groupby(rows, key=lambda row: row[1:3]):
        alike = list(group)
        heads, values = "/".join(row[0] for row in alike), "/".join(row[3] for row in alike)
        lines.append(f"{heads} {operands}".rstrip() + f"  {values}{places}")
    for operands, mask, value, shift, rest in _GROUPS:
        found = {
            (form.value & ~value & 0xFFFF) >> shift: form.spellings[0][0].name
            for form in all_forms()
            if form.size == 2 and form.value & mask == value and form.mask & mask == mask
        }
        listed = " ".join(f"{number:x}={name}" for number, name in sorted(found.items()))
        lines.append(f"OP {operands}  {value:04x}|OP<<{shift}{rest}  OP: {listed}")
    conditions = " ".join(f"{number:x}={name}" for number, name in enumerate(CONDITIONS[:14]))
    lines.append(f"CC: {conditions}")
    if wide:
        lines.append("movw Rd,#x  f2400000|d<<8 MOVW x; movt Rd,#x  f2c00000|d<<8 MOVT x")
        lines.append("str.w Rt,[Rn,#i]  f8c00000|n<<16|t<<12|i; ldr.w  f8d00000")
    return "\n".join(lines)


def _row(text: str, form: Form) -> tuple[str, str, str, str]:
    """Name, operands, where the fields go, and the halfword with every field 0."""
    name = form.spellings[form.texts.index(text)][0].name
    if "CC" in text.split()[0]:
        name = "bCC"
    rest = text.partition(" ")[2]
    relocation = ""
    if "@" in rest:
        rest, _, kind = rest.partition("@")
        relocation = " " + next(short for short, long in SHORT.items() if long == kind)
        rest += "place"
    for said, meant in (("{Rd,} Rd,", "Rd,"), ("{Rd,} ", "Rd,"), ("{sp,} sp", "sp"), (", ", ","),
                        ("{", ""), ("}", ""), ("X", "R"), ("Sm", "Rm"), ("#i>1", "#i"),
                        ("#i%32", "#i"), ("REGS", "{list}")):  # fmt: skip
        rest = rest.replace(said, meant)
    places = ""
    if form.size == 2:
        skipped = {"i"} if relocation else set()
        places = "".join(_place(f, at) for f, at in form.places.items() if f not in skipped)
    return name, rest, places + relocation, f"{form.value:0{2 * form.size}x}"


def _place(field: str, places: list[int]) -> str:
    """Where a field goes: "|n<<3", or bit by bit where it is split."""
    if field == "r":
        return "|list" if len(places) == 8 else ""
    low = places[-1]
    if places[0] - low == len(places) - 1:
        name = {"c": "CC"}.get(field, field)
        return f"|{name}<<{low}" if low else f"|{name}"
    top = f"|{field}[{len(places) - 1}]<<{places[0]}"
    inner = f"|{field}[{len(places) - 2}:0]"
    return top + (f"{inner}<<{low}" if low else inner)
