"""A few lines of assembly with labels, on top of the one-line encoder: what tests are written in.

One instruction, label (``name:``) or directive a line; ``;`` begins a comment. Besides UAL:
``set Rd, value`` loads any 32-bit value or label, ``.word a, b`` and ``.align`` place data. A
label stands for its address; ``@name`` is the pointer to it, with the Thumb bit. ``.bytes`` are
bytes in hex; ``.quarters table case...`` and ``.halves`` are what TBB and TBH read;
``.pointer Rd label`` makes a pointer without knowing where the code is.
"""

from __future__ import annotations

import re

from fwgen.thumb import encode

_IT = re.compile(r"it([te]{0,3})\s")
_NAME = re.compile(r"(@?)\b([A-Za-z_]\w*)\b")


def assemble(
    source: str, address: int = 0, known: dict[str, int] | None = None
) -> tuple[bytes, dict[str, int]]:
    """The bytes of ``source`` placed at ``address``, and where its labels are."""
    lines = [line.partition(";")[0].strip() for line in source.splitlines()]
    names = {line[:-1] for line in lines if line.endswith(":")}
    labels: dict[str, int] = {}
    for _ in range(8):
        code, found = _pass([x for x in lines if x], address, labels | (known or {}), names)
        if found == labels:
            return code, labels
        labels = found
    raise AssertionError("the layout does not settle")


def _pass(
    lines: list[str], address: int, labels: dict[str, int], names: set[str]
) -> tuple[bytes, dict[str, int]]:
    def place(match: re.Match[str]) -> str:
        pointer, name = match.groups()
        if name in labels:
            return hex(labels[name] | bool(pointer))
        return hex(address + len(code) + 7 & ~3) if name in names else match[0]

    code, found, in_it = b"", dict[str, int](), 0
    for line in lines:
        if line.endswith(":"):
            found[line[:-1]] = address + len(code)
            continue
        head, _, tail = line.partition(" ")
        text = f"{head} {_NAME.sub(place, tail)}".strip()
        if head == ".align":
            code += bytes(-(address + len(code)) % 4)
        elif head == ".word":
            words = [int(word, 0) & 0xFFFFFFFF for word in text[5:].split(",")]
            code += b"".join(word.to_bytes(4, "little") for word in words)
        elif head == ".bytes":
            code += bytes.fromhex(tail)
        elif head in (".quarters", ".halves"):
            base, *cases = [int(word, 0) for word in text.split()[1:]]
            size = 1 if head == ".quarters" else 2
            code += b"".join(
                ((at - base) // 2 & 0xFFFF).to_bytes(2, "little")[:size] for at in cases
            )
            code += bytes(len(code) & 1)
        elif head == ".pointer":
            register, target = text.split()[1:]
            code += encode(f"mov {register}, pc")
            distance = int(target, 0) + 1 - (address + len(code) + 2)
            code += load_distance(register, distance)
        elif head == "set":
            register, _, value = text[4:].partition(",")
            code += load_constant(register.strip(), int(value, 0))
        else:
            code += encode(text, address=address + len(code), it=in_it > 0)
            in_it = max(0, in_it - 1)
            match = _IT.match(line)
            if match:
                in_it = 1 + len(match[1])
    return code, found


def load_distance(register: str, distance: int) -> bytes:
    """Four bytes that add up to 4095 either way."""
    return encode(f"{'addw' if distance >= 0 else 'subw'} {register}, {register}, #{abs(distance)}")


def load_constant(register: str, value: int) -> bytes:
    """Eight bytes that load any value and keep the flags."""
    low, high = value & 0xFFFF, value >> 16 & 0xFFFF
    return encode(f"movw {register}, #{low}") + encode(f"movt {register}, #{high}")
