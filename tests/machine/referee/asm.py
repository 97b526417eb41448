"""A few lines of assembly with labels, on top of the one-line encoder: what tests are written in.

One instruction, label (``name:``) or directive a line; ``;`` begins a comment. Besides UAL:
``set Rd, value`` loads any 32-bit value or label, ``.word a, b`` and ``.align`` place data. A
label stands for its address; ``@name`` is the pointer to it, with the Thumb bit.
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
    labels = dict.fromkeys(names, address)
    for _ in range(8):
        code, found = _pass([line for line in lines if line], address, labels | (known or {}))
        if found == labels:
            return code, labels
        labels = found
    raise AssertionError("the layout does not settle")


def _pass(lines: list[str], address: int, labels: dict[str, int]) -> tuple[bytes, dict[str, int]]:
    def place(match: re.Match[str]) -> str:
        pointer, name = match.groups()
        return hex(labels[name] | bool(pointer)) if name in labels else match[0]

    code, found, in_it = b"", {}, 0
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


def load_constant(register: str, value: int) -> bytes:
    """Eight bytes that load any value and keep the flags."""
    low, high = value & 0xFFFF, value >> 16 & 0xFFFF
    return encode(f"movw {register}, #{low}") + encode(f"movt {register}, #{high}")
