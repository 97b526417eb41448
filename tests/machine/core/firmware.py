"""Firmware for tests, written as assembly: labels, ``ldr rX, =value``, ``.word``, vectors.

A label "tick" with ``vectors={15: "tick"}`` is entered by exception 15; vectors that are not
named go to an endless loop.
"""

from __future__ import annotations

import re

from fwgen.image.types import Image, Segment, Symbol
from fwgen.thumb import encode

FLASH = 0x0800_0000
STACK = 0x2001_8000
TABLE = 4 * (16 + 85)

GPIOA = """
    ldr r0, =0x40023830
    movs r1, #1
    str r1, [r0, #0]
    nop
    nop
    nop
    nop
    ldr r0, =0x40020000
    ldr r1, [r0, #0]
    orr r1, r1, #0x400
    str r1, [r0, #0]
"""
"""GPIOA is clocked, PA5 an output, r0 its base."""


def _lines(text: str) -> list[str]:
    found = []
    for raw in text.splitlines():
        for part in re.split(r"(?<=:)\s", raw.split("@")[0]):
            line = part.strip()
            wide = re.fullmatch(r"ldr (\w+), =(.+)", line)
            if wide:
                register, value = wide.groups()
                low, high = (f"({value}) & 0xffff", f"({value}) >> 16")
                found += [f"movw {register}, ={low}", f"movt {register}, ={high}"]
            elif line:
                found.append(line)
    return found


def assemble(text: str, base: int) -> tuple[bytes, dict[str, int]]:
    """Machine code at ``base``, and where its labels are."""
    labels: dict[str, int] = {}
    code = b""
    for final in (False, True):
        code = b""
        for line in _lines(text):
            here = base + len(code)
            if line.endswith(":"):
                assert not final or labels[line[:-1]] == here, f"{line} moved"
                labels[line[:-1]] = here
                continue
            for name in sorted(labels, key=len, reverse=True):
                line = re.sub(rf"(?<![\w.]){name}(?!\w)", f"{labels[name]:#x}", line)
            if line.startswith(".word"):
                value = eval(line[5:]) if final else 0
                code += value.to_bytes(4, "little")
                continue
            if not final:
                line = re.sub(r"=.*", "=0", line)
                if re.match(r"(b(?!ic|f|x|lx|kpt)|cb|adr)", line):
                    line = re.sub(r" [a-z]\w*$", f" {here:#x}", line)
            line = re.sub(r"=(.+)", lambda m: f"#{eval(m[1])}", line)
            code += encode(line, address=here)
    return code, labels


def firmware(
    text: str, vectors: dict[int, str] | None = None, *, stack: int = STACK, after: bytes = b""
) -> Image:
    """An image whose reset vector is the label "start"."""
    code, labels = assemble(f"forever: b forever\n{text}", FLASH + TABLE)
    table = [stack, labels["start"] | 1] + [labels["forever"] | 1] * (TABLE // 4 - 2)
    for number, name in (vectors or {}).items():
        table[number] = labels[name] | 1 if name in labels else int(name, 0)
    data = b"".join(word.to_bytes(4, "little") for word in table) + code + after
    places = sorted(labels.items(), key=lambda item: item[1])
    ends = [*(at for _, at in places[1:]), FLASH + TABLE + len(code)]
    symbols = tuple(
        Symbol(name, at, end - at, "code") for (name, at), end in zip(places, ends, strict=True)
    )
    return Image((Segment(FLASH, data),), table[1], stack, symbols, core="cortex-m4f")
